/** Where the payouts of each CLOSE lie, and whether they lie there as runs do. */
import type { EpochKey, EpochTick, MarketKey, Payout } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import { type ReadRecord, readRecords } from '../../../../streams/read-record.ts'
import { epochScope, type Topics } from '../../../../topology/topics.ts'
import { exists } from '../../../reading/market-rows.ts'
import { silently } from '../../../reading/read.ts'
import { scan } from '../../../reading/scan.ts'
import { originOf, type SealRules } from '../record-origin.ts'
import type { Findings } from '../report.ts'

export interface FoundPayout {
  readonly dataMarket: string
  readonly offset: number
  readonly payout: Payout
}

export class PayoutIndex {
  /** Scope → offsets. */
  private readonly offsets: ReadonlyMap<string, readonly number[]>
  /** All of them; what lies elsewhere is none. */
  private readonly genuine: ReadonlySet<number>
  private readonly asked = new Set<string>()
  /** Market → day → the newest epoch that has payouts of it. */
  private readonly days = new Map<string, Map<number, number>>()
  private readonly log: Log
  private readonly topics: Topics
  /** Offset of the first payout that the topic has; older ones have expired. */
  readonly start: number
  readonly size: number
  /** Block of the CLOSE of the first one; 0 where none has expired. */
  private readonly expiredBefore: number

  private constructor(
    { log, topics }: { readonly log: Log; readonly topics: Topics },
    offsets: ReadonlyMap<string, readonly number[]>,
    { start, expiredBefore }: Pick<PayoutIndex, 'start'> & { readonly expiredBefore: number },
  ) {
    this.log = log
    this.topics = topics
    this.offsets = offsets
    this.start = start
    this.expiredBefore = expiredBefore
    this.genuine = new Set([...offsets.values()].flat())
    this.size = this.genuine.size
  }

  static async read(log: Log, topics: Topics, rules: SealRules, findings: Findings): Promise<PayoutIndex> {
    const { payouts } = topics
    const offsets = new Map<string, number[]>()
    if (!(await exists(log, payouts.name)))
      return new PayoutIndex({ log, topics }, offsets, { start: 0, expiredBefore: 0 })
    const partition = { topic: payouts.name, partition: 0 }
    const [bounds] = await log.bounds([partition])
    const { start } = bounds!
    const order = new RunOrder(findings, start > 0)
    const guard = originOf(payouts, rules)
    const days = new Map<string, Map<number, number>>()
    let expiredBefore = start > 0 ? Number.POSITIVE_INFINITY : 0
    for await (const records of scan(log, partition, { tell: findings.unreadable }))
      for (const read of readRecords(payouts, 0, records, findings.unreadable, { guard })) {
        const found = foundIn(read)
        if (!found) continue
        order.take(found)
        expiredBefore = Math.min(expiredBefore, found.payout.closeBlock)
        noteDay(days, found)
        const scope = epochScope(found.dataMarket, found.payout.epochId)
        const known = offsets.get(scope)
        if (known) known.push(found.offset)
        else offsets.set(scope, [found.offset])
      }
    order.finish()
    const index = new PayoutIndex({ log, topics }, offsets, { start, expiredBefore })
    for (const [dataMarket, ofMarket] of days) index.days.set(dataMarket, ofMarket)
    return index
  }

  /** True while the payment rows of a day are kept: the first payout of another day may remove the rows of the oldest. */
  keepsPayments({ dataMarket, payout: { payoutOf: day } }: FoundPayout, daysKept: number): boolean {
    const ofMarket = this.days.get(dataMarket) ?? new Map<number, number>()
    const newest = ofMarket.get(day) ?? 0
    return [...ofMarket.values()].filter((other) => other > newest).length < daysKept
  }

  /** Whether the payouts of a CLOSE may be gone. */
  mayHaveExpired({ blockNumber }: Pick<EpochTick, 'blockNumber'>): boolean {
    return blockNumber <= this.expiredBefore
  }

  /** The payouts of a CLOSE, in their order. */
  async of(dataMarket: string, epochId: number): Promise<readonly FoundPayout[]> {
    const scope = epochScope(dataMarket, epochId)
    this.asked.add(scope)
    const offsets = this.offsets.get(scope) ?? []
    if (offsets.length === 0) return []
    const found: FoundPayout[] = []
    for await (const one of this.all(offsets[0]!, offsets.at(-1)! + 1))
      if (epochScope(one.dataMarket, one.payout.epochId) === scope) found.push(one)
    return found
  }

  /** @param to offset before which it ends */
  async *all(from = 0, to = Number.POSITIVE_INFINITY): AsyncGenerator<FoundPayout> {
    const { payouts } = this.topics
    if (this.size === 0) return
    for await (const records of scan(this.log, { topic: payouts.name, partition: 0 }, { from, to, tell: silently }))
      for (const read of readRecords(payouts, 0, records, silently)) {
        const found = this.genuine.has(read.offset) ? foundIn(read) : undefined
        if (found) yield found
      }
  }

