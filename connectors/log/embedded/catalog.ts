import { LogError, type TopicConfig } from '../../../streams/ports.ts'
import type { LogCore } from '../core/core.ts'
import type { PartitionLog } from '../core/partition.ts'
import type { PartitionEnd } from './end-file.ts'
import type { LevelOperation, LevelRange } from './level-operation.ts'
import type { LevelStore } from './level-store.ts'
import {
  boundsRange,
  contentOf,
  FORMAT,
  formatKey,
  offsetRange,
  putBounds,
  putFormat,
  putOffset,
  putSequence,
  putTopic,
  readBounds,
  readFormat,
  readOffset,
  readSequence,
  readTime,
  readTopic,
  rowRange,
  type StoredTopic,
  sequenceKey,
  timeKey,
  topicRange,
} from './meta-rows.ts'
import { MetaSum } from './meta-sum.ts'
import { lastOffsetOf, newestTimestampOf, rowKey } from './rows.ts'

const CHUNK_BYTES = 1024 * 1024

/** How far compaction has come in a partition: below `clean` each key stood once, in `kept` records. */
export interface Cleaned {
  readonly clean: number
  readonly kept: number
}

/** The knowledge of the rows beyond the core: the number of each topic and the progress of compaction. */
export class Catalog {
  private readonly ids = new Map<string, number>()
  private readonly cleaned = new Map<PartitionLog, Cleaned>()
  private readonly unsaved = new Map<string, StoredTopic>()
  /** Sum of the rows of topics, bounds and offsets, as the last write left them. */
  readonly sum = new MetaSum()
  private nextId = 1

  idOf(topic: string): number {
    return this.ids.get(topic)!
  }

  cleanedOf(partition: PartitionLog): Cleaned {
    return this.cleaned.get(partition) ?? { clean: 0, kept: 0 }
  }

  setCleaned(partition: PartitionLog, cleaned: Cleaned): void {
    this.cleaned.set(partition, cleaned)
  }

  /** Numbers the topics that are new. Their rows go with the next write of any kind, and with each until one succeeds. */
  add(configs: readonly TopicConfig[]): void {
    for (const config of configs) {
      const id = this.ids.get(config.name) ?? this.nextId++
      this.ids.set(config.name, id)
      this.unsaved.set(config.name, { id, config })
    }
  }

  unsavedTopics(): StoredTopic[] {
    return [...this.unsaved.values()]
  }

  saved(topics: readonly StoredTopic[]): void {
    for (const topic of topics)
      if (this.unsaved.get(topic.config.name) === topic) this.unsaved.delete(topic.config.name)
  }

  boundsRow(partition: PartitionLog): LevelOperation {
    const { start, end } = partition
    const id = this.idOf(partition.topic)
    return putBounds(id, partition.index, { start, end, ...this.cleanedOf(partition) })
  }

  endOf({ topic, index, end }: PartitionLog): PartitionEnd {
    return { topicId: this.idOf(topic), partition: index, end }
  }

  /**
   * Reads everything but the records into the core, brings an older format up to this one, and erases what a transaction left
   * that a crash cut short. Refuses a log in which a write is missing, before it changes anything.
   * @returns the number of the last write
   * @throws LogError `FORMAT_NEWER`, `CORRUPT`
   */
  async load(store: LevelStore, core: LogCore): Promise<number> {
    const stored = await store.get(formatKey)
    const format = stored && readFormat(stored, store.directory)
    const { sequence, sum } = readSequence(await store.get(sequenceKey))
    const { acknowledged } = store
    const problem =
      format === undefined && (sequence > 0 || (acknowledged?.sequence ?? 0) > 0)
        ? 'its format is missing'
        : format === FORMAT && sequence > 0 && !acknowledged
          ? 'END: it is missing, so nobody knows where the log ends'
          : acknowledged && sequence < acknowledged.sequence
            ? `it ends with write ${sequence}, and write ${acknowledged.sequence} was acknowledged`
            : undefined
    if (problem) throw damaged(store, problem)
    const operations = await this.read(store, core, format ?? FORMAT)
    if (format === FORMAT && sequence > 0 && sum !== this.sum.sum)
      throw damaged(store, 'a write is missing among the rows of topics, bounds or offsets')
    await this.checkEnds(store, core)
    const partitions = core.configs().flatMap(({ name }) => core.topic(name).partitions)
    await store.keepEnd({ sequence, ends: partitions.map((partition) => this.endOf(partition)) })
    // Said again at each start, so that each of LevelDB's own logs begins with it.
    const change = this.sum.after(operations)
    await store.write([putFormat(), ...operations, putSequence({ sequence, sum: change.sum })])
    this.sum.accept(change)
    await store.keepTopics(this.storedTopics(core))
    return sequence
  }

