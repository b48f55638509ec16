/** A log that can only be read, and in which a test may change what lies there. */

import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import type { FetchedPartition, FetchPosition, Log, LogRecord, TopicPartition } from '../../../../streams/ports.ts'

export interface FrozenTopic {
  readonly name: string
  readonly partitions: LogRecord[][]
}

const PIECE = 50

export class FrozenLog implements Log {
  private readonly topics: ReadonlyMap<string, LogRecord[][]>
  /** Committed offsets by `group/topic/partition`. */
  readonly committed = new Map<string, number>()

  constructor(topics: readonly FrozenTopic[]) {
    this.topics = new Map(topics.map(({ name, partitions }) => [name, partitions]))
  }

  copy(): FrozenLog {
    return new FrozenLog(
      [...this.topics].map(([name, partitions]) => ({ name, partitions: partitions.map((records) => [...records]) })),
    )
  }

  records<K, V>({ name }: Pick<RecordTopic<K, V>, 'name'>, partition: number): LogRecord[] {
    return this.topics.get(name)![partition]!
  }

  /** Replaces the first record that `change` gives another value for. Throws when there is none. */
  edit<K, V>(topic: RecordTopic<K, V>, change: (value: V, key: K) => V | undefined): void {
    for (const records of this.topics.get(topic.name)!)
      for (const [at, record] of records.entries()) {
        const changed = record.value && change(topic.value.decode(record.value), topic.key.decode(record.key!))
        if (!changed) continue
        records[at] = { ...record, value: topic.value.encode(changed) }
        return
      }
    throw new Error(`no record of ${topic.name} fits`)
  }

  /** Takes out every record that fits, leaving holes. Throws when there is none. */
  drop<K, V>(topic: RecordTopic<K, V>, fits: (value: V, key: K) => boolean): void {
    let dropped = 0
    for (const [partition, records] of this.topics.get(topic.name)!.entries()) {
      const kept = records.filter(
        ({ key, value }) => !value || !fits(topic.value.decode(value), topic.key.decode(key!)),
      )
      dropped += records.length - kept.length
      this.topics.get(topic.name)![partition] = kept
    }
    if (dropped === 0) throw new Error(`no record of ${topic.name} fits`)
  }

  /** Writes the first record that fits a second time, at the end. */
  repeat<K, V>(topic: RecordTopic<K, V>, fits: (value: V, key: K) => boolean): void {
    for (const records of this.topics.get(topic.name)!) {
      const found = records.find(({ key, value }) => value && fits(topic.value.decode(value), topic.key.decode(key!)))
      if (!found) continue
      records.push({ ...found, offset: records.at(-1)!.offset + 1 })
      return
    }
    throw new Error(`no record of ${topic.name} fits`)
  }

  /** Lets the records before an offset expire. */
  expire<K, V>({ name }: Pick<RecordTopic<K, V>, 'name'>, partition: number, before: number): void {
    this.topics.get(name)![partition] = this.records({ name }, partition).filter(({ offset }) => offset >= before)
  }

  async topicIds(): Promise<undefined> {}

  async bounds(partitions: readonly TopicPartition[]) {
    return partitions.map(({ topic, partition }) => {
      const records = this.topics.get(topic)?.[partition] ?? []
      return { start: records[0]?.offset ?? 0, stable: (records.at(-1)?.offset ?? -1) + 1 }
    })
  }

  async ends(partitions: readonly TopicPartition[]) {
    return (await this.bounds(partitions)).map(({ stable }) => stable)
  }

  async fetch(positions: readonly FetchPosition[]): Promise<readonly FetchedPartition[]> {
    const bounds = await this.bounds(positions)
    return positions.map((position, i) => {
      const all = this.topics.get(position.topic)?.[position.partition] ?? []
      const from = all.findIndex(({ offset }) => offset >= position.offset)
      const records = from < 0 ? [] : all.slice(from, from + PIECE)
      const next = records.length > 0 ? records.at(-1)!.offset + 1 : position.offset
      return { ...position, ...bounds[i]!, records, next, outOfRange: position.offset < bounds[i]!.start }
    })
  }

  async committedOffsets(group: string, partitions: readonly TopicPartition[]) {
    return partitions.map(({ topic, partition }) => {
      const next = this.committed.get(`${group}/${topic}/${partition}`)
      return next === undefined ? undefined : { next, metadata: '' }
    })
  }

  async partitionCount(topic: string) {
    return this.topics.get(topic)!.length
  }

  /** The groups of these stages have committed everything there is. */
  commitAll(appId: string, sourceOf: Readonly<Record<string, Pick<RecordTopic<unknown, unknown>, 'name'>>>): void {
    for (const [stage, { name }] of Object.entries(sourceOf))
      for (const [partition, records] of this.topics.get(name)!.entries())
        this.committed.set(`${appId}-${stage}/${name}/${partition}`, (records.at(-1)?.offset ?? -1) + 1)
  }

  createTopics = refuse
  join = refuse
  transactionalWriter = refuse
  appender = refuse
  deleteRecords = refuse
  async close() {}
}

/** What a log answers that is at one moment as `early` and from its `turn`-th answer on as `late`, which begins alike. */
export function growing(early: FrozenLog, late: FrozenLog, turn: number): { readonly log: Log; answers(): number } {
  let answered = 0
  const now = (): FrozenLog => (answered++ < turn ? early : late)
  const log: Log = Object.assign(late.copy(), {
    bounds: (partitions: readonly TopicPartition[]) => now().bounds(partitions),
    ends: (partitions: readonly TopicPartition[]) => now().ends(partitions),
    fetch: (positions: readonly FetchPosition[]) => now().fetch(positions),
    committedOffsets: (group: string, partitions: readonly TopicPartition[]) =>
      now().committedOffsets(group, partitions),
  })
  return { log, answers: () => answered }
}

const refuse = async (): Promise<never> => {
  throw new Error('this log can only be read')
}
