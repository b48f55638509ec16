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
} from '../../streams/ports.ts'
import { baseOffsetsOf, LogCore, type Producer } from './core.ts'
import { joinLocally } from './local-membership.ts'
import { closedError, LongPoll } from './long-poll.ts'
import { systemClock } from './system-clock.ts'

/** A log in memory without faults, for tests and benches. Key and value bytes are kept as given: do not change them. */
export function createMemoryLog(options: { readonly clock?: Clock; readonly core?: LogCore } = {}): Log {
  return new MemoryLog(options.core ?? new LogCore(), options.clock ?? systemClock)
}

class MemoryLog implements Log {
  private readonly core: LogCore
  private readonly polls: LongPoll
  private closed = false

  constructor(core: LogCore, clock: Clock) {
    this.core = core
    this.polls = new LongPoll(core, clock)
  }

  async createTopics(topics: readonly TopicConfig[]): Promise<void> {
    this.checkOpen()
    this.core.createTopics(topics)
  }

  async partitionCount(topic: string): Promise<number> {
    return this.core.topic(topic).partitions.length
  }

  async bounds(partitions: readonly TopicPartition[]) {
    return partitions.map((partition) => {
      const { start, stable } = this.core.partition(partition)
      return { start, stable }
    })
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
    this.closed = true
    this.polls.close()
  }

  private append(records: readonly OutgoingRecord[]): readonly number[] {
    this.checkOpen()
    const staged = this.core.stage(records, false)
    this.core.settle(staged, 'committed')
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
    this.core.settle(staged, 'committed', burst.offsets)
    return { outcome: 'committed', baseOffsets: baseOffsetsOf(staged) }
  }

  private checkOpen(): void {
    if (this.closed) throw closedError()
  }
}
