/** Whether a CLOSE says of the day what its OPEN said, which days have ended with it, and which epochs opened none. */
import type { EpochTick, RefusedEpoch } from '../../../../schemas/types.ts'
import type { Findings } from '../report.ts'

export class DayTicks {
  private readonly findings: Findings
  /** Records at the beginning of the log have expired: epochs may be open that nobody knows of. */
  private readonly isCut: boolean
  /** Market → epochs that are open. */
  private readonly open = new Map<string, EpochTick[]>()
  /** Market → the newest day of an epoch that was opened, also of one whose release left the chain. */
  private readonly newest = new Map<string, number>()
  private refused: (RefusedEpoch & { readonly toldIn: number })[] = []

  constructor(findings: Findings, isCut: boolean) {
    this.findings = findings
    this.isCut = isCut
  }

  apply(tick: EpochTick): void {
    if (tick.kind === 'OPEN') this.opened(tick)
    else if (tick.kind === 'CLOSE') this.close(tick)
    else if (tick.kind === 'ORPHAN') this.dropFrom(tick.blockNumber)
    else for (const one of tick.refused) this.refused.push({ ...one, toldIn: tick.blockNumber })
  }

  /** An epoch of the day, or of a later one, was opened. */
  hasBegun(dataMarket: string, day: number): boolean {
    return (this.newest.get(dataMarket) ?? 0) >= day
  }

  private dropFrom(block: number): void {
    this.refused = this.refused.filter(({ toldIn }) => toldIn < block)
    for (const [dataMarket, epochs] of this.open)
      this.put(
        dataMarket,
        epochs.filter(({ releaseBlock }) => releaseBlock < block),
      )
  }

  private opened(tick: EpochTick): void {
    const { dataMarket, day } = tick
    this.checkRefused(tick)
    this.newest.set(dataMarket, Math.max(day, this.newest.get(dataMarket) ?? 0))
    this.put(dataMarket, [...this.others(tick), tick])
  }

  /** A clock forgets old ones; but each that it names must have been told as refused, or as skipped. */
  private checkRefused({ dataMarket, epochId, skippedFrom, refusedFrom }: EpochTick): void {
    if (refusedFrom === 0 || this.isCut) return
    let first = skippedFrom > 0 ? skippedFrom : epochId
    while (first > refusedFrom) {
      const before = this.refused.findLast((one) => one.dataMarket === dataMarket && one.epochId === first - 1)
      if (!before) break
      first = before.skippedFrom > 0 ? before.skippedFrom : before.epochId
    }
    const where = `epoch ${epochId} of ${dataMarket}`
    this.findings.same(where, 'first of the epochs before it that opened none', first, refusedFrom)
  }

  private close(tick: EpochTick): void {
    const { dataMarket, epochId, day, dailyQuota, skippedFrom, daysEnded } = tick
    const where = `epoch ${epochId} of ${dataMarket}`
    const own = this.open.get(dataMarket)?.find((epoch) => epoch.epochId === epochId)
    const others = this.others(tick)
    this.put(dataMarket, others)
    if (!own) return
    this.findings.same(where, 'day in its CLOSE', own.day, day)
    this.findings.same(where, 'daily quota in its CLOSE', own.dailyQuota, dailyQuota)
    if (day > 0) this.findings.same(where, 'skipped epochs in its CLOSE', own.skippedFrom, skippedFrom)
    this.findings.same(where, 'refused epochs in its CLOSE', own.refusedFrom, tick.refusedFrom)
    const newest = [own, ...others].reduce((a, b) => (b.epochId > a.epochId ? b : a))
    const lowest = others.reduce((low, other) => Math.min(low, other.day), newest.day)
    const ended = Math.max(0, lowest - 1)
    if (this.isCut ? daysEnded > ended : daysEnded !== ended) this.findings.same(where, 'days ended', ended, daysEnded)
  }

  private others({ dataMarket, epochId }: EpochTick): EpochTick[] {
    return (this.open.get(dataMarket) ?? []).filter((epoch) => epoch.epochId !== epochId)
  }

  private put(dataMarket: string, epochs: EpochTick[]): void {
    if (epochs.length > 0) this.open.set(dataMarket, epochs)
    else this.open.delete(dataMarket)
  }
}
