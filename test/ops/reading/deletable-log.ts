/** A log whose topics can be deleted and made anew. Who has opened it sees the topics that there were then, as on a cluster. */
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import {
  type Appender,
  type Log,
  type OutgoingRecord,
  PositionLostError,
  type TopicConfig,
} from '../../../streams/ports.ts'

export interface DeletableLog {
  readonly log: Log
  /** Deletes a topic of one partition, and makes it again. */
  makeAnew(topic: TopicConfig): Promise<void>
  /** Openings of the log that are not closed, `log` among them. */
  open(): number
}

export function createDeletableLog(): DeletableLog {
  const kept = createMemoryLog()
  const lives = new Map<string, number>()
  const nameOf = (topic: string, life = lives.get(topic) ?? 0): string => `${topic}.${life}`
  const plain = (name: string): string => name.slice(0, name.lastIndexOf('.'))
  let open = 0

  const createTopics: Log['createTopics'] = (topics) =>
    kept.createTopics(topics.map((one) => ({ ...one, name: nameOf(one.name) })))

  const appenderOf = (appender: Appender): Appender => ({
    append: (records: readonly OutgoingRecord[]) =>
      appender.append(records.map((one) => ({ ...one, topic: nameOf(one.topic) }))),
    close: () => appender.close(),
  })

  function opened(): Log {
    const seen = new Map<string, number>()
    open++
    const known = (topic: string): string => {
      const now = lives.get(topic) ?? 0
      const before = seen.get(topic) ?? now
      seen.set(topic, before)
      if (before !== now) throw new PositionLostError('TOPIC_RECREATED', { topic }, `${topic} was made anew`)
      return nameOf(topic, now)
    }
    const overridden: Partial<Log> = {
      createTopics,
      topicIds: async (topics) => new Map(topics.map((topic) => [topic, known(topic)])),
      bounds: async (at) => kept.bounds(at.map((one) => ({ ...one, topic: known(one.topic) }))),
      async fetch(positions, options) {
        const found = await kept.fetch(
          positions.map((one) => ({ ...one, topic: known(one.topic) })),
          { ...options, maxWaitMs: Math.min(20, options.maxWaitMs) },
        )
        return found.map((one) => ({ ...one, topic: plain(one.topic) }))
      },
      appender: async () => appenderOf(await kept.appender()),
      reopened: async () => opened(),
      close: async () => void open--,
    }
    return Object.assign(Object.create(kept) as Log, overridden)
  }

  return {
    log: opened(),
    async makeAnew(topic) {
      lives.set(topic.name, (lives.get(topic.name) ?? 0) + 1)
      await createTopics([topic])
    },
    open: () => open,
  }
}
