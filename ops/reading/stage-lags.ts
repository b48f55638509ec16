/** How far each stage is behind its input: the same as `kafka-consumer-groups --describe` shows, also when nobody runs it. */
import type { Log, TopicPartition } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import { STAGES, type Stage } from '../base/roles.ts'
import { partitionsOf } from './scan.ts'

type Input =
  | 'epochTicks'
  | 'submissions'
  | 'validated'
  | 'admitted'
  | 'finalizations'
  | 'tallies'
  | 'batches'
  | 'payouts'
  | 'anchorResults'

/** The inputs of each stage; a test compares them with the graph. */
export const INPUTS = {
  'tick-fanout': ['epochTicks'],
  validate: ['submissions'],
  admit: ['validated'],
  consensus: ['admitted'],
  settle: ['finalizations'],
  ledger: ['tallies'],
  batch: ['finalizations'],
  anchor: ['batches', 'payouts', 'anchorResults'],
} as const satisfies Record<Stage, readonly Input[]>

export interface StagePosition extends TopicPartition {
  /** Offset of the next record that it takes. */
  readonly next: number
  /** Readers see what lies before it. */
  readonly stable: number
  /** Records that it has not taken, those of open transactions too, which it cannot read yet (the intake's own lag leaves them out). */
  readonly behind: number
}

/** The position in every partition of its input. @throws LogError when the log does not answer, or a transaction on its positions is open */
export async function positionsOf(
  log: Pick<Log, 'bounds' | 'ends' | 'committedOffsets'>,
  topics: Topics,
  appId: string,
  stage: Stage,
): Promise<readonly StagePosition[]> {
  const partitions = INPUTS[stage].flatMap((input) => partitionsOf(topics[input]))
  const offsets = log.committedOffsets(`${appId}-${stage}`, partitions)
  const [bounds, committed] = await Promise.all([log.bounds(partitions), offsets])
  const ends = await log.ends(partitions)
  return partitions.map((partition, at) => {
    const next = Math.max(bounds[at]!.start, committed[at]?.next ?? 0)
    const { stable } = bounds[at]!
    return { ...partition, next, stable, behind: Math.max(0, ends[at]! - next) }
  })
}

/** Records that each stage has not taken; null: nobody can say now. */
export async function lagsOf(
  log: Pick<Log, 'bounds' | 'ends' | 'committedOffsets'>,
  topics: Topics,
  appId: string,
): Promise<ReadonlyMap<Stage, number | null>> {
  const lags = new Map<Stage, number | null>()
  for (const stage of STAGES) {
    const positions = await positionsOf(log, topics, appId, stage).catch(() => undefined)
    lags.set(stage, positions?.reduce((sum, { behind }) => sum + behind, 0) ?? null)
  }
  return lags
}