  /** The time of retention as it was kept; in a log that has none the newest of its records, undefined without records. */
  async keptTime(store: LevelStore, core: LogCore): Promise<number | undefined> {
    const kept = readTime(await store.get(timeKey))
    if (kept !== undefined) return kept
    let newest: number | undefined
    for (const { name } of core.configs())
      for (const { index, start, end } of core.topic(name).partitions) {
        const row = end > start ? await store.get(rowKey(this.idOf(name), index, end - 1)) : undefined
        const timestamp = row ? newestTimestampOf(row) : Number.NEGATIVE_INFINITY
        if (Number.isFinite(timestamp)) newest = Math.max(newest ?? timestamp, timestamp)
      }
    return newest
  }

  storedTopics(core: LogCore): StoredTopic[] {
    return core.configs().map((config) => ({ id: this.idOf(config.name), config }))
  }

  /** @returns the operations that bring rows of an older format to this one */
  private async read(store: LevelStore, core: LogCore, format: number): Promise<LevelOperation[]> {
    const upgrades: LevelOperation[] = []
    const contents = (range: LevelRange) => this.contents(store, range, format)
    const names = new Map<number, string>()
    for await (const [, content] of contents(topicRange)) {
      const { id, config } = readTopic(content)
      names.set(id, config.name)
      this.ids.set(config.name, id)
      this.nextId = Math.max(this.nextId, id + 1)
      core.createTopics([config])
      upgrades.push(putTopic({ id, config }))
    }
    const nameOf = (id: number): string => {
      const name = names.get(id)
      if (name === undefined) throw damaged(store, `topic number ${id} has no name`)
      return name
    }
    for await (const [key, content] of contents(boundsRange)) {
      const { topicId, partition: index, start, end, clean, kept } = readBounds(key, content)
      const partition = core.partition({ topic: nameOf(topicId), partition: index })
      partition.restore(start, end)
      this.cleaned.set(partition, { clean, kept })
      upgrades.push(putBounds(topicId, index, { start, end, clean, kept }))
    }
    for await (const [key, content] of contents(offsetRange)) {
      const { topicId, group, partition, next, metadata } = readOffset(key, content)
      const commit = { topic: nameOf(topicId), partition, next, metadata }
      core.commitOffsets(group, [commit])
      upgrades.push(putOffset(group, topicId, commit))
    }
    return format === FORMAT ? [] : upgrades
  }

  private async *contents(store: LevelStore, range: LevelRange, format: number): AsyncGenerator<[Buffer, Buffer]> {
    for await (const [key, value] of store.entries(range, CHUNK_BYTES)) {
      if (format < FORMAT) yield [key, value]
      else {
        yield [key, contentIn(store, key, value)]
        this.sum.add(key, value)
      }
    }
  }

  /** The last row of each partition ends where its bounds say; what lies behind is left of a transaction, and erased. */
  private async checkEnds(store: LevelStore, core: LogCore): Promise<void> {
    const leftovers: Buffer[] = []
    for (const { name } of core.configs())
      for (const { index, start, end } of core.topic(name).partitions) {
        const keys = await store.keys(rowRange(this.idOf(name), index, Math.max(0, end - 1), Number.MAX_SAFE_INTEGER))
        const [last] = keys
        const isThere = last !== undefined && lastOffsetOf(last) === end - 1
        if (end > start && !isThere)
          throw damaged(store, `records of ${name}[${index}] below offset ${end} are missing`)
        leftovers.push(...(isThere ? keys.slice(1) : keys))
      }
    if (leftovers.length > 0) await store.write(leftovers.map((key) => ({ type: 'del', key })))
  }

  /** Erases the rows of a partition from an offset on, which no bounds row covers. */
  async eraseFrom(store: LevelStore, { topic, index }: PartitionLog, offset: number): Promise<void> {
    await store.erase(rowRange(this.idOf(topic), index, offset, Number.MAX_SAFE_INTEGER))
  }
}

function contentIn(store: LevelStore, key: Buffer, value: Buffer): Buffer {
  try {
    return contentOf(key, value)
  } catch (error) {
    throw damaged(store, (error as Error).message)
  }
}

const damaged = ({ directory }: LevelStore, what: string): LogError =>
  new LogError('CORRUPT', `the log in ${directory} is damaged: ${what}`)
