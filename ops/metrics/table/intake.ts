import { SHED_REASONS } from '../../../connectors/libp2p/counts.ts'
import type { Role } from '../../roles.ts'
import type { Definition } from '../definition.ts'

const roles = ['intake'] as const satisfies readonly Role[]

/** What the intake made of a message. */
const INTAKE_VERDICTS = ['taken', 'malformed', 'oversize', 'unfinished'] as const

export const INTAKE = {
  intakeMessages: {
    type: 'counter',
    name: 'seq_intake_messages_total',
    help: 'Messages read from streams, by what the intake made of them. What is taken is judged later, by the stages.',
    unit: 'messages',
    roles,
    labels: { verdict: INTAKE_VERDICTS },
  },
  intakeBytes: {
    type: 'counter',
    name: 'seq_intake_bytes_total',
    help: 'Bytes read from streams.',
    unit: 'bytes',
    roles,
  },
  intakeAcked: {
    type: 'counter',
    name: 'seq_intake_acked_total',
    help: 'Submissions and dead letters that are in the log.',
    unit: 'records',
    roles,
  },
  intakeAckedLate: {
    type: 'counter',
    name: 'seq_intake_acked_late_total',
    help: 'Those of them that were not in the log one second after the first of their group was read.',
    unit: 'records',
    roles,
    use: 'Its share is the second objective: 99.9 % within a second.',
  },
  intakeAckSeconds: {
    type: 'histogram',
    name: 'seq_intake_ack_seconds',
    help: 'From the first record of a group to the whole group in the log.',
    unit: 'seconds',
    roles,
  },
  intakeAppendFailures: {
    type: 'counter',
    name: 'seq_intake_append_failures_total',
    help: 'Attempts to append a group that the log refused. Each is repeated, with pauses of up to 5 s.',
    unit: 'attempts',
    roles,
  },
  intakeInflightBytes: {
    type: 'gauge',
    name: 'seq_intake_inflight_bytes',
    help: 'Bytes read from streams and not yet in the log.',
    unit: 'bytes',
    roles,
    use: 'From 24 MiB on nothing is read until half of 32 MiB is in the log.',
  },
  intakePartialBytes: {
    type: 'gauge',
    name: 'seq_intake_partial_bytes',
    help: 'Memory for messages whose end has not come.',
    unit: 'bytes',
    roles,
  },
  intakeStopped: {
    type: 'gauge',
    name: 'seq_intake_stopped',
    help: '1 while back-pressure keeps every connection from being read.',
    unit: '1',
    roles,
  },
  intakeShed: {
    type: 'counter',
    name: 'seq_intake_shed_total',
    help: 'Connections, streams and dead letters turned away at a limit.',
    unit: 'times',
    roles,
    labels: { reason: SHED_REASONS },
    use: 'Somebody sends more than one may. With honest collectors behind one address, spread them over more intakes.',
  },
  connections: {
    type: 'gauge',
    name: 'seq_p2p_connections',
    help: 'Open libp2p connections.',
    unit: 'connections',
    roles,
  },
  streams: { type: 'gauge', name: 'seq_p2p_streams', help: 'Open /collect streams.', unit: 'streams', roles },
} as const satisfies Record<string, Definition>
