import {
  type Burst,
  type CommittedOffset,
  LogError,
  type LogRecord,
  type OffsetCommit,
  type OutgoingRecord,
  type TopicConfig,
  type TopicPartition,
} from '../../../streams/ports.ts'
import { Groups } from './groups.ts'
import { PartitionLog, RECORD_OVERHEAD_BYTES, type Span, sizeOf } from './partition.ts'

/** The largest record, as Kafka's max.message.bytes would be set for batches of some MiB. */
const RECORD_SIZE_BYTES_MAX = 16 * 1024 * 1024

/** Kafka's offset.metadata.max.bytes. */
const OFFSET_METADATA_BYTES_MAX = 4_096

const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/
const PARTITIONS_MAX = 10_000

/** Records with their offsets taken, not yet visible. */
export interface Staged {
  readonly spans: readonly Span[]
  /** Offset of each record, in input order. */
  readonly offsets: readonly number[]
  readonly sizeBytes: number
}

interface TopicState {
  config: TopicConfig
  readonly partitions: readonly PartitionLog[]
}

/** An open transactional writer: the newest epoch of its id may write, older ones are fenced. */
export interface Producer {
  readonly id: string
  readonly epoch: number
}

/**
 * The heart of a log, shared by the drivers that keep one themselves: topics, offsets, visibility, transactions, fencing
 * and groups. Synchronous, without time, storage or randomness. A driver stages records (they take their offsets), makes
 * them durable in its own way, and concludes them (they become visible, or a hole).
 */
export class LogCore {
  readonly groups = new Groups((topic) => this.topic(topic).partitions.length)
  private readonly topics = new Map<string, TopicState>()
  private readonly committed = new Map<string, Map<string, CommittedOffset>>()
  private readonly epochs = new Map<string, number>()

  /**
   * Creates what is missing and takes over the settings of what exists.
   * @returns the topics that are new or changed
   * @throws LogError `TOPIC_MISMATCH`, `INVALID_TOPIC`; then nothing was created
   */
  createTopics(configs: readonly TopicConfig[]): TopicConfig[] {
    for (const config of configs) this.checkTopic(config)
    return configs.filter((config) => this.createTopic(config))
  }

  topic(name: string): TopicState {
    const state = this.topics.get(name)
    if (state === undefined) throw new LogError('UNKNOWN_TOPIC', `there is no topic ${name}`)
    return state
  }

  configs(): TopicConfig[] {
    return [...this.topics.values()].map((state) => state.config)
  }

  partition({ topic, partition }: TopicPartition): PartitionLog {
    const found = this.topic(topic).partitions[partition]
    if (found === undefined) throw new LogError('UNKNOWN_PARTITION', `topic ${topic} has no partition ${partition}`)
    return found
  }

  /**
   * Gives records their offsets; all of them or none.
   * @param control whether each partition written gets a control record at its end, as a transaction leaves one
   * @throws LogError `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION`, `RECORD_TOO_LARGE`
   */
  stage(records: readonly OutgoingRecord[], control: boolean): Staged {
    const targets = this.targetsOf(records)
    const spans: Span[] = []
    const offsets = new Array<number>(records.length)
    let sizeBytes = 0
    for (let at = 0; at < records.length; at++) {
      const partition = targets[at]!
      if (partition.staging === undefined) spans.push(partition.open())
      const size = sizeOf(records[at]!) + RECORD_OVERHEAD_BYTES
      offsets[at] = partition.add(partition.staging!, records[at]!, size)
      sizeBytes += size
    }
    for (const span of spans) span.partition.seal(span, control)
    return { spans, offsets, sizeBytes }
  }

  /** Makes staged records visible together with the offsets, or turns them into a hole. Synchronous, so never half. */
  conclude(staged: Staged, state: 'committed' | 'aborted', offsets?: Burst['offsets']): void {
    if (state === 'committed' && offsets) this.commitOffsets(offsets.group, offsets.commits)
    for (const span of staged.spans) span.partition.conclude(span, state)
  }

  /** Takes staged records back, newest first, so that their offsets are given again. */
  unstage(staged: readonly Staged[]): void {
    for (const { spans } of [...staged].reverse()) for (const span of spans) span.partition.unstage(span)
  }

