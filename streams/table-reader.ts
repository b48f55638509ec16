import type { GlobalTable } from './global-table.ts'
import type { RecordTopic } from './kafka-topic.ts'
import {
  type Clock,
  type FetchPosition,
  type Log,
  type LogRecord,
  type PartitionBounds,
  PositionLostError,
  type TopicPartition,
} from './ports.ts'
import { readRange } from './read-range.ts'
import { type OnUnreadable, readRecord } from './read-record.ts'
import { retried } from './retry.ts'

const FETCH_BYTES = 1024 * 1024
const FOLLOW_WAIT_MS = 500
/** For so long an offset that is waited for may lie behind all that readers see, until that is told. */
const BEHIND_MS = 30_000

interface Waiter {
  readonly partition: number
  readonly offset: number
  readonly since: number
  told: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Reads a compacted topic whole, then follows it. */
export class TableReader implements GlobalTable<unknown, unknown> {
  private readonly rows = new Map<string, unknown>()
  private readonly waiters = new Set<Waiter>()
  private readonly log: Log
  private readonly clock: Clock
  private readonly topic: RecordTopic<unknown, unknown>
  private readonly signal: AbortSignal
  private readonly tell: OnUnreadable
  /** Where the partitions began when the table was loaded: it holds no row from before. */
  starts: readonly FetchPosition[] = []
  private positions: readonly FetchPosition[] = []
  /** Set when the topic is not followed any more: the table holds something else than the topic. */
  private lost: PositionLostError | undefined

  /** @param tell told of records that are none of the topic: these are not in the table */
  constructor(
    { log, clock, signal }: { readonly log: Log; readonly clock: Clock; readonly signal: AbortSignal },
    topic: RecordTopic<unknown, unknown>,
    tell: OnUnreadable,
  ) {
    this.log = log
    this.clock = clock
    this.topic = topic
    this.signal = signal
    this.tell = tell
  }

  get(key: unknown): unknown {
    return this.rows.get(latin1(this.topic.key.encode(key)))
  }

  get size(): number {
    return this.rows.size
  }

  /** Resolves when the table holds everything that was there when the call was made. */
  async load(): Promise<void> {
    const [all, bounds] = await this.bounds(this.signal)
    const reading = { log: this.log, clock: this.clock, signal: this.signal }
    this.starts = all.map((at, i) => ({ ...at, offset: bounds[i]!.start }))
    for (const [i, start] of this.starts.entries()) {
      const read = () => readRange(reading, start, bounds[i]!.stable, (record) => this.apply(start.partition, record))
      await retried(this.clock, this.signal, read)
    }
    this.positions = all.map((at, i) => ({ ...at, offset: bounds[i]!.stable }))
  }

  /**
   * Applies what is written, until the runtime stops.
   * @throws PositionLostError when the topic is not any more what the table was read from; so does then everybody who waits
   */
  async follow(): Promise<void> {
    try {
      while (!this.signal.aborted) await this.advance()
    } catch (error) {
      if (error instanceof PositionLostError) this.lost = error
      throw error
    } finally {
      for (const { reject } of this.waiters) reject(this.closed())
      this.waiters.clear()
    }
  }

  /**
   * Resolves when every record of a partition below `offset` has been applied. Rejects when the runtime stops first. That nobody sees
   * so much of the topic is told, and waited for all the same: without the rows nothing can be decided by the table.
   */
  reached(offset: number, partition = 0): Promise<void> {
    if (this.positions[partition]!.offset >= offset) return Promise.resolve()
    if (this.lost || this.signal.aborted) return Promise.reject(this.closed())
    const since = this.clock.now()
    return new Promise((resolve, reject) =>
      this.waiters.add({ partition, offset, since, told: false, resolve, reject }),
    )
  }

  /** Resolves when the table holds everything that was there when the call was made, or when the signal is aborted. */
  async current(signal: AbortSignal): Promise<void> {
    const [, bounds] = await this.bounds(signal)
    const reached = Promise.all(bounds.map(({ stable }, partition) => this.reached(stable, partition)))
    reached.catch(() => {}) // heard by the race, if that still runs
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    if (!signal.aborted) await Promise.race([reached, aborted])
  }

  private closed(): Error {
    return this.lost ?? new Error(`global table ${this.topic.name} is closed`)
  }

  private async bounds(signal: AbortSignal): Promise<[readonly TopicPartition[], readonly PartitionBounds[]]> {
    const { name: topic, partitions } = this.topic
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    return [all, await retried(this.clock, signal, () => this.log.bounds(all))]
  }

  private async advance(): Promise<void> {
    const { signal } = this
    const fetched = await retried(this.clock, signal, () =>
      this.log.fetch(this.positions, { maxWaitMs: FOLLOW_WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal }),
    )
    this.positions = fetched.map(({ topic, partition, records, next, start, outOfRange }, at) => {
      const { offset } = this.positions[at]!
      if (outOfRange && offset < start) throw deleted({ topic, partition, offset }, start)
      if (outOfRange) throw truncated({ topic, partition, offset })
      for (const record of records) if (record.offset >= offset) this.apply(partition, record)
      return { topic, partition, offset: Math.max(offset, next) }
    })
    this.releaseWaiters()
    for (const { partition, stable } of fetched) this.tellOfWaiters(partition, stable)
  }

  private apply(partition: number, record: LogRecord): void {
    const read = readRecord(this.topic, partition, record, this.tell)
    if (read === undefined) return
    const row = latin1(record.key!)
    if (read.value === null) this.rows.delete(row)
    else this.rows.set(row, read.value)
  }

  private tellOfWaiters(partition: number, stable: number): void {
    for (const waiter of this.waiters) {
      if (waiter.told || waiter.partition !== partition || waiter.offset <= stable) continue
      if (this.clock.now() - waiter.since < BEHIND_MS) continue
      waiter.told = true
      const why = `it is waited for, and readers see offset ${stable} at most: rows were lost, or the record that names it is wrong`
      this.tell({ topic: this.topic.name, partition, offset: waiter.offset, reason: 'damaged', why })
    }
  }

  private releaseWaiters(): void {
    for (const waiter of this.waiters) {
      if (this.positions[waiter.partition]!.offset < waiter.offset) continue
      this.waiters.delete(waiter)
      waiter.resolve()
    }
  }
}

const truncated = ({ topic, partition, offset }: FetchPosition): PositionLostError =>
  new PositionLostError(
    'TRUNCATED',
    { topic, partition },
    `${topic}/${partition} ends before offset ${offset}, up to which a global table was read: records were lost`,
  )

const deleted = ({ topic, partition, offset }: FetchPosition, start: number): PositionLostError =>
  new PositionLostError(
    'RECORDS_DELETED',
    { topic, partition },
    `${topic}/${partition} begins at offset ${start}, but a global table was read from it up to ${offset} only: rows between were deleted`,
  )

/** Bytes as a map key. */
export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
