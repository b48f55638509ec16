import type { TopicConfig } from '../../streams/ports.ts'
import type { LogCore } from './core.ts'
import type { LevelOperation, LevelStore } from './level-store.ts'
import {
  boundsRange,
  checkFormat,
  formatKey,
  offsetRange,
  putBounds,
  putFormat,
  readBounds,
  readOffset,
  readSequence,
  readTopic,
  rowRange,
  type StoredTopic,
  sequenceKey,
  topicRange,
} from './meta-rows.ts'
import type { PartitionLog } from './partition.ts'

const CHUNK_BYTES = 1024 * 1024

/** How far compaction has come in a partition: below `clean` each key stood once, in `kept` records. */
export interface Cleaned {
  readonly clean: number
  readonly kept: number
}

/** What the rows know beyond the core: the number of each topic and the progress of compaction. */
export class Catalog {
  private readonly ids = new Map<string, number>()
  private readonly cleaned = new Map<PartitionLog, Cleaned>()
  private readonly unsaved = new Map<string, StoredTopic>()
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

  /** Numbers the topics that are new. Their rows go with the next write, whoever makes it, and with each until one succeeds. */
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

  /**
   * Reads everything but the records into the core, writes the format into a new log, and erases what a transaction left
   * that a crash cut short.
   * @returns the number of the last write
   * @throws LogError `FORMAT_NEWER`
   */
  async load(store: LevelStore, core: LogCore): Promise<number> {
    const format = await store.get(formatKey)
    if (format === undefined) await store.write([putFormat()])
    else checkFormat(format, store.directory)
    const names = await this.loadTopics(store, core)
    for await (const [key, value] of store.entries(boundsRange, CHUNK_BYTES)) {
      const { topicId, partition: index, start, end, clean, kept } = readBounds(key, value)
      const partition = core.partition({ topic: names.get(topicId)!, partition: index })
      partition.restore(start, end)
      this.cleaned.set(partition, { clean, kept })
    }
    for await (const [key, value] of store.entries(offsetRange, CHUNK_BYTES)) {
      const { topicId, group, partition, next, metadata } = readOffset(key, value)
      core.commitOffsets(group, [{ topic: names.get(topicId)!, partition, next, metadata }])
    }
    for (const name of names.values())
      for (const partition of core.topic(name).partitions) await this.eraseFrom(store, partition, partition.end)
    return readSequence(await store.get(sequenceKey))
  }

  /** Erases the rows of a partition from an offset on, which no bounds row covers. */
  async eraseFrom(store: LevelStore, { topic, index }: PartitionLog, offset: number): Promise<void> {
    await store.erase(rowRange(this.idOf(topic), index, offset, Number.MAX_SAFE_INTEGER))
  }

  private async loadTopics(store: LevelStore, core: LogCore): Promise<Map<number, string>> {
    const names = new Map<number, string>()
    for await (const [, value] of store.entries(topicRange, CHUNK_BYTES)) {
      const { id, config } = readTopic(value)
      names.set(id, config.name)
      this.ids.set(config.name, id)
      this.nextId = Math.max(this.nextId, id + 1)
      core.createTopics([config])
    }
    return names
  }
}
