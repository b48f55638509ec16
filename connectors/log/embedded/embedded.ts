import {
  type Appender,
  type Burst,
  type Clock,
  type CommitOutcome,
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  type GroupListener,
  type JoinOptions,
  type Log,
  LogError,
  type Membership,
  type OutgoingRecord,
  type TopicConfig,
  type TopicPartition,
  type TransactionalWriter,
} from '../../../streams/ports.ts'
import { systemClock } from '../../system-clock.ts'
import { baseOffsetsOf, LogCore, type Producer } from '../core/core.ts'
import { joinLocally } from '../core/local-membership.ts'
import { LongPoll } from '../core/long-poll.ts'
import { Catalog } from './catalog.ts'
import { readFromDisk } from './disk-read.ts'
import { LevelStore } from './level-store.ts'
import { Maintenance } from './maintenance.ts'
import { RetentionTime } from './retention-time.ts'
import { TailCache } from './tail-cache.ts'
import { WriteQueue, type WriteResult } from './write-queue.ts'

export interface EmbeddedLogOptions {
  readonly directory: string
  readonly clock?: Clock
  /** Refuse (`NOT_FOUND`) instead of creating a log; for tools that read one. */
  readonly mustExist?: boolean
  /** Newest records kept in memory for readers at the tail. */
  readonly tailSizeBytes?: number
  /** Bytes that LevelDB is given at once; a larger transaction is written in pieces. */
  readonly writeBytes?: number
  /** Makes the store; a test gives one that fails. */
  readonly createStore?: (directory: string) => LevelStore
  /** Time between two rounds of retention and compaction. */
  readonly maintenanceIntervalMs?: number
}

const TAIL_SIZE_BYTES = 64 * 1024 * 1024
const MAINTENANCE_INTERVAL_MS = 30_000