  /** @throws LogError when the burst could never be committed */
  checkBurst(burst: Burst): void {
    this.targetsOf(burst.records)
    for (const commit of burst.offsets?.commits ?? []) {
      this.partition(commit)
      if (Buffer.byteLength(commit.metadata) <= OFFSET_METADATA_BYTES_MAX) continue
      throw new LogError('METADATA_TOO_LARGE', `offset metadata is longer than ${OFFSET_METADATA_BYTES_MAX} bytes`)
    }
  }

  /** A new epoch of a transactional id: every older writer with it is fenced from here on. */
  openProducer(id: string): Producer {
    const epoch = (this.epochs.get(id) ?? -1) + 1
    this.epochs.set(id, epoch)
    return { id, epoch }
  }

  /** Whether a newer writer exists, or the burst's membership is not of the group's current generation. */
  isFenced(producer: Producer, burst: Burst): boolean {
    if (this.epochs.get(producer.id) !== producer.epoch) return true
    const { group, membership } = burst.offsets ?? {}
    return group !== undefined && membership !== undefined && !this.groups.isCurrent(group, membership)
  }

  commitOffsets(group: string, commits: readonly OffsetCommit[]): void {
    const offsets = this.committed.get(group) ?? new Map<string, CommittedOffset>()
    this.committed.set(group, offsets)
    for (const { topic, partition, next, metadata } of commits) {
      offsets.set(`${topic}/${partition}`, { next, metadata })
    }
  }

  committedOffset(group: string, { topic, partition }: TopicPartition): CommittedOffset | undefined {
    return this.committed.get(group)?.get(`${topic}/${partition}`)
  }

  /** Lets every waiting fetch look again (the log closes). */
  wakeAll(): void {
    for (const { partitions } of this.topics.values()) for (const partition of partitions) partition.wake()
  }

  private targetsOf(records: readonly OutgoingRecord[]): PartitionLog[] {
    const targets = new Array<PartitionLog>(records.length)
    let last: PartitionLog | undefined
    for (let at = 0; at < records.length; at++) {
      const record = records[at]!
      if (last === undefined || last.index !== record.partition || last.topic !== record.topic) {
        last = this.partition(record)
      }
      if (sizeOf(record) > RECORD_SIZE_BYTES_MAX) throw tooLarge(record)
      targets[at] = last
    }
    return targets
  }

  private checkTopic({ name, partitions }: TopicConfig): void {
    if (!TOPIC_NAME.test(name)) throw new LogError('INVALID_TOPIC', `${JSON.stringify(name)} is no topic name`)
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
      throw new LogError('INVALID_TOPIC', `topic ${name} cannot have ${partitions} partitions`)
    }
    const existing = this.topics.get(name)?.partitions.length
    if (existing === undefined || existing === partitions) return
    throw new LogError('TOPIC_MISMATCH', `topic ${name} has ${existing} partitions, not ${partitions}`)
  }

  private createTopic(config: TopicConfig): boolean {
    const existing = this.topics.get(config.name)
    if (existing === undefined) {
      const partitions = Array.from({ length: config.partitions }, (_, index) => new PartitionLog(config.name, index))
      this.topics.set(config.name, { config, partitions })
      return true
    }
    const { cleanup, retentionMs } = existing.config
    existing.config = config
    return cleanup !== config.cleanup || retentionMs !== config.retentionMs
  }
}

/** Where a transaction's first record went, per `topic/partition`. */
export function baseOffsetsOf(staged: Staged): Map<string, number> {
  return new Map(staged.spans.map(({ partition, base }) => [`${partition.topic}/${partition.index}`, base]))
}

function tooLarge(record: OutgoingRecord): LogError {
  return new LogError(
    'RECORD_TOO_LARGE',
    `a record of ${sizeOf(record)} bytes for ${record.topic} is above ${RECORD_SIZE_BYTES_MAX} bytes`,
  )
}

/** The newest offset of every key; a record without a key is its own. */
export function newestByKey(records: Iterable<LogRecord>): Map<string, number> {
  const newest = new Map<string, number>()
  for (const { key, offset } of records) if (key !== null) newest.set(keyText(key), offset)
  return newest
}

/** A key's bytes as a map key. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
