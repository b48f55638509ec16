import { type Alerts, DAY, HOUR, MINUTE, type Times } from '../alert.ts'
import { ACKS_LATE, BUDGETS, EPOCHS_MISSED } from '../recording.ts'

/**
 * How fast the budget of 30 days may be used up before somebody is told: over a long window that it matters, and over a short
 * one that it has not ended yet. 14.4 uses 2 % of it in an hour, 6 uses 5 % in six hours, 1 uses 10 % in three days.
 */
const burning = (ratio: (window: number) => string, budget: number, factor: number, long: number, short: number) =>
  `(${ratio(long)} > ${factor} * ${budget} and ${ratio(short)} > ${factor} * ${budget})`

/** The slow first submissions of a process are a large part of a few: so there must be some. */
const acksBurning = (range: Times['range'], factor: number, long: number, short: number): string =>
  `(${burning(ACKS_LATE, BUDGETS.acks, factor, long, short)} and sum(increase(seq_intake_acked_late_total[${range(short)}])) > 50)`

export const budgetAlerts: Alerts = ({ range }) => [
  {
    name: 'AnchoringBudgetBurnsFast',
    severity: 'page',
    expr: burning(EPOCHS_MISSED, BUDGETS.anchoring, 14.4, HOUR, 5 * MINUTE),
    summary: 'Epochs of {{ $labels.market }} are not anchored in their window',
    description:
      '{{ $value | humanizePercentage }} of the epochs that ended in the last hour were late or failed; 0.01 % may be. `sequencer epoch <id>` for one of these says which batch, and why.',
  },
  {
    name: 'AnchoringBudgetBurnsSlowly',
    severity: 'ticket',
    expr: [
      burning(EPOCHS_MISSED, BUDGETS.anchoring, 6, 6 * HOUR, 30 * MINUTE),
      burning(EPOCHS_MISSED, BUDGETS.anchoring, 1, 3 * DAY, 6 * HOUR),
    ].join(' or '),
    summary: 'Too many epochs of {{ $labels.market }} miss their window',
    description:
      '{{ $value | humanizePercentage }} of the epochs were late or failed; 0.01 % may be. Nothing may be wrong right now: find out what was.',
    explainedBy: ['AnchoringBudgetBurnsFast'],
  },
  {
    name: 'AckBudgetBurnsFast',
    severity: 'page',
    expr: acksBurning(range, 14.4, HOUR, 5 * MINUTE),
    summary: 'Submissions wait for the log',
    description:
      '{{ $value | humanizePercentage }} of the submissions of the last hour were not in the log within a second; 0.1 % may be. Look at the disk of the embedded log or at the brokers, and at the CPU of the intakes.',
    explainedBy: ['LogUnreachable', 'IntakeNotAcking'],
  },
  {
    name: 'AckBudgetBurnsSlowly',
    severity: 'ticket',
    expr: [acksBurning(range, 6, 6 * HOUR, 30 * MINUTE), acksBurning(range, 1, 3 * DAY, 6 * HOUR)].join(' or '),
    summary: 'Too many submissions wait for the log',
    description:
      '{{ $value | humanizePercentage }} of the submissions were not in the log within a second; 0.1 % may be.',
    explainedBy: ['AckBudgetBurnsFast', 'LogUnreachable', 'IntakeNotAcking'],
  },
]
