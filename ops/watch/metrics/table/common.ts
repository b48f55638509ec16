import { UNREADABLE_REASONS } from '../../../../streams/read-record.ts'
import { ROLES } from '../../../base/roles.ts'
import { READERS } from '../../leaving-readers.ts'
import type { Definition } from '../definition.ts'

/** Metrics of every process. */
export const COMMON = {
  buildInfo: {
    type: 'gauge',
    name: 'seq_build_info',
    help: 'Always 1; the labels name what runs.',
    unit: '1',
    labels: { version: 'the version of the package', node: 'the version of Node' },
    use: 'Two versions at once during a roll-out are right, for long they are not.',
  },
  roleUp: {
    type: 'gauge',
    name: 'seq_role_up',
    help: '1 while this process does the work of the role, or waits for something outside to do it. 0 while it starts, stands by, has no task, or has failed.',
    unit: '1',
    labels: { role: ROLES },
    use: 'The maximum over all processes is 1 for every role, or nobody does its work.',
  },
  roleReady: {
    type: 'gauge',
    name: 'seq_role_ready',
    help: '1 while /readyz calls the role ready: it runs and waits for nothing outside.',
    unit: '1',
    labels: { role: ROLES },
    use: '/readyz says in words what the role waits for.',
  },
  loopBlocks: {
    type: 'counter',
    name: 'seq_event_loop_blocks_total',
    help: 'Times the event loop stood still for a second or more.',
    unit: 'times',
    use: 'Groups throw a member out after 30 s of it. Give the process more CPU, or fewer roles.',
  },
  loopLagSeconds: {
    type: 'gauge',
    name: 'seq_event_loop_lag_seconds',
    help: 'How late the last turn of the watchdog came.',
    unit: 'seconds',
  },
  logThrottledSeconds: {
    type: 'counter',
    name: 'seq_log_throttled_seconds_total',
    help: 'For how long brokers have read nothing from connections of this process, since it was over its quota.',
    unit: 'seconds',
    use: 'Raise the quota of the client or its user: commits take that much longer.',
  },
  partitionParked: {
    type: 'gauge',
    name: 'seq_partition_parked',
    help: '1 while a partition waits: for a schema that its records name and the registry does not give, or at a batch that is damaged.',
    unit: '1',
    labels: { topic: 'a topic of the sequencer', partition: 'number of the partition' },
    use: 'Make the registry answer, or a replica lead that has the batch; the partition goes on by itself.',
  },
  unreadable: {
    type: 'counter',
    name: 'seq_unreadable_records_total',
    help: 'Records that a reader left out, since they are none of their topic. Those that a stage put aside are in seq_poison_total.',
    unit: 'records',
    labels: { reader: READERS, topic: 'a topic of the sequencer', reason: UNREADABLE_REASONS },
    use: 'Somebody beside us writes to that topic. The log line `record-left-out` says where the record lies; `audit` names every one.',
  },
} as const satisfies Record<string, Definition>
