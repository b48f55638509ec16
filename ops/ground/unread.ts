/**
 * Records that are written and cannot be read: all that lie behind the beginning of an open transaction, in any topic. An answer
 * that is made of what can be read must not be taken for one that is made of all.
 */
import { setTimeout } from 'node:timers/promises'
import { type Log, LogError, type TopicPartition } from '../../streams/ports.ts'
import { partitionsOf } from '../reading/scan.ts'
import { askMany } from './ask-many.ts'

export interface Extent extends TopicPartition {
  /** Readers see what lies before it. */
  readonly stable: number
  /** Behind everything written. */
  readonly end: number
}

/** Errors of a topic of an older deployment, of a topic that is being made anew, and of a topic that is not ours to look at. */
const NOT_THERE = ['UNKNOWN_TOPIC', 'TOPIC_DELETED', 'TOPIC_RECREATED', 'TOPIC_AUTHORIZATION_FAILED']

export interface Named {
  readonly name: string
  readonly partitions: number
}

/**
 * The end of each partition, and the end of what can be read of it, by one question while all are there. Topics that are not there
 * are left out.
 * @throws LogError when the log does not answer
 */
export const extentsOf = (log: Pick<Log, 'ends' | 'bounds'>, topics: readonly Named[]): Promise<readonly Extent[]> =>
  extentsAmong(log, topics.map(partitionsOf))

/** @param topics the partitions of each */
const extentsAmong = (
  log: Pick<Log, 'ends' | 'bounds'>,
  topics: readonly (readonly TopicPartition[])[],
): Promise<readonly Extent[]> =>
  askMany(
    topics,
    (some) => extents(log, some.flat()),
    (error) => {
      if (isNotThere(error)) return []
      throw error
    },
  )

const isNotThere = (error: unknown): boolean => error instanceof LogError && NOT_THERE.includes(error.code)

/** Ends first: what is committed by then is behind them. */
async function extents(log: Pick<Log, 'ends' | 'bounds'>, partitions: readonly TopicPartition[]): Promise<Extent[]> {
  const ends = await log.ends(partitions)
  const bounds = await log.bounds(partitions)
  return partitions.map((at, i) => ({ ...at, stable: bounds[i]!.stable, end: ends[i]! }))
}

/** A transaction of ours that is under way has ended by then, or the stable offset has moved on to the next one. */
const LOOK_MS = 2_000
const NAMED_MAX = 5

/**
 * Names what keeps the partitions from being read, in words; undefined when all of them can be read.
 * @param topics the partitions of each
 * @param lookMs between two looks at what cannot be read at the first
 */
export async function hiddenIn(
  log: Pick<Log, 'ends' | 'bounds'>,
  topics: readonly (readonly TopicPartition[])[],
  lookMs = LOOK_MS,
): Promise<string | undefined> {
  const first = (await extentsAmong(log, topics)).filter(isShort)
  if (first.length === 0) return undefined
  await setTimeout(lookMs)
  const names = new Set(first.map(({ topic }) => topic))
  const now = await extentsAmong(
    log,
    topics.filter(([one]) => one && names.has(one.topic)),
  )
  const stays = now.filter((one) =>
    first.some(
      ({ topic, partition, stable }) =>
        topic === one.topic && partition === one.partition && stable === one.stable && isShort(one),
    ),
  )
  if (stays.length === 0) return undefined
  const named = stays
    .slice(0, NAMED_MAX)
    .map(({ topic, partition, stable }) => `${topic}/${partition} from ${stable} on`)
  const more = stays.length > NAMED_MAX ? ` and ${stays.length - NAMED_MAX} more` : ''
  return `a transaction that is open hides ${named.join(', ')}${more} from every reader; \`sequencer doctor\` names it and how to end it`
}

const isShort = ({ stable, end }: Extent): boolean => stable < end