/**
 * Opens the durable log of one process. An acknowledged record is on disk: a transaction, or an append, is part of one synced
 * LevelDB batch. Key and value bytes are kept as given until they are written: do not change them.
 * @throws LogError `NOT_FOUND`, `LOCKED`, `READ_ONLY`, `NOT_A_DIRECTORY`, `DISK_FULL`, `CORRUPT`, `FORMAT_NEWER`, `IO_ERROR`
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const store = options.createStore?.(options.directory) ?? new LevelStore(options.directory)
  await store.open(options.mustExist ?? false)
  const core = new LogCore()
  const catalog = new Catalog()
  const clock = options.clock ?? systemClock
  const tail = new TailCache(options.tailSizeBytes ?? TAIL_SIZE_BYTES)
  try {
    const sequence = await catalog.load(store, core)
    const { writeBytes } = options
    const writes = new WriteQueue({ core, store, catalog, tail, clock, sequence, ...(writeBytes && { writeBytes }) })
    const now = clock.now()
    const time = new RetentionTime(clock, Math.min(now, (await catalog.keptTime(store, core)) ?? now))
    const maintenance = new Maintenance({ core, store, catalog, writes, clock, time })
    maintenance.start(options.maintenanceIntervalMs ?? MAINTENANCE_INTERVAL_MS)
    return new EmbeddedLog({ core, store, catalog, writes, maintenance, clock })
  } catch (error) {
    await store.close()
    throw error
  }
}

interface Parts {
  readonly core: LogCore
  readonly store: LevelStore
  readonly catalog: Catalog
  readonly writes: WriteQueue
  readonly maintenance: Maintenance
  readonly clock: Clock
}

class EmbeddedLog implements Log {
  private readonly core: LogCore
  private readonly parts: Parts
  private readonly writes: WriteQueue
  private readonly polls: LongPoll
  /** The commit on its way of each transactional id. */
  private readonly committing = new Map<string, Promise<CommitOutcome>>()
  private closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.core = parts.core
    this.parts = parts
    this.writes = parts.writes
    this.polls = new LongPoll(parts.core, parts.clock)
  }

  async createTopics(topics: readonly TopicConfig[]): Promise<void> {
    this.writes.check()
    this.parts.catalog.add(this.core.createTopics(topics))
    if (this.parts.catalog.unsavedTopics().length > 0) expectApplied(await this.writes.submit({}))
  }

  async partitionCount(topic: string): Promise<number> {
    return this.core.topic(topic).partitions.length
  }

  async topicIds(): Promise<undefined> {}

  async bounds(partitions: readonly TopicPartition[]) {
    return partitions.map((partition) => {
      const { start, stable } = this.core.partition(partition)
      return { start, stable }
    })
  }

  async ends(partitions: readonly TopicPartition[]) {
    return partitions.map((partition) => this.core.partition(partition).end)
  }

  async committedOffsets(group: string, partitions: readonly TopicPartition[]) {
    return partitions.map((partition) => this.core.committedOffset(group, partition))
  }

  async fetch(positions: readonly FetchPosition[], options: FetchOptions) {
    return this.polls.fetch(() => this.read(positions, options.maxBytesPerPartition), positions, options)
  }

  async join(options: JoinOptions, listener: GroupListener): Promise<Membership> {
    this.writes.check()
    return joinLocally(this.core.groups, options, listener)
  }

  async transactionalWriter(transactionalId: string): Promise<TransactionalWriter> {
    this.writes.check()
    const producer = this.core.openProducer(transactionalId)
    await this.committing.get(transactionalId)
    this.writes.check() // an outcome nobody knows yet must be resolved before the id is used again
    return { commit: (burst) => this.commit(producer, burst), close: async () => {} }
  }

  async appender(): Promise<Appender> {
    this.writes.check()
    return { append: (records) => this.append(records), close: async () => {} }
  }

  async deleteRecords(before: readonly FetchPosition[]): Promise<void> {
    this.writes.check()
    const touched = before.map((position) => this.core.partition(position))
    touched.forEach((partition, at) => {
      partition.deleteBefore(before[at]!.offset)
    })
    expectApplied(await this.writes.submit({ touched }))
  }

  close(): Promise<void> {
    this.closing ??= this.shut()
    return this.closing
  }

  private async shut(): Promise<void> {
    this.polls.close()
    await this.parts.maintenance.stop()
    await this.writes.close()
    await this.parts.store.close()
  }

  private read(
    positions: readonly FetchPosition[],
    sizeBytesMax: number,
  ): FetchedPartition[] | Promise<FetchedPartition[]> {
    const { store, catalog } = this.parts
    let waits = false
    const answers = positions.map((position) => {
      const partition = this.core.partition(position)
      const { offset } = position
      if (offset >= partition.cachedFrom || offset < partition.start) return partition.read(offset, sizeBytesMax)
      waits = true
      return readFromDisk(store, catalog, partition, offset, sizeBytesMax)
    })
    return waits ? Promise.all(answers) : (answers as FetchedPartition[])
  }

  private async append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    this.writes.check()
    this.core.checkBurst({ records })
    return expectApplied(await this.writes.submit({ records })).staged.offsets
  }

  /** Fencing is decided here, when the burst is handed in: from then on a newer writer waits until it is concluded. */
  private async commit(producer: Producer, burst: Burst): Promise<CommitOutcome> {
    try {
      this.writes.check()
      this.core.checkBurst(burst)
    } catch (cause) {
      return { outcome: 'aborted', cause }
    }
    if (this.core.isFenced(producer, burst)) return { outcome: 'fenced' }
    const committing = this.commitNow(burst)
    this.committing.set(producer.id, committing)
    const outcome = await committing
    if (this.committing.get(producer.id) === committing) this.committing.delete(producer.id)
    return outcome
  }

  private async commitNow({ records, offsets }: Burst): Promise<CommitOutcome> {
    const result = await this.writes.submit({ records, control: true, ...(offsets && { offsets }) })
    if (result.state === 'applied') return { outcome: 'committed', baseOffsets: baseOffsetsOf(result.staged) }
    return { outcome: result.state === 'refused' ? 'aborted' : 'unknown', cause: result.cause }
  }
}

function expectApplied(result: WriteResult) {
  if (result.state === 'applied') return result
  const { code, message, retriable } = result.cause
  const indefinite = result.state === 'unknown'
  throw new LogError(code, message, { retriable, indefinite, cause: result.cause })
}
