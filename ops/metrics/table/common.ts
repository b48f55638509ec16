import { ROLES } from '../../roles.ts'
import type { Definition } from '../definition.ts'

/** Of every process. */
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
  partitionParked: {
    type: 'gauge',
    name: 'seq_partition_parked',
    help: '1 while a partition waits for a schema that its records name and the registry does not give.',
    unit: '1',
    labels: { topic: 'a topic of the sequencer', partition: 'number of the partition' },
    use: 'Make the registry answer; the partition goes on by itself.',
  },
} as const satisfies Record<string, Definition>
