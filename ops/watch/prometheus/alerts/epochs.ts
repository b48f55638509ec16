import { type Alerts, HOUR, MINUTE } from '../alert.ts'

/** An operator who reads one of these knows why epochs do not go on. */
const OUTAGES = [
  'LogUnreachable',
  'RoleDown',
  'ChainStalled',
  'PositionsLost',
  'TransactionHangs',
  'PartitionParked',
] as const

export const epochAlerts: Alerts = ({ range, age }) => [
  {
    name: 'EpochStuck',
    severity: 'page',
    expr: `max by (market, phase) (seq_epoch_oldest_seconds{phase!="OPEN"}) > ${age(5 * MINUTE)}`,
    for: MINUTE,
    summary: 'An epoch of {{ $labels.market }} does not get past the phase {{ $labels.phase }}',
    description:
      'It has been there for {{ $value | humanizeDuration }}. `seq_epoch_oldest` has its number, `sequencer epoch <id>` says what it waits for. Past the batch window of the contract it is lost.',
    explainedBy: [...OUTAGES, 'BatchesWaitForStores', 'IpfsMismatch', 'SignerCannotPay', 'StageStalled'],
  },
  {
    name: 'CloseToBatchSlow',
    severity: 'ticket',
    expr: `histogram_quantile(0.99, sum by (market, le) (rate(seq_epoch_phase_seconds_bucket{phase="COUNTING"}[${range(10 * MINUTE)}]))) > 5`,
    for: 10 * MINUTE,
    summary: 'Batches of {{ $labels.market }} come late after the close',
    description:
      'For one epoch in a hundred it takes {{ $value | humanizeDuration }} or more from the close to its batches. Give consensus and batch more CPU, or more partitions.',
    explainedBy: [...OUTAGES, 'EpochStuck'],
  },
  {
    name: 'NoSubmissions',
    severity: 'page',
    expr: `sum(increase(seq_intake_messages_total{verdict="taken"}[${range(5 * MINUTE)}])) == 0 and on () max(seq_epochs_unfinished{phase="OPEN"}) > 0`,
    for: 2 * MINUTE,
    summary: 'An epoch is open and nobody submits',
    description:
      'No submission came in for five minutes. Dial the intake from outside; look at its address, the load balancer and the snapshotters’ own news.',
    explainedBy: [...OUTAGES, 'IntakeNotAcking'],
  },
  {
    name: 'BatchLate',
    severity: 'ticket',
    expr: `max by (market) (increase(seq_epoch_missed_total{outcome="LATE"}[${range(30 * MINUTE)}])) > 0 or on () sum(increase(seq_tx_delayed_accept_total[${range(30 * MINUTE)}])) > 0`,
    summary: 'A batch came after its window',
    description:
      'The contract keeps nothing of a batch that comes after the window, and says so only in its event. The epoch is lost. Find out what it waited for: `sequencer epoch <id>`.',
  },
  {
    name: 'BatchFailed',
    severity: 'page',
    expr: `max by (market) (increase(seq_epoch_missed_total{outcome="FAILED"}[${range(30 * MINUTE)}])) > 0`,
    summary: 'A batch of {{ $labels.market }} was given up',
    description:
      'The contract refuses it for a reason that no retry changes. `sequencer epoch <id>` has the code; its meaning is in the runbook.',
  },
  {
    name: 'BatchDiverged',
    severity: 'page',
    expr: `max by (market) (increase(seq_batches_diverged_total[${range(HOUR)}])) > 0`,
    summary: 'The validators agree on another root than ours',
    description:
      'They computed something else for a batch of {{ $labels.market }}. Run `sequencer audit` and `sequencer verify <cid>`; keep the log.',
  },
  {
    name: 'AttestationMismatch',
    severity: 'ticket',
    expr: `max by (market) (increase(seq_attestations_total{matches="false"}[${range(HOUR)}])) > 0`,
    summary: 'A validator attested another root than ours',
    description:
      '{{ $value | humanize }} attestations of {{ $labels.market }} in the last hour name another root. `sequencer epoch <id>` says whose.',
    explainedBy: ['BatchDiverged'],
  },
]
