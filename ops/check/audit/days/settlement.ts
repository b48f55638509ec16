/** Compares the payments of a run with each other, and with a node, with the contract. */
import { orNull } from '../../../../schemas/none.ts'
import type { Payment } from '../../../../schemas/types.ts'
import type { Findings } from '../report.ts'
import { type FoundPayout, runName } from './payout-index.ts'

/** The contract's state of a day. */
export interface DayFacts {
  /** 0: nobody has closed it. */
  readonly eligibleNodes: number
  readonly remaining: number
  /** For each slot that is paid, by the pool of now. */
  readonly share: bigint
  /** In the order asked for. */
  readonly slots: readonly {
    readonly count: number
    /** The contract takes nothing more of it. */
    readonly marked: boolean
    /** By the contract's events. */
    readonly paid: boolean
  }[]
}

/** Asks one node, as of its newest block. @param firstBlock of the day; null: not known, and who is marked counts as paid */
export type ReadDay = (
  dataMarket: string,
  day: number,
  slotIds: readonly number[],
  firstBlock: number | null,
) => Promise<DayFacts>

interface Part {
  readonly payout: FoundPayout['payout']
  readonly row: Payment | undefined
}

interface Run {
  readonly name: string
  readonly dataMarket: string
  readonly day: number
  readonly isClosing: boolean
  readonly parts: Part[]
}

/** False when the first payouts of the run have expired. */
const isWhole = ({ parts }: Run): boolean => parts.length >= (parts[0]?.payout.parts ?? 0)

export class Settlement {
  private readonly findings: Findings
  private readonly readDay: ReadDay | undefined
  /** By market: the run whose parts are being read. */
  private readonly runs = new Map<string, Run>()
  /** By market and day: the newest run of counts, until the day is closed. */
  private readonly counts = new Map<string, Run>()
  /** By market and day: counts that were superseded, and by no run so far. */
  private readonly superseded = new Map<string, string>()
  /** Days whose payments were compared with the contract. */
  onChain = 0

  constructor(findings: Findings, readDay: ReadDay | undefined) {
    this.findings = findings
    this.readDay = readDay
  }

  /** Payouts come in the order of the log. */
  async take(found: FoundPayout, row: Payment | undefined): Promise<void> {
    const { dataMarket, payout } = found
    const name = runName(found)
    const before = this.runs.get(dataMarket)
    if (before && before.name !== name) await this.settle(before)
    const isClosing = payout.purpose === 'CLOSING'
    const begun: Run = { name, dataMarket, day: payout.payoutOf, isClosing, parts: [] }
    const run = before?.name === name ? before : begun
    this.runs.set(dataMarket, run)
    if (run === begun) this.superseded.delete(dayOf(run))
    run.parts.push({ payout, row })
    if (row?.paymentState === 'SUPERSEDED') this.superseded.set(dayOf(run), `payout ${payout.number} of ${name}`)
  }

  async finish(): Promise<void> {
    for (const run of this.runs.values()) await this.settle(run)
    for (const run of this.counts.values()) await this.compareCounts(run)
    for (const [day, payout] of this.superseded)
      this.findings.add('mismatches', day, `${payout} is superseded, and no newer run of the day is there`)
  }

  private async settle(run: Run): Promise<void> {
    this.compareNumber(run)
    if (run.isClosing) this.counts.delete(dayOf(run))
    else this.counts.set(dayOf(run), run)
    if (run.isClosing && isWhole(run)) await this.compareClosing(run)
  }

  /** Every call of a run that pays somebody carries the same number: of the slots at the quota those that can be paid. */
  private compareNumber(run: Run): void {
    const { isClosing, parts } = run
    const paying = parts.flatMap(({ row }) => (row && isCalled(row) && row.eligibleNodes > 0 ? [row] : []))
    const [first] = paying
    const held = paying.find(({ quota }) => quota > 0)
    if (!first) return
    const where = dayOf(run)
    if (!isClosing) {
      this.findings.add('mismatches', where, 'counts were sent with a number of eligible nodes')
      return
    }
    for (const row of paying) {
      this.findings.same(where, 'eligible nodes in all calls', first.eligibleNodes, row.eligibleNodes)
      if (row.quota > 0) this.findings.same(where, 'quota of all calls', held?.quota, row.quota)
    }
    if (!isWhole(run) || !held) return
    const { quota, eligibleNodes } = held
    const payable = parts.slice(firstPaying(parts))
    const [most, least] = [countAt(parts, quota), countAt(payable, quota) - unavailableAt(payable, quota)]
    if (eligibleNodes <= most && eligibleNodes >= least) return
    const expected = least < most ? `${least} to ${most}` : most
    if (paying.some(({ numberFound }) => numberFound))
      this.findings.note(where, `somebody else has fixed ${eligibleNodes} eligible nodes; recomputed ${expected}`)
    else this.findings.same(where, 'eligible nodes', expected, eligibleNodes)
  }

