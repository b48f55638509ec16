import type { GlobalTable } from './global-table.ts'
import type { KafkaTopic } from './kafka-topic.ts'
import type { Clock, FetchPosition, Log } from './ports.ts'
import { retried } from './retry.ts'

const FETCH_BYTES = 1024 * 1024
const FOLLOW_WAIT_MS = 500
/** A fetch below the end that finds nothing and gets nowhere: twice, and there is nothing (only control records). */
const EMPTY_FETCHES_MAX = 2

interface Waiter {
  readonly offset: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Reads a compacted topic whole, then follows it. */
export class TableReader implements GlobalTable<unknown, unknown> {
  private readonly rows = new Map<string, unknown>()
  private readonly waiters = new Set<Waiter>()
  private readonly log: Log
  private readonly clock: Clock
  private readonly topic: KafkaTopic<unknown, unknown>
  private readonly signal: AbortSignal
  private positions: readonly FetchPosition[] = []

  constructor(log: Log, clock: Clock, topic: KafkaTopic<unknown, unknown>, signal: AbortSignal) {
    this.log = log
    this.clock = clock
    this.topic = topic
    this.signal = signal
  }

  get(key: unknown): unknown {
    return this.rows.get(latin1(this.topic.key.encode(key)))
  }

  get size(): number {
    return this.rows.size
  }

  /** Resolves when the table holds everything that was there when the call was made. */
  async load(): Promise<void> {
    const { name: topic, partitions } = this.topic
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    const bounds = await retried(this.clock, this.signal, () => this.log.bounds(all))
    this.positions = all.map((at, i) => ({ ...at, offset: bounds[i]!.start }))
    let emptyFetches = 0
    while (
      this.positions.some(({ offset }, i) => offset < bounds[i]!.stable) &&
      emptyFetches < EMPTY_FETCHES_MAX &&
      !this.signal.aborted
    )
      emptyFetches = (await this.advance(0)) ? 0 : emptyFetches + 1
  }

  /** Applies what is written, until the runtime stops. */
  async follow(): Promise<void> {
    try {
      while (!this.signal.aborted) await this.advance(FOLLOW_WAIT_MS)
    } finally {
      for (const { reject } of this.waiters) reject(new Error(`global table ${this.topic.name} is closed`))
      this.waiters.clear()
    }
  }

  /** Resolves when every record of partition 0 below `offset` has been applied. Rejects when the runtime stops first. */
  reached(offset: number): Promise<void> {
    if (this.positions[0]!.offset >= offset) return Promise.resolve()
    if (this.signal.aborted) return Promise.reject(new Error(`global table ${this.topic.name} is closed`))
    return new Promise((resolve, reject) => this.waiters.add({ offset, resolve, reject }))
  }

  /** @returns whether there was anything new */
  private async advance(maxWaitMs: number): Promise<boolean> {
    const { signal } = this
    const fetched = await retried(this.clock, signal, () =>
      this.log.fetch(this.positions, { maxWaitMs, maxBytesPerPartition: FETCH_BYTES, signal }),
    )
    for (const { records } of fetched) for (const { key, value } of records) if (key !== null) this.apply(key, value)
    const before = this.positions
    this.positions = fetched.map(({ topic, partition, next, outOfRange, start }) => ({
      topic,
      partition,
      offset: outOfRange ? start : next,
    }))
    this.settleWaiters()
    return this.positions.some(({ offset }, at) => offset !== before[at]!.offset)
  }

  private apply(key: Uint8Array, value: Uint8Array | null): void {
    const row = latin1(key)
    if (value === null) this.rows.delete(row)
    else this.rows.set(row, this.topic.value.decode(value))
  }

  private settleWaiters(): void {
    for (const waiter of this.waiters) {
      if (this.positions[0]!.offset < waiter.offset) continue
      this.waiters.delete(waiter)
      waiter.resolve()
    }
  }
}

/** Bytes as a map key. */
export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
