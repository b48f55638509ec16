/** Reads the newest payment row of each payout, and the results from which the row was made. */
import { createHash } from 'node:crypto'
import { Transaction } from 'ethers'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { isPayout, payoutNumberOf } from '../../../../schemas/anchor-keys.ts'
import type { AnchorResult, Payment, PaymentKey, PayoutAnswer } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import { readRecords } from '../../../../streams/read-record.ts'
import { epochScope, type Topics } from '../../../../topology/topics.ts'
import { exists } from '../../../reading/market-rows.ts'
import { silently } from '../../../reading/read.ts'
import { scan } from '../../../reading/scan.ts'
import { originOf, type SealRules } from '../record-origin.ts'
import type { Findings } from '../report.ts'

export interface FoundPayment {
  readonly key: PaymentKey
  readonly row: Payment
}

/** By the name of the payout. */
export type FoundPayments = Map<string, FoundPayment>

export const payoutName = ({ dataMarket, epochId, number }: Omit<PaymentKey, 'day'>): string =>
  `${epochScope(dataMarket, epochId)}/${number}`

export async function readPayments(log: Log, { payments }: Topics, findings: Findings): Promise<FoundPayments> {
  const found: FoundPayments = new Map()
  if (!(await exists(log, payments.name))) return found
  for await (const records of scan(log, { topic: payments.name, partition: 0 }, { tell: findings.unreadable }))
    for (const { key, value } of readRecords(payments, 0, records, findings.unreadable)) {
      const name = `${payoutName(key)}/${key.day}`
      if (value === null) found.delete(name)
      else found.set(name, { key, row: value })
    }
  return found
}

/** A transaction that was signed for a payout, or found on the chain. */
interface Sent {
  /** Undefined where no signed bytes tell them. */
  readonly nonce: number | undefined
  readonly call: string | undefined
}

export interface PaymentHistory {
  /** By hash. */
  readonly sent: Map<string, Sent>
  /** `transaction block hash` of where one was seen in a block. */
  readonly mined: Set<string>
  /** Answers of the dry runs; and the slots that each final call turned out to have missed. */
  readonly answers: PayoutAnswer[]
  readonly lost: PayoutAnswer['leftOut'][]
  /** Slots that such a call was not to pay, and has. */
  readonly paidAfterAll: Set<number>
  /** Numbers of eligible nodes that were fixed ahead of such a call, and are others than it carries. */
  readonly numbersFound: Set<number>
  /** How many slots such calls have paid. */
  readonly paid: Set<number>
  readonly attempts: Set<number>
  /** Number of times that the call's block left the chain. */
  reorgs: number
}

export interface PaymentHistories {
  /** By the name of the payout. */
  readonly of: ReadonlyMap<string, PaymentHistory>
  /** Older results have expired. */
  readonly isCut: boolean
}

/** Records of `anchor-results` that nobody can read are told by the comparison of batches. */
export async function readPaymentHistories(
  log: Log,
  { anchorResults }: Topics,
  rules: SealRules,
): Promise<PaymentHistories> {
  const histories = new Map<string, PaymentHistory>()
  const partition = { topic: anchorResults.name, partition: 0 }
  const guard = originOf(anchorResults, rules)
  const [bounds] = await log.bounds([partition])
  for await (const records of scan(log, partition, { tell: silently }))
    for (const { key, value } of readRecords(anchorResults, 0, records, silently, { guard })) {
      if (value === null || !isPayout(key)) continue
      const name = payoutName({ ...key, number: payoutNumberOf(key) })
      const history = histories.get(name) ?? blank()
      histories.set(name, history)
      note(history, value)
    }
  return { of: histories, isCut: bounds!.start > 0 }
}

const blank = (): PaymentHistory => ({
  sent: new Map(),
  mined: new Set(),
  answers: [],
  lost: [],
  paidAfterAll: new Set(),
  numbersFound: new Set(),
  paid: new Set(),
  attempts: new Set(),
  reorgs: 0,
})

function note(history: PaymentHistory, result: AnchorResult): void {
  const { outcome, attempt, transactionHash, rawTransaction, blockNumber, blockHash, payout } = result
  history.attempts.add(attempt)
  if (outcome === 'SIGNED') history.sent.set(transactionHash, sentBy(rawTransaction))
  else if (transactionHash !== '' && !history.sent.has(transactionHash))
    history.sent.set(transactionHash, { nonce: undefined, call: undefined })
  if (blockHash !== '') history.mined.add(`${transactionHash} ${blockNumber} ${blockHash}`)
  if (payout && outcome === 'FINAL') {
    history.lost.push(payout.leftOut)
    for (const slotId of payout.paidBefore) history.paidAfterAll.add(slotId)
    if (payout.numberFound) history.numbersFound.add(payout.eligibleNodes)
    history.paid.add(payout.paid)
  }
  if (payout && outcome !== 'FINAL') history.answers.push(payout)
  if (outcome === 'REORGED') history.reorgs++
}

/** A filler is no call. */
function sentBy(rawTransaction: string): Sent {
  try {
    const { nonce, data } = Transaction.from(rawTransaction)
    return { nonce, call: callIn(data) }
  } catch {
    return { nonce: undefined, call: undefined }
  }
}

function callIn(data: string): string {
  const read = protocolStateInterface.parseTransaction({ data })
  if (read?.name !== 'updateRewards') return 'no call of updateRewards'
  const [dataMarket, slotIds, submissions, day, eligibleNodes] = read.args
  return callText({ dataMarket, slotIds: [...slotIds], submissions: [...submissions], day, eligibleNodes })
}

/** The same text for the same call; short, since each that was signed is kept. */
export const callText = (call: {
  readonly dataMarket: string
  readonly slotIds: readonly (number | bigint)[]
  readonly submissions: readonly (number | bigint)[]
  readonly day: number | bigint
  readonly eligibleNodes: number | bigint
}): string => {
  const slots = call.slotIds.map((slotId, at) => `${slotId}:${call.submissions[at] ?? '?'}`)
  const digest = createHash('sha256').update(`${call.dataMarket.toLowerCase()} ${slots.join()}`).digest('hex')
  return `day ${call.day}, ${call.eligibleNodes} eligible, ${slots.length} slots ${digest}`
}
