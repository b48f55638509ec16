/** The days of one market, made of its closed epochs in their order: a second ledger (decision 0039). */
import type { EpochTick, PayoutPurpose } from '../../../../schemas/types.ts'
import type { MarketRules } from '../../../../topology/rules.ts'
import type { Findings } from '../report.ts'
import type { WholeEpochs } from '../whole-epochs.ts'
import type { Contribution } from './contribution.ts'
import type { FoundDay } from './rows.ts'
import { cutIntoCalls, type ExpectedRun } from './runs.ts'
import { TwinDay } from './twin-day.ts'

export interface ClosedEpoch {
  /** The CLOSE of the epoch. */
  readonly tick: EpochTick
  /** Undefined when its submissions have expired. */
  readonly votes: Contribution | undefined
  /** The ledger has committed past it, so that all is there that comes of it. */
  readonly isDue: boolean
}

export class MarketDays {
  private readonly rules: MarketRules
  private readonly found: Map<number, FoundDay>
  private readonly findings: Findings
  private readonly whole: Pick<WholeEpochs, 'isCut' | 'has'>
  /** As many as the ledger keeps. */
  private readonly kept = new Map<number, TwinDay>()

  constructor(
    rules: MarketRules,
    found: Map<number, FoundDay> | undefined,
    findings: Findings,
    whole: Pick<WholeEpochs, 'isCut' | 'has'>,
  ) {
    this.rules = rules
    this.found = found ?? new Map()
    this.findings = findings
    this.whole = whole
  }

  /** @returns what has to be in `payouts`; the days that cannot be recomputed are not in it */
  close({ tick, votes, isDue }: ClosedEpoch): readonly ExpectedRun[] {
    const counts = this.isCounted(tick)
    if (counts) this.count(tick, votes)
    const runs: ExpectedRun[] = []
    for (const day of this.kept.values()) {
      const isEnding = !day.ended && day.day <= tick.daysEnded
      const isCountedNow = counts && day.day === tick.day
      if (!isEnding && !isCountedNow) continue
      if (!day.ended) day.whole = this.isWhole(day) // frozen with the end
      day.ended ||= isEnding
      const run = this.runOf(day, isEnding, tick)
      if (run) tell(day, run, isDue)
      if (run && !day.isPartial) runs.push(run)
      day.meetRow(isDue)
      if (isCountedNow) day.meetSlots(votes?.keys() ?? [], isDue)
    }
    this.forget(isDue)
    return runs
  }

  finish(): { readonly compared: number; readonly unchecked: number } {
    for (const day of this.kept.values()) day.finish()
    const all = [...this.kept.values()]
    const unchecked = all.filter(({ isPartial }) => isPartial).length
    const others = [...this.found.keys()].filter((day) => !this.kept.has(day))
    if (!this.whole.isCut)
      for (const day of others)
        this.findings.add(
          'mismatches',
          `day ${day} of ${this.rules.dataMarket}`,
          'it has rows, though no epoch of it was counted',
        )
    return { compared: all.length - unchecked, unchecked: unchecked + (this.whole.isCut ? others.length : 0) }
  }

  isPartial(day: number): boolean {
    return this.kept.get(day)?.isPartial ?? this.whole.isCut
  }

  /** An epoch counts once, in a day, and only while rows of that age are kept. */
  private isCounted({ day, epochId }: EpochTick): boolean {
    const all = [...this.kept.values()]
    if (day === 0 || all.some(({ epochs }) => epochs.has(epochId))) return false
    return all.length < this.rules.daysKept || all.some(({ epochs }) => epochs.first <= epochId)
  }

  private count(tick: EpochTick, votes: Contribution | undefined): void {
    const known = this.kept.get(tick.day)
    const day = known ?? new TwinDay(this.rules.dataMarket, tick.day, this.found.get(tick.day), this.findings)
    this.kept.set(tick.day, day)
    day.count(tick, votes)
    const [told] = this.found.get(tick.day)?.day?.epochs ?? []
    const first = Math.min(day.epochs.first, told?.first ?? day.epochs.first)
    if (!this.whole.has(tick.dataMarket, first)) day.isPartial = true
  }

  private isWhole({ day, epochs }: TwinDay): boolean {
    if (!epochs.isGapless) return false
    const before = epochs.first - 1
    return before === 0 || [...this.kept.values()].some((other) => other.day !== day && other.epochs.endsWith(before))
  }

  private runOf(day: TwinDay, isEnding: boolean, { blockNumber }: EpochTick): ExpectedRun | undefined {
    const { rewards, payoutEpochs } = this.rules
    const isTime = isEnding || (!day.ended && day.closed - day.paidUpTo >= payoutEpochs)
    if (rewards !== 'on' || !day.whole || !isTime) return undefined
    const purpose: PayoutPurpose = isEnding ? 'CLOSING' : 'COUNTS'
    const calls = cutIntoCalls(day.untold(isEnding), purpose, this.rules)
    return { day: day.day, purpose, closeBlock: blockNumber, quota: day.quota, firstBlock: day.firstBlock, calls }
  }

  /** Forgets the days whose last epoch is the oldest. */
  private forget(isDue: boolean): void {
    while (this.kept.size > this.rules.daysKept) {
      const oldest = [...this.kept.values()].reduce((a, b) => (b.lastEpoch < a.lastEpoch ? b : a))
      this.kept.delete(oldest.day)
      if (oldest.isReplaced) continue
      if (isDue) oldest.expectNone()
      this.found.delete(oldest.day)
    }
  }
}

function tell(day: TwinDay, { calls }: ExpectedRun, isDue: boolean): void {
  day.payouts += calls.length
  day.paidUpTo = day.closed
  for (const call of calls)
    day.tell(
      call.map(([slotId]) => slotId),
      isDue,
    )
}
