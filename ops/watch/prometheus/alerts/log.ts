import { type Alerts, MINUTE } from '../alert.ts'

/** The log as it is, and what it lets through. */
export const logAlerts: Alerts = ({ range }) => [
  {
    name: 'PositionsLost',
    severity: 'page',
    expr: 'max by (stage) (seq_stream_refused_tasks) > 0',
    summary: 'Stage {{ $labels.stage }} refuses the log as it is',
    description:
      'A topic was deleted and made anew, or has lost records that were read, or were not read yet. Nothing is passed over: the stage waits. /readyz of its process names topic, ids and positions; docs/operations.md, "When the log has lost something", says what to do.',
  },
  {
    name: 'TransactionHangs',
    severity: 'page',
    expr: 'max by (topic, partition) (seq_stable_offset_held_seconds) > 60',
    for: MINUTE,
    summary: 'A transaction is left open in {{ $labels.topic }}/{{ $labels.partition }}',
    description:
      'Nobody reads on there for {{ $value | humanizeDuration }}, and epochs stop. `sequencer doctor` names the transaction and says how to end it: kafka-transactions.sh abort, or the brokers do after its time-out.',
  },
  {
    name: 'PartitionParked',
    severity: 'page',
    expr: 'max by (topic, partition) (seq_partition_parked) == 1',
    for: 2 * MINUTE,
    summary: '{{ $labels.topic }}/{{ $labels.partition }} waits for a schema, or at a damaged batch',
    description:
      'Its records name a schema that the registry does not give: make the registry answer, or register what the writer has. Or a batch is damaged: let another replica lead. Then it goes on by itself.',
  },
  {
    name: 'LogThrottled',
    severity: 'ticket',
    expr: `sum by (instance) (rate(seq_log_throttled_seconds_total[${range(5 * MINUTE)}])) > 0.1`,
    for: 5 * MINUTE,
    summary: 'The brokers throttle {{ $labels.instance }}',
    description:
      'It is over its quota: {{ $value | humanize }} s of each second its connections are kept silent. Raise producer_byte_rate, consumer_byte_rate or request_percentage of the client or its user (kafka-configs.sh).',
  },
]
