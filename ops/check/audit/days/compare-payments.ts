/** The rows of `payments` against their payouts, and against what the results say from which they were made. */
import { isNone } from '../../../../schemas/none.ts'
import type { Payment, PayoutAnswer } from '../../../../schemas/types.ts'
import type { Findings } from '../report.ts'
import {
  callText,
  type FoundPayment,
  type FoundPayments,
  type PaymentHistories,
  type PaymentHistory,
  payoutName,
} from './payment-rows.ts'
import { type FoundPayout, placeOf } from './payout-index.ts'

type State = Payment['paymentState']
const SENT_BY_THEN: readonly State[] = ['SENT', 'MINED', 'FINAL']
const ANSWERED_BY_THEN: readonly State[] = ['READY', ...SENT_BY_THEN]
/** States in which the newest attempt was answered, or the one before. */
const ATTEMPTS_KNOWN: readonly State[] = ['MINED', 'FINAL', 'UNPAID']
const FIRST_ATTEMPT = 1

/** The contract takes nothing of the day any more. */
const DAY_OVER = 'E38'

export interface PayoutStanding {
  /** The anchor has taken the payout. */
  readonly isDue: boolean
  /** By the ticks, the contract takes nothing of its day any more. */
  readonly hasPassed: boolean
}

export class PaymentComparison {
  private readonly payments: FoundPayments
  private readonly histories: PaymentHistories
  private readonly findings: Findings
  private readonly transactions = new Map<string, string>()
  /** Payouts that came when their days had passed. */
  unpaid = 0

  constructor(payments: FoundPayments, histories: PaymentHistories, findings: Findings) {
    this.payments = payments
    this.histories = histories
    this.findings = findings
  }

  /** @returns its row */
  take(found: FoundPayout, { isDue, hasPassed }: PayoutStanding): Payment | undefined {
    const { dataMarket, offset, payout } = found
    const { epochId, number, payoutOf } = payout
    const name = payoutName({ dataMarket, epochId, number })
    const there = this.payments.get(`${name}/${payoutOf}`)
    if (!there && isDue) this.findings.add('skipped', placeOf(found), 'it was never planned')
    if (!there) return undefined
    this.payments.delete(`${name}/${payoutOf}`)
    const { row } = there
    const where = `${placeOf(found)}, payment`
    this.findings.same(where, 'offset of the payout', offset, row.payoutOffset)
    this.findings.same(where, 'purpose', payout.purpose, row.purpose)
    this.findings.same(where, 'part', payout.part, row.part)
    this.findings.same(where, 'parts', payout.parts, row.parts)
    this.findings.same(where, 'slots', payout.slotIds.length, row.slots)
    if (row.paymentState === 'UNPAID') this.compareUnpaid(where, row, hasPassed)
    compareLeftOut(where, found, row, this.findings)
    comparePaidBefore(where, found, row, this.findings)
    compareState(where, row, this.findings)
    this.compareOnce(where, row)
    const history = this.histories.of.get(name)
    if (history ? !this.histories.isCut || history.attempts.has(FIRST_ATTEMPT) : !this.histories.isCut)
      compareHistory(where, found, row, history, this.findings)
    return row
  }

  /** Rows of no payout that is there. @param start offset of the oldest payout */
  finish(start: number): void {
    for (const { key, row } of this.payments.values())
      if (row.payoutOffset >= start)
        this.findings.add('mismatches', rowPlace(key), `there is no such payout at offset ${row.payoutOffset}`)
  }

  /** Nobody can pay a day that has passed; to say so of one that has not is a fault. */
  private compareUnpaid(where: string, { error, leftOut }: Payment, hasPassed: boolean): void {
    if (error === DAY_OVER && hasPassed) {
      this.unpaid++
      this.findings.note(
        where,
        `it came when its day had passed (${error}); ${leftOut.length} slots lack what it tells`,
      )
    } else {
      const why = error === DAY_OVER ? ', though no epoch of so late a day was opened' : ''
      this.findings.add('skipped', where, `it is UNPAID for good: ${error}${why}; ${leftOut.length} slots`)
    }
  }

