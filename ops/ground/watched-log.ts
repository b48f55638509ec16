/**
 * Looks into a log for an answer, and says which part could not be read: records behind an open transaction, and damaged ones.
 * Every command that looks something up goes through here, so that no answer is taken for one that is made of all.
 */
import type { Log, TopicPartition } from '../../streams/ports.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import { stderr } from '../base/output.ts'
import { partitionsOf } from '../reading/scan.ts'
import { DAMAGE_ADVICE } from './damage-at.ts'
import type { LogTarget } from './open-log.ts'
import { hiddenIn, type Named } from './unread.ts'

export interface WatchedLog {
  /** Reads on behind what is damaged. */
  readonly log: Log
  /** Why not all of the partitions that were read so far, and of these topics, can be read, in words; undefined when all can. */
  unread(topics?: readonly Named[]): Promise<string | undefined>
  /** The damaged places, in words; undefined for none. */
  damage(): string | undefined
}

/** Damaged places that are kept, and those of them that are named. */
const KEPT_MAX = 1_000
const NAMED_MAX = 5

/** A log for commands that only look. A stage, or another reader that may miss nothing, must not use it. */
export function watchedLog(log: Log): WatchedLog {
  const looked = new Map<string, TopicPartition>()
  const damaged = new Map<string, string>()
  const look = ({ topic, partition }: TopicPartition): void =>
    void looked.set(nameOf(topic, partition), { topic, partition })
  const watched: Log = {
    createTopics: (topics) => log.createTopics(topics),
    partitionCount: (topic) => log.partitionCount(topic),
    topicIds: (topics) => log.topicIds(topics),
    ends: (partitions) => log.ends(partitions),
    committedOffsets: (group, partitions) => log.committedOffsets(group, partitions),
    join: (options, listener) => log.join(options, listener),
    transactionalWriter: (...of) => log.transactionalWriter(...of),
    appender: () => log.appender(),
    deleteRecords: (before) => log.deleteRecords(before),
    close: () => log.close(),
    async bounds(partitions) {
      partitions.forEach(look)
      return await log.bounds(partitions)
    },
    async fetch(positions, options) {
      positions.forEach(look)
      const fetched = await log.fetch(positions, options)
      return fetched.map(({ damaged: hole, failure, ...answer }) => {
        if (!hole) return { ...answer, ...(failure && { failure }) }
        const at = `${nameOf(answer.topic, answer.partition)} at offset ${answer.next}`
        if (damaged.size < KEPT_MAX) damaged.set(at, failure?.message ?? at)
        return { ...answer, next: hole.next }
      })
    },
  }
  return {
    log: watched,
    damage: () => inWords(damaged),
    async unread(topics = []) {
      topics.flatMap(partitionsOf).forEach(look)
      const hidden = await hiddenIn(log, byTopic(looked.values()))
      const damage = inWords(damaged)
      const passed = damage && `damaged and passed over: ${damage}. ${DAMAGE_ADVICE}`
      return hidden && passed ? `${hidden}; ${passed}` : (hidden ?? passed)
    },
  }
}

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`

function byTopic(partitions: Iterable<TopicPartition>): TopicPartition[][] {
  const topics = new Map<string, TopicPartition[]>()
  for (const at of partitions) topics.set(at.topic, [...(topics.get(at.topic) ?? []), at])
  return [...topics.values()]
}

function inWords(damaged: ReadonlyMap<string, string>): string | undefined {
  if (damaged.size === 0) return undefined
  const named = [...damaged.values()].slice(0, NAMED_MAX)
  const more = damaged.size > NAMED_MAX ? `; and ${damaged.size - NAMED_MAX} more` : ''
  return named.join('; ') + more
}

/** The findings, and why they may not be all, in words. */
export interface Seen<T> {
  readonly found: T
  readonly unread: string | undefined
}

/** Opens a log, and looks something up in it. */
export async function lookInto<O extends { readonly log: Log; close(): Promise<void> }, T>(
  open: (target: LogTarget) => Promise<O>,
  target: LogTarget,
  read: (opened: O) => Promise<T>,
): Promise<Seen<T>> {
  const opened = await open(target)
  try {
    const { log, unread } = watchedLog(opened.log)
    const found = await read({ ...opened, log })
    return { found, unread: await unread() }
  } finally {
    await opened.close()
  }
}

/** In place of a finding, or of a refusal, that may come of what could not be read alone; undefined where all could. */
export async function notWhole({ unread }: Pick<WatchedLog, 'unread'>): Promise<CliError | undefined> {
  const why = await unread()
  const hint = 'Nothing is said before all of it can be read.'
  return why === undefined ? undefined : new CliError(`not all of the log can be read: ${why}`, hint, EXIT.unavailable)
}

/** Beside an answer that was given: it may not be all there is, so whatever it says of what is missing is no answer. */
export function tellUnread(unread: string | undefined): void {
  if (unread === undefined) return
  stderr.print(`not all is shown: ${unread}`)
  process.exitCode = EXIT.unavailable
}