  /** Once all calls of a closing are final. */
  private async compareClosing(run: Run): Promise<void> {
    const { dataMarket, day, parts } = run
    if (!this.readDay || !isFinal(run)) return
    this.onChain++
    const where = `${dayOf(run)} on the chain`
    const slotIds = parts.flatMap(({ payout }) => payout.slotIds)
    const there = await this.readDay(dataMarket, day, slotIds, firstBlockOf(run))
    const paying = parts.find(({ row }) => isPaying(row))?.row
    if (paying) this.findings.same(where, 'eligible nodes', paying.eligibleNodes, there.eligibleNodes)
    let [at, taken] = [0, 0]
    const inVain: number[] = []
    for (const [part, { payout, row }] of parts.entries()) {
      const left = new Map(row!.leftOut.map((slot) => [slot.slotId, slot]))
      for (const [i, slotId] of payout.slotIds.entries()) {
        const [counted, slot] = [payout.submissions[i]!, there.slots[at++]!]
        if (slot.marked) taken++
        const place = `${where}, slot ${slotId}`
        if (slot.marked && !slot.paid) inVain.push(slotId)
        if (row!.paidBefore.includes(slotId)) this.findings.same(place, 'paid', true, slot.paid)
        if (left.has(slotId)) continue // the row says what is there, and why
        this.findings.same(place, 'counted', counted, slot.count)
        // A quota that was lowered behind a call pays nobody who was in it.
        const isPaidByQuota = paying && part >= firstPaying(parts)
        if (isPaidByQuota) this.findings.same(place, 'paid', counted >= paying.quota, slot.paid)
      }
    }
    if (paying) this.findings.same(where, 'slots that remain to be paid', there.eligibleNodes - taken, there.remaining)
    if (inVain.length > 0) this.findings.note(where, inVainText(inVain, there))
  }

  /** Compares counts of a day that is not closed: later calls may have told more. */
  private async compareCounts(run: Run): Promise<void> {
    const { dataMarket, day, parts } = run
    if (!this.readDay || !isFinal(run)) return
    this.onChain++
    const there = await this.readDay(
      dataMarket,
      day,
      parts.flatMap(({ payout }) => payout.slotIds),
      firstBlockOf(run),
    )
    let at = 0
    for (const { payout, row } of parts) {
      const left = new Set(row!.leftOut.map(({ slotId }) => slotId))
      for (const [i, slotId] of payout.slotIds.entries()) {
        const { count } = there.slots[at++]!
        if (!left.has(slotId) && count < payout.submissions[i]!)
          this.findings.same(`${dayOf(run)} on the chain, slot ${slotId}`, 'counted', payout.submissions[i], count)
      }
    }
  }
}

const firstBlockOf = ({ parts }: Run): number | null => orNull(parts[0]!.payout.firstBlock)

const SLOTS_SHOWN = 10

const inVainText = (slotIds: readonly number[], { share }: DayFacts): string =>
  `${slotIds.length} slots are marked as paid, and get nothing of ${share * BigInt(slotIds.length)}: somebody has told them without a number of eligible nodes (${slotIds.slice(0, SLOTS_SHOWN).join(', ')}${slotIds.length > SLOTS_SHOWN ? ', …' : ''})`

const dayOf = ({ dataMarket, day }: Run): string => `day ${day} of ${dataMarket}`

const isCalled = ({ paymentState }: Payment): boolean => paymentState === 'MINED' || paymentState === 'FINAL'

/** One that is to pay nobody may carry a number that somebody else has fixed: no quota is held then. */
const isPaying = (row: Payment | undefined): boolean => !!row && row.eligibleNodes > 0 && row.quota > 0

const isFinal = ({ parts }: Run): boolean =>
  parts[0]!.payout.part === 0 &&
  parts.length === parts[0]!.payout.parts &&
  parts.every(({ row }) => row?.paymentState === 'FINAL')

const countAt = (parts: readonly Part[], quota: number): number =>
  parts.reduce((sum, { payout }) => sum + payout.submissions.filter((count) => count >= quota).length, 0)

const unavailableAt = (parts: readonly Part[], quota: number): number =>
  parts.reduce((sum, { row }) => {
    const slots = row?.leftOut ?? []
    return sum + slots.filter(({ reason, counted }) => reason === 'UNAVAILABLE' && counted >= quota).length
  }, 0)

/** Place of the first call that pays somebody: with it the number is fixed, of its slots and of those behind it. */
const firstPaying = (parts: readonly Part[]): number =>
  Math.max(
    0,
    parts.findIndex(({ row }) => row && isCalled(row) && isPaying(row)),
  )
