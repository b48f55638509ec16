import { type Alerts, MINUTE } from '../alert.ts'
import { ROLES_EXPECTED } from '../recording.ts'

export const processAlerts: Alerts = ({ range }) => [
  {
    name: 'LogUnreachable',
    severity: 'page',
    expr: 'max(seq_log_reachable) == 0',
    for: MINUTE,
    summary: 'The log does not answer',
    description:
      'Nothing is acknowledged, processed or anchored meanwhile; nothing that was acknowledged is lost. Look at the brokers and the network between.',
  },
  {
    name: 'RoleDown',
    severity: 'page',
    expr: `${ROLES_EXPECTED} unless on (role) (max by (role) (seq_role_up) == 1)`,
    for: 2 * MINUTE,
    summary: 'Nobody does the work of {{ $labels.role }}',
    description:
      'No process that is scraped has the role and works. Start one; what it says when it ends is in its log.',
    explainedBy: ['LogUnreachable'],
  },
  {
    name: 'ProcessDown',
    severity: 'ticket',
    expr: 'up{job="sequencer"} == 0',
    for: 5 * MINUTE,
    summary: '{{ $labels.instance }} does not answer',
    description: 'Other processes do the work of its roles; there is one process less. Start it again.',
    explainedBy: ['RoleDown'],
  },
  {
    name: 'RestartLoop',
    severity: 'page',
    expr: `changes(process_start_time_seconds{job="sequencer"}[${range(15 * MINUTE)}]) >= 3`,
    summary: '{{ $labels.instance }} starts again and again',
    description:
      'It ends with something that cannot be, or that trying again does not mend; its log says what. Nothing is lost by it: it stops rather than go on wrongly.',
  },
  {
    name: 'EventLoopBlocked',
    severity: 'ticket',
    expr: `increase(seq_event_loop_blocks_total[${range(15 * MINUTE)}]) >= 3`,
    summary: '{{ $labels.instance }} stands still for seconds',
    description: 'After 30 s of it the groups throw the process out. Give it more CPU, or fewer roles.',
  },
]
