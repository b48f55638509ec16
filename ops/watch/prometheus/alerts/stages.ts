import { type Alerts, MINUTE } from '../alert.ts'
import { STAGE_LAG } from '../recording.ts'

export const stageAlerts: Alerts = ({ range }) => [
  {
    name: 'TaskFailed',
    severity: 'page',
    expr: `sum by (stage) (increase(seq_task_failures_total[${range(15 * MINUTE)}])) > 0`,
    summary: 'Stage {{ $labels.stage }} met something that cannot be',
    description:
      'Its process has ended. If the next one ends too, stop there: keep the log, run `sequencer audit`, and report the error with both.',
  },
  {
    name: 'StageStalled',
    severity: 'page',
    expr: `count by (stage) (max by (stage, topic, partition) (min_over_time(seq_consumer_lag[${range(2 * MINUTE)}])) > 10 and max by (stage, topic, partition) (changes(seq_consumer_offset[${range(2 * MINUTE)}])) == 0)`,
    for: 5 * MINUTE,
    summary: 'Stage {{ $labels.stage }} has stopped on {{ $value }} partitions',
    description:
      'There are records, and it commits nothing. Look at /readyz and the log of the process that owns the partitions; a restart moves them to another.',
    explainedBy: ['LogUnreachable', 'RoleDown', 'PositionsLost', 'TransactionHangs', 'PartitionParked'],
  },
  {
    name: 'StageLagGrowing',
    severity: 'ticket',
    expr: `${STAGE_LAG} > 5000 and deriv(${STAGE_LAG}[${range(10 * MINUTE)}]) > 0`,
    for: 10 * MINUTE,
    summary: 'Stage {{ $labels.stage }} falls behind',
    description:
      'It is {{ $value | humanize }} records behind, and more every minute. Start more processes of the role, up to the number of partitions; or give them more CPU.',
    explainedBy: ['LogUnreachable', 'RoleDown', 'StageStalled', 'PositionsLost', 'TransactionHangs', 'PartitionParked'],
  },
  {
    name: 'RecordsForged',
    severity: 'ticket',
    expr: ['seq_poison_total', 'seq_unreadable_records_total']
      .map((counter) => `sum by (topic) (increase(${counter}{reason="forged"}[${range(15 * MINUTE)}])) > 0`)
      .join(' or '),
    summary: 'Somebody else writes what decides into {{ $labels.topic }}',
    description:
      'The records lack the seal of the role that writes the topic, or are copies. They changed nothing, and their writer has rights that nobody should have.',
  },
  {
    name: 'PoisonRecords',
    severity: 'ticket',
    expr: `sum by (topic) (increase(seq_poison_total{reason!="forged"}[${range(15 * MINUTE)}])) > 0`,
    summary: 'Records of {{ $labels.topic }} cannot be decoded',
    description:
      'They lie in dead-letters, with the error in their headers. Somebody else writes to the topic, or with other schemas.',
  },
  {
    name: 'CommitsAborting',
    severity: 'ticket',
    expr: `sum by (stage) (rate(seq_stream_commits_total{outcome!="committed"}[${range(10 * MINUTE)}])) / sum by (stage) (rate(seq_stream_commits_total[${range(10 * MINUTE)}])) > 0.1`,
    for: 10 * MINUTE,
    summary: 'Transactions of {{ $labels.stage }} do not go through',
    description:
      '{{ $value | humanizePercentage }} of them are tried again. A broker is in trouble, or two processes fight for the same tasks.',
    explainedBy: ['LogUnreachable', 'LogThrottled'],
  },
]