  private compareOnce(where: string, { transactionHash }: Payment): void {
    if (transactionHash === '') return
    const other = this.transactions.get(transactionHash)
    if (other !== undefined) this.findings.add('duplicated', where, `its transaction is that of ${other}`)
    this.transactions.set(transactionHash, where)
  }
}

const rowPlace = ({ dataMarket, day, epochId, number }: FoundPayment['key']): string =>
  `day ${day} of ${dataMarket}, payment ${number} of epoch ${epochId}`

/** Each slot is one of the payout, with its count, and with a reason that can be. */
function compareLeftOut(where: string, { payout }: FoundPayout, { leftOut }: Payment, findings: Findings): void {
  const counts = new Map(payout.slotIds.map((slotId, at) => [slotId, payout.submissions[at]]))
  let highest = -1
  for (const { slotId, counted, onChain, reason } of leftOut) {
    const place = `${where}, slot ${slotId}`
    const known = counts.get(slotId)
    if (known === undefined) findings.add('mismatches', place, 'it is left out, and the payout does not have it')
    else findings.same(place, 'count of what is left out', known, counted)
    if (slotId <= highest) findings.add('duplicated', place, 'it is left out twice')
    highest = slotId
    if (reason === 'HIGHER_ON_CHAIN' && onChain <= counted)
      findings.add('mismatches', place, `it is left out as ${reason}, with ${onChain} there`)
  }
}

function comparePaidBefore(where: string, { payout }: FoundPayout, { paidBefore }: Payment, findings: Findings): void {
  const known = new Set(payout.slotIds)
  for (const slotId of paidBefore)
    if (!known.delete(slotId))
      findings.add('mismatches', where, `slot ${slotId} was paid before, and the payout does not have it`)
}

function compareState(where: string, row: Payment, findings: Findings): void {
  const { paymentState: state, sent, present, leftOut, slots, transactionHash, blockHash, purpose } = row
  const wrong = (message: string): void => findings.add('mismatches', where, `it is ${state}, and ${message}`)
  if (state === 'UNKNOWN' || state === 'REORGED') wrong('that is no state to stay in')
  if (sent + present > slots) wrong(`${sent} slots were sent and ${present} there, of ${slots}`)
  if (ANSWERED_BY_THEN.includes(state) && sent + present + leftOut.length < slots)
    wrong(`of ${slots} slots ${sent} were sent, ${present} there and ${leftOut.length} left out`)
  if (purpose === 'COUNTS' && row.quota !== 0) wrong(`its quota is ${row.quota}, though counts pay nobody`)
  if (state === 'SUPERSEDED' && purpose !== 'COUNTS') wrong('nothing supersedes it')
  if (state === 'FINAL' && sent > 0 && transactionHash === '') wrong('no transaction has it')
  if (state === 'FINAL' && sent === 0 && transactionHash !== '') wrong('its transaction has no slot')
  if (SENT_BY_THEN.includes(state) && state !== 'FINAL' && transactionHash === '') wrong('no transaction has it')
  if (state === 'MINED' && blockHash === '') wrong('no block has it')
}