  /** CLOSEs that have some, and of which nobody asked. */
  *notAsked(): Generator<EpochKey> {
    for (const scope of this.offsets.keys()) {
      const at = scope.lastIndexOf('/')
      if (!this.asked.has(scope)) yield { dataMarket: scope.slice(0, at), epochId: Number(scope.slice(at + 1)) }
    }
  }
}

function noteDay(days: Map<string, Map<number, number>>, { dataMarket, payout }: FoundPayout): void {
  const ofMarket = days.get(dataMarket) ?? new Map<number, number>()
  days.set(dataMarket, ofMarket)
  ofMarket.set(payout.payoutOf, Math.max(ofMarket.get(payout.payoutOf) ?? 0, payout.epochId))
}

const foundIn = ({ offset, key, value }: ReadRecord<MarketKey, Payout>): FoundPayout | undefined =>
  value === null ? undefined : { dataMarket: key.dataMarket, offset, payout: value }

/** Runs lie whole, part behind part, and each slot of a run in one of its parts. */
class RunOrder {
  private readonly findings: Findings
  private readonly isCut: boolean
  private readonly last = new Map<string, FoundPayout>()
  private readonly closings = new Set<string>()
  /** CLOSEs that had their payouts. */
  private readonly closes = new Set<string>()

  constructor(findings: Findings, isCut: boolean) {
    this.findings = findings
    this.isCut = isCut
  }

  take(found: FoundPayout): void {
    const { dataMarket, payout } = found
    const before = this.last.get(dataMarket)
    this.last.set(dataMarket, found)
    const where = placeOf(found)
    const wrong = (message: string): void => this.findings.add('mismatches', where, message)
    const isSameClose = before?.payout.epochId === payout.epochId
    const isSameRun = before !== undefined && isSameClose && runName(before) === runName(found)
    const isBegun = before === undefined && this.isCut // its beginning may have expired
    if (!isBegun) {
      const number = isSameClose ? before.payout.number + 1 : 0
      const part = isSameRun ? before.payout.part + 1 : 0
      if (isSameClose && payout.number <= before.payout.number)
        this.findings.add('duplicated', where, 'a payout of that number a second time')
      else if (payout.number !== number) wrong(`its number is ${payout.number}, and should be ${number}`)
      if (payout.part !== part) wrong(`it is part ${payout.part} of its run, and should be ${part}`)
      if (isSameRun) this.findings.same(where, 'parts', before.payout.parts, payout.parts)
      else if (before) this.checkWhole(before)
    }
    const close = epochScope(dataMarket, payout.epochId)
    if (!isSameClose && this.closes.has(close))
      this.findings.add('duplicated', where, 'its CLOSE had its payouts already')
    this.closes.add(close)
    if (!isSameRun) this.begin(found)
    this.checkSlots(found, isSameRun ? before.payout.slotIds.at(-1)! : -1)
  }

  finish(): void {
    for (const last of this.last.values()) this.checkWhole(last)
  }

  private begin({ dataMarket, payout: { payoutOf, purpose }, offset }: FoundPayout): void {
    if (purpose !== 'CLOSING') return
    const day = `day ${payoutOf} of ${dataMarket}`
    if (this.closings.has(day)) this.findings.add('duplicated', day, `closed once more, at payouts offset ${offset}`)
    this.closings.add(day)
  }

  private checkWhole(last: FoundPayout): void {
    const { part, parts } = last.payout
    if (part !== parts - 1)
      this.findings.add('skipped', placeOf(last), `it is part ${part} of a run of ${parts}, and the last that is there`)
  }

  private checkSlots(found: FoundPayout, above: number): void {
    const { slotIds, submissions, purpose } = found.payout
    const where = placeOf(found)
    let highest = above
    for (const slotId of slotIds) {
      if (slotId <= highest) this.findings.add('duplicated', where, `slot ${slotId} behind slot ${highest} in its run`)
      highest = slotId
    }
    this.findings.same(where, 'counts', slotIds.length, submissions.length)
    for (const [at, count] of submissions.entries())
      if (count <= 0) this.findings.add('mismatches', where, `slot ${slotIds[at]} with the count ${count}`)
    if (purpose === 'UNKNOWN') this.findings.add('mismatches', where, 'it has no purpose')
  }
}

export const runName = ({ dataMarket, payout: { epochId, payoutOf, purpose } }: FoundPayout): string =>
  `${epochScope(dataMarket, epochId)}/${payoutOf}/${purpose}`

export const placeOf = ({ dataMarket, payout: { payoutOf, epochId, number } }: FoundPayout): string =>
  `day ${payoutOf} of ${dataMarket}, payout ${number} of epoch ${epochId}`
