import { type Alerts, MINUTE } from '../alert.ts'

/** As `clockSkewSeconds` of a market is by default. */
const SKEW_SECONDS = 15
/** Beyond what scrapes and ticks take. */
const AHEAD_SECONDS = 60

export const intakeAlerts: Alerts = ({ range }) => [
  {
    name: 'IntakeClockWrong',
    severity: 'ticket',
    expr: `min(seq_intake_block_age_seconds) < -${SKEW_SECONDS} or max(seq_intake_block_age_seconds) - (time() - max(seq_chain_cursor_timestamp_seconds)) > ${AHEAD_SECONDS}`,
    for: 5 * MINUTE,
    summary: 'The clock of an intake is wrong',
    description:
      'By its clock the newest blocks are of the future ({{ $value }} s old, below 0), or older by {{ $value }} s than they are. Deadlines that senders signed are judged by this clock, and how early a vote may come.',
    explainedBy: ['LogUnreachable'],
  },
  {
    name: 'IntakeNotAcking',
    severity: 'page',
    expr: `sum(increase(seq_intake_append_failures_total[${range(2 * MINUTE)}])) > 0 unless sum(increase(seq_intake_acked_total[${range(2 * MINUTE)}])) > 0`,
    for: MINUTE,
    summary: 'The log refuses what comes in',
    description:
      'Nothing is acknowledged; connections are held and then not read. Look at the space on the disk, or at the brokers; /readyz of the intake has the error.',
    explainedBy: ['LogUnreachable'],
  },
  {
    name: 'IntakeBackpressure',
    severity: 'ticket',
    expr: `max(avg_over_time(seq_intake_stopped[${range(5 * MINUTE)}])) > 0.5`,
    for: 5 * MINUTE,
    summary: 'The intake reads nothing for half of the time',
    description: 'More comes in than the log takes. Start more intakes, or look at the log.',
    explainedBy: ['LogUnreachable', 'IntakeNotAcking'],
  },
  {
    name: 'IntakeShedding',
    severity: 'ticket',
    expr: `sum by (reason) (rate(seq_intake_shed_total[${range(5 * MINUTE)}])) > 1`,
    for: 5 * MINUTE,
    summary: 'The intake turns connections away: {{ $labels.reason }}',
    description:
      '{{ $value | humanize }} a second. Somebody attacks, or honest collectors share an address: then spread them over more intakes.',
  },
  {
    name: 'IntakeRefusing',
    severity: 'ticket',
    expr: `sum by (reason) (rate(seq_intake_refused_total[${range(5 * MINUTE)}])) > 1`,
    for: 5 * MINUTE,
    summary: 'The intake refuses submissions: {{ $labels.reason }}',
    description:
      '{{ $value | humanize }} a second cannot count and are beyond the rate of who brings them. `sequencer peers list` names the peers: ban an attacker, tell an honest operator what its node does wrong.',
    explainedBy: ['StageStalled'],
  },
]