function compareHistory(
  where: string,
  found: FoundPayout,
  row: Payment,
  history: PaymentHistory | undefined,
  findings: Findings,
): void {
  const { paymentState, transactionHash, nonce, blockNumber, blockHash, attempts } = row
  const differ = (what: string, value: unknown): void =>
    findings.add('mismatches', where, `${what} ${value}: no result in the log says so`)
  const sent = history?.sent.get(transactionHash)
  if (transactionHash !== '' && !sent) differ('transaction', transactionHash)
  if (!isNone(nonce) && (sent?.nonce ?? nonce) !== nonce) differ('nonce', nonce)
  if (blockHash !== '' && !history?.mined.has(`${transactionHash} ${blockNumber} ${blockHash}`))
    differ('block', `${blockNumber} (${blockHash})`)
  const isAnswered = history?.attempts.has(attempts) || history?.attempts.has(attempts - 1)
  if (ATTEMPTS_KNOWN.includes(paymentState) && !isAnswered) differ('attempts', attempts)
  if (row.reorgs > (history?.reorgs ?? 0)) differ('reorgs', row.reorgs)
  const isBlank = row.sent === 0 && row.present === 0 && row.leftOut.length === 0 && row.eligibleNodes === 0
  if (isBlank && paymentState !== 'FINAL') return
  const answers = (history?.answers ?? []).filter((answer) => isAnswerOf(row, answer, history!))
  if (answers.length === 0) {
    const shown = `${row.sent} sent, ${row.present} there, ${row.leftOut.length} left out, ${row.eligibleNodes} eligible`
    differ('what the contract made of it', `(${shown}; quota ${row.quota})`)
  } else if (
    paymentState === 'FINAL' &&
    sent?.call !== undefined &&
    !answers.some((one) => isCallOf(sent.call, found, one, history!))
  )
    findings.add('mismatches', where, `its transaction is another call than payout and answer make: ${sent.call}`)
}

/** The row repeats an answer; what was lost after it stands there as well. */
function isAnswerOf(row: Payment, answer: PayoutAnswer, history: PaymentHistory): boolean {
  const { lost, paidAfterAll, numbersFound } = history
  const isOtherNumber = row.numberFound && numbersFound.has(row.eligibleNodes)
  if (row.sent !== places(answer.slots).length || row.present !== answer.present) return false
  if (`${row.paidBefore}` !== `${answer.paidBefore}` || !isPaidBy(row, answer, history)) return false
  if (!isOtherNumber && row.eligibleNodes !== answer.eligibleNodes) return false
  if (row.eligibleNodes > 0 && row.quota !== answer.quota) return false
  if (!isOtherNumber && row.numberFound !== answer.numberFound) return false
  const texts = new Set([answer.leftOut, ...lost].flatMap((slots) => slots.map(textOf)))
  const shown = row.leftOut.map(textOf)
  return (
    shown.every((text) => texts.has(text)) &&
    answer.leftOut.every((slot) => shown.includes(textOf(slot)) || paidAfterAll.has(slot.slotId))
  )
}

/** A dry run knows of those alone that were paid before. A call may be final twice, when the chain goes back behind it. */
function isPaidBy({ paid, sent, paidBefore }: Payment, answer: PayoutAnswer, history: PaymentHistory): boolean {
  if (!isNone(answer.paid) && answer.paid !== answer.paidBefore.length) return false
  if (isNone(paid)) return true
  return sent === 0 ? paid === answer.paid : history.paid.has(paid - paidBefore.length)
}

const textOf = ({ slotId, counted, onChain, reason }: Payment['leftOut'][number]): string =>
  `${slotId} ${counted} ${onChain} ${reason}`

/** Places in the payout of the slots that are in the call, by their bits. */
function places(bits: Uint8Array): number[] {
  const found: number[] = []
  for (const [at, byte] of bits.entries())
    for (let bit = 0; bit < 8; bit++) if (Math.floor(byte / 2 ** bit) % 2 === 1) found.push(8 * at + bit)
  return found
}

/** One that was signed anew behind a reorganisation carries the number that was found. */
const isCallOf = (
  call: string | undefined,
  found: FoundPayout,
  answer: PayoutAnswer,
  { numbersFound }: PaymentHistory,
): boolean =>
  [answer.eligibleNodes, ...numbersFound].some((eligibleNodes) => call === callOf(found, { ...answer, eligibleNodes }))

function callOf({ dataMarket, payout }: FoundPayout, { slots, eligibleNodes }: PayoutAnswer): string {
  const inCall = places(slots)
  return callText({
    dataMarket,
    slotIds: inCall.map((at) => payout.slotIds[at] ?? -1),
    submissions: inCall.map((at) => payout.submissions[at] ?? -1),
    day: payout.payoutOf,
    eligibleNodes,
  })
}
