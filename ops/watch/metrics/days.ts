/** The metrics of days, from what the view has of the newest ones. */
import type { MarketRules } from '../../../topology/rules.ts'
import { type DayStatus, pendingOf } from '../../reading/day.ts'
import { aboveAllPaid, withoutCall } from '../../reading/day-paid.ts'
import type { Metrics } from './create.ts'
import { DRIFT_REASONS, UNPAID_CAUSES } from './table/days.ts'

export interface MarketDays extends Pick<MarketRules, 'dataMarket' | 'rewards'> {
  /** Newest epoch that was released. */
  readonly headEpoch: number
  /** Newest first. */
  readonly days: readonly DayStatus[]
}

export function setDays(metrics: Metrics, { dataMarket, rewards, headEpoch, days }: MarketDays): void {
  const [today] = days
  if (!today) return
  const market = metrics.servedLabel(dataMarket)
  const isPaid = rewards === 'on'
  metrics.day.set({ market }, today.day)
  metrics.dayEpochs.set({ market }, today.epochs)
  metrics.daySlots.set({ market }, today.slots)
  metrics.daySlotsEligible.set({ market }, today.eligibleSlots)
  metrics.dayUnclosed.set({ market }, isPaid ? unclosedDays(days, headEpoch) : 0)
  const runs = days.flatMap(({ told, closing }) => [told, closing]).filter((run) => run !== null)
  metrics.dayCallsPending.set({ market }, sum(runs.map(pendingOf)))
  const newest = days.flatMap(({ told, closing }) => closing ?? told ?? [])
  for (const reason of DRIFT_REASONS) {
    const drifting =
      reason === 'OTHER_NUMBER' ? days.map(otherNumber) : newest.map(({ leftOut }) => leftOut[reason] ?? 0)
    metrics.dayDrift.set({ market, reason }, sum(drifting))
  }
  for (const cause of UNPAID_CAUSES)
    metrics.dayUnpaid.set({ market, cause }, isPaid ? sum(days.map((day) => UNPAID[cause](day))) : 0)
}

/** While calls of the closing are on their way, others are still to be paid. */
const isOver = ({ standing }: DayStatus): boolean => standing === 'CLOSED' || standing === 'UNPAID'
const otherNumber = (day: DayStatus): number => (isOver(day) ? aboveAllPaid(day) : 0)

const UNPAID: Readonly<Record<(typeof UNPAID_CAUSES)[number], (day: DayStatus) => number>> = {
  not_whole: ({ standing, eligibleSlots }) => (standing === 'NOT_WHOLE' ? eligibleSlots : 0),
  unsent: ({ closing }) => (closing?.unpaid ?? 0) + (closing?.overdue ?? 0),
  left_out({ closing }) {
    const { NONE_REMAINING = 0, QUOTA_LOWERED = 0, QUOTA_RAISED = 0 } = closing?.leftOut ?? {}
    return NONE_REMAINING + QUOTA_LOWERED + QUOTA_RAISED
  },
  marked: ({ closing }) => closing?.leftOut.MARKED_UNPAID ?? 0,
  late: (day) => (day.late > 0 && isOver(day) ? withoutCall(day) : 0),
}

/**
 * How much of the days behind it is over for the oldest day that waits to be closed, in days of its own length: up to the first epoch of the
 * next day, or, when none of that is known since the counter was put back, of the epochs that it has.
 * @param days newest first
 */
function unclosedDays(days: readonly DayStatus[], headEpoch: number): number {
  const waiting = days.findLast(({ standing, whole, counted }, at) => {
    const hasEnded = at > 0 || standing !== 'COUNTING'
    return hasEnded && whole && counted > 0 && (standing === 'COUNTING' || standing === 'CLOSING')
  })
  if (!waiting || waiting.firstEpoch === null || waiting.lastEpoch === null) return 0
  const next = days.find(({ day }) => day === waiting.day + 1)?.firstEpoch ?? 0
  const behind = next > waiting.firstEpoch ? next : waiting.lastEpoch + 1
  return Math.max(0, headEpoch - behind + 1) / (behind - waiting.firstEpoch)
}

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0)
