import { type Alerts, MINUTE } from '../alert.ts'

/** Share of the day behind it: by then a day should be closed. The contract takes calls of it until that day is over. */
const CLOSED_BY = 0.25

export const dayAlerts: Alerts = () => [
  {
    name: 'DayNotClosed',
    severity: 'page',
    expr: `max by (market) (seq_day_unclosed_days) > ${CLOSED_BY}`,
    for: 5 * MINUTE,
    summary: 'A day of {{ $labels.market }} is not closed on the contract',
    description:
      'It has ended, and {{ $value | humanizePercentage }} of the day behind it is over. From 100 % on the contract takes nothing of it (E38), and its slots are not paid. `sequencer rewards` says which day, and what it waits for.',
    explainedBy: ['LogUnreachable', 'RoleDown', 'ChainStalled', 'SignerCannotPay'],
  },
  {
    name: 'DayUnpaid',
    severity: 'page',
    expr: 'max by (market) (seq_day_unpaid_slots{cause="unsent"}) > 0',
    summary: 'Slots of {{ $labels.market }} can no longer be paid',
    description:
      '{{ $value | humanize }} slots are in calls that the contract takes no more. `sequencer rewards` has the day and the reason; the owner of the market has to come to terms with the snapshotters.',
  },
  {
    name: 'SlotsNotPaid',
    severity: 'ticket',
    expr: 'max by (market, cause) (seq_day_unpaid_slots{cause!="unsent"}) > 0',
    for: 10 * MINUTE,
    summary: 'Slots of {{ $labels.market }} are not paid by this sequencer ({{ $labels.cause }})',
    description:
      '{{ $value | humanize }} slots. not_whole: the ledger lacks a part of a day, usual for the day in which a log or the rule begins. left_out: the contract’s quota or number of eligible nodes does not let them be paid. marked: another sequencer has marked them as paid, and they get nothing, today and on every day that it goes on so. late: they have reached the quota by epochs that closed after the day. `sequencer rewards --reconcile` names them.',
  },
  {
    name: 'DayDrifts',
    severity: 'ticket',
    expr: 'max by (market, reason) (seq_day_drift_slots{reason!="UNAVAILABLE"}) > 0',
    for: 30 * MINUTE,
    summary: 'The contract has other counts of {{ $labels.market }} than the ledger ({{ $labels.reason }})',
    description:
      '{{ $value | humanize }} slots of the newest days. Somebody else tells the contract counts, or its owner changed quota or day. `sequencer rewards --reconcile` names the slots.',
    explainedBy: ['DayUnpaid'],
  },
]
