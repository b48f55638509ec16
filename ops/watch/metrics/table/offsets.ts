import { type Role, STAGES } from '../../../base/roles.ts'
import type { Definition } from '../definition.ts'

const roles = ['api'] as const satisfies readonly Role[]

/** Metrics of the log, as it is seen from outside the stages. */
export const OF_OFFSETS = {
  consumerLag: {
    type: 'gauge',
    name: 'seq_consumer_lag',
    help: 'Records between the committed position of a stage and the end of its input, also records that an open transaction holds back. Measured from outside the stage, so it is there when nobody runs it.',
    unit: 'records',
    roles,
    labels: { stage: STAGES, topic: 'an input of the stage', partition: 'number of the partition' },
  },
  consumerOffset: {
    type: 'gauge',
    name: 'seq_consumer_offset',
    help: 'The committed position of the stage.',
    unit: 'offset',
    roles,
    labels: { stage: STAGES, topic: 'as above', partition: 'as above' },
    use: 'With a lag that stays above 0 it must move.',
  },
  stableLag: {
    type: 'gauge',
    name: 'seq_stable_offset_lag',
    help: 'Records between the last stable offset and the end of a partition: written, and not to be read while a transaction before them is open.',
    unit: 'records',
    roles,
    labels: { topic: 'a topic of the sequencer', partition: 'number of the partition' },
    use: 'Above 0 for moments only: see the next one.',
  },
  stableHeldSeconds: {
    type: 'gauge',
    name: 'seq_stable_offset_held_seconds',
    help: 'For how long the last stable offset stands still although more is written behind it.',
    unit: 'seconds',
    roles,
    labels: { topic: 'as above', partition: 'as above' },
    use: 'Our own transactions end within 30 s, also the transactions of a killed process. A longer one hangs: `doctor` names it.',
  },
  logReachable: {
    type: 'gauge',
    name: 'seq_log_reachable',
    help: '1 when the log answered the last question for offsets, which is asked every 5 s.',
    unit: '1',
    roles,
  },
} as const satisfies Record<string, Definition>
