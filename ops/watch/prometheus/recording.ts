/** Series that alerts and dashboards share. */
import { ROLES } from '../../base/roles.ts'
import { DAY, HOUR, MINUTE, type Times, timesAt } from './alert.ts'

export interface RecordingRule {
  readonly record: string
  readonly expr: string
}

/** The part that may fail: of the epochs that end with batches, and of the submissions that are acknowledged. */
export const BUDGETS = { anchoring: 0.0001, acks: 0.001 } as const

const WINDOWS = [5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, 3 * DAY] as const
const { range: nameOf } = timesAt(1)

export const EPOCHS_MISSED = (window: number): string => `market:seq_epochs_missed:ratio${nameOf(window)}`
export const ACKS_LATE = (window: number): string => `sequencer:seq_intake_acked_late:ratio${nameOf(window)}`
export const ROLES_EXPECTED = 'role:seq_role:expected'
export const STAGE_LAG = 'stage:seq_consumer_lag:sum'

/** Every process of the role `api` counts the same epochs, so their maximum is the number; every intake counts its own. */
export function recordingRules({ range }: Times): readonly RecordingRule[] {
  return [
    { record: ROLES_EXPECTED, expr: rolesExpected(range(6 * HOUR)) },
    { record: STAGE_LAG, expr: 'sum by (stage) (max by (stage, topic, partition) (seq_consumer_lag))' },
    ...WINDOWS.map((window) => ({ record: EPOCHS_MISSED(window), expr: missedRatio(range(window)) })),
    ...WINDOWS.map((window) => ({ record: ACKS_LATE(window), expr: lateRatio(range(window)) })),
  ]
}

/** When any part of the sequencer ran a while ago, every role is expected. */
const rolesExpected = (window: string): string =>
  ROLES.map(
    (role) => `label_replace(count(present_over_time(seq_build_info[${window}])), "role", "${role}", "", "")`,
  ).join(' or ')

function missedRatio(window: string): string {
  const missed = `sum by (market) (max by (market, outcome) (increase(seq_epoch_missed_total{outcome=~"LATE|FAILED"}[${window}])))`
  const anchored = `max by (market) (increase(seq_epochs_anchored_total[${window}]))`
  return `${missed} / (${missed} + ${anchored})`
}

const lateRatio = (window: string): string =>
  `sum(increase(seq_intake_acked_late_total[${window}])) / sum(increase(seq_intake_acked_total[${window}]))`
