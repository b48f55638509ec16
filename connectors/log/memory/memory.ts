import type {
  Appender,
  Burst,
  Clock,
  CommitOutcome,
  FetchOptions,
  FetchPosition,
  GroupListener,
  JoinOptions,
  Log,
  Membership,
  OutgoingRecord,
  TopicConfig,
  TopicPartition,
  TransactionalWriter,
} from '../../../streams/ports.ts'
import { systemClock } from '../../system-clock.ts'
import { baseOffsetsOf, LogCore, type Producer } from '../core/core.ts'
import { joinLocally } from '../core/local-membership.ts'
import { closedError, LongPoll } from '../core/long-poll.ts'
import { maintainMemory } from './memory-maintenance.ts'

export interface MemoryLogOptions {
  readonly clock?: Clock
  /** Time between two rounds of retention and compaction; never when undefined. */
  readonly maintenanceIntervalMs?: number
}

/** A log in memory without faults, for tests and benches. Key and value bytes are kept as given: do not change them. */
export function createMemoryLog(options: MemoryLogOptions = {}): Log {
  const log = new MemoryLog(options.clock ?? systemClock)
  if (options.maintenanceIntervalMs !== undefined) void log.maintain(options.maintenanceIntervalMs)
  return log
}

/** The present content of this core's log: for an oracle that reads it while nothing happens. */
export function memoryLogOver(core: LogCore): Log {
  return new MemoryLog(systemClock, core)
}

class MemoryLog implements Log {
  private readonly core: LogCore
  private readonly clock: Clock
  private readonly polls: LongPoll
  private readonly closing = new AbortController()

  constructor(clock: Clock, core = new LogCore()) {
    this.clock = clock
    this.core = core
    this.polls = new LongPoll(this.core, clock)
  }

  async maintain(intervalMs: number): Promise<void> {
    const cleaned = new Map<string, number>()
    for (;;) {
      await this.clock.sleep(intervalMs, this.closing.signal)
      if (this.closing.signal.aborted) return
      maintainMemory(this.core, this.clock.now(), cleaned)
    }
  }

  async createTopics(topics: readonly TopicConfig[]): Promise<void> {
    this.checkOpen()
    this.core.createTopics(topics)
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
    const read = () =>
      positions.map((position) => this.core.partition(position).read(position.offset, options.maxBytesPerPartition))
    return this.polls.fetch(read, positions, options)
  }

  async join(options: JoinOptions, listener: GroupListener): Promise<Membership> {
    this.checkOpen()
    return joinLocally(this.core.groups, options, listener)
  }

  async transactionalWriter(transactionalId: string): Promise<TransactionalWriter> {
    this.checkOpen()
    const producer = this.core.openProducer(transactionalId)
    return { commit: async (burst) => this.commit(producer, burst), close: async () => {} }
  }

  async appender(): Promise<Appender> {
    this.checkOpen()
    return { append: async (records) => this.append(records), close: async () => {} }
  }

  async deleteRecords(before: readonly FetchPosition[]): Promise<void> {
    this.checkOpen()
    for (const position of before) this.core.partition(position).deleteBefore(position.offset)
  }

  async close(): Promise<void> {
    this.closing.abort()
    this.polls.close()
  }

  private append(records: readonly OutgoingRecord[]): readonly number[] {
    this.checkOpen()
    const staged = this.core.stage(records, false)
    this.core.conclude(staged, 'committed')
    return staged.offsets
  }

  private commit(producer: Producer, burst: Burst): CommitOutcome {
    try {
      this.checkOpen()
      this.core.checkBurst(burst)
    } catch (cause) {
      return { outcome: 'aborted', cause }
    }
    if (this.core.isFenced(producer, burst)) return { outcome: 'fenced' }
    const staged = this.core.stage(burst.records, true)
    this.core.conclude(staged, 'committed', burst.offsets)
    return { outcome: 'committed', baseOffsets: baseOffsetsOf(staged) }
  }

  private checkOpen(): void {
    if (this.closing.signal.aborted) throw closedError()
  }
}
