import { DOUBTS, SHED_REASONS } from '../../../../connectors/libp2p/counts.ts'
import type { Role } from '../../../base/roles.ts'
import type { Definition } from '../definition.ts'

const roles = ['intake'] as const satisfies readonly Role[]

/** Peer ids are whatever somebody makes, so a label is the place of a peer. */
export const TALKER_RANKS = ['1', '2', '3', '4', '5'] as const

/** The intake's decision about a message. */
const INTAKE_VERDICTS = ['taken', 'refused', 'malformed', 'oversize', 'unfinished'] as const

export const INTAKE = {
  intakeMessages: {
    type: 'counter',
    name: 'seq_intake_messages_total',
    help: 'Messages read from streams, by what the intake made of them. A message that is taken is judged later, by the stages.',
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
  intakeBlockAge: {
    type: 'gauge',
    name: 'seq_intake_block_age_seconds',
    help: 'How old the youngest of the newest 32 blocks seemed, by this clock, when its tick came. Below 0 the clock is behind.',
    unit: 'seconds',
    roles,
    use: 'The lag of a clock that is behind is added to the time with which submissions are stamped.',
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
  intakeRefused: {
    type: 'counter',
    name: 'seq_intake_refused_total',
    help: 'Submissions that cannot count and were beyond the rate of who brought them, so they are not in the log.',
    unit: 'messages',
    roles,
    labels: { reason: DOUBTS },
    use: '`sequencer peers list` says who sends them. A sample of them lies in `dead-letters`.',
  },
  intakeBans: {
    type: 'counter',
    name: 'seq_intake_bans_total',
    help: 'Peers and addresses that the intake banned for their bad signatures.',
    unit: 'bans',
    roles,
  },
  intakeHolds: {
    type: 'counter',
    name: 'seq_intake_holds_total',
    help: 'Times that a connection was not read for a while: over a rate, or in turns while `validate` lags.',
    unit: 'times',
    roles,
  },
  intakeBehind: {
    type: 'gauge',
    name: 'seq_intake_validate_behind',
    help: 'Records that `validate` is behind, as the intake heard last. Not there while nobody knows.',
    unit: 'records',
    roles,
    use: 'Above `intake.lag.recordsMax` connections without votes are read in turns.',
  },
  intakeTopMessages: {
    type: 'gauge',
    name: 'seq_intake_top_talker_messages',
    help: 'Recent messages of the peers with most refused messages, then most messages. Five minutes old counts half.',
    unit: 'messages',
    roles,
    labels: { rank: TALKER_RANKS },
    use: '`sequencer peers list` names them.',
  },
  intakeTopRefused: {
    type: 'gauge',
    name: 'seq_intake_top_talker_refused',
    help: 'And how many of those were refused.',
    unit: 'messages',
    roles,
    labels: { rank: TALKER_RANKS },
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
