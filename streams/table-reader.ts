import type { GlobalTable } from './global-table.ts'
import type { KafkaTopic } from './kafka-topic.ts'
import type { FetchPosition, Log } from './ports.ts'

const FETCH_BYTES = 1024 * 1024
const FOLLOW_WAIT_MS = 500

/** Reads a compacted topic whole, then follows it. */
export class TableReader implements GlobalTable<unknown, unknown> {
  private readonly rows = new Map<string, unknown>()
  private positions: FetchPosition[] = []
  private readonly waiters = new Set<() => void>()
  private readonly topic: KafkaTopic<unknown, unknown>
  private readonly log: Log

  constructor(log: Log, topic: KafkaTopic<unknown, unknown>) {
    this.log = log
    this.topic = topic
  }

  get(key: unknown): unknown {
    return this.rows.get(Buffer.from(this.topic.key.encode(key)).toString('latin1'))
  }
  get size(): number {
    return this.rows.size
  }

  /** Resolves when the table holds everything that was there when the call was made. */
  async load(): Promise<void> {
    const partitions = Array.from({ length: this.topic.partitions }, (_, partition) => ({
      topic: this.topic.name,
      partition,
    }))
    const bounds = await this.log.bounds(partitions)
    this.positions = partitions.map((tp, i) => ({ ...tp, offset: bounds[i]!.start }))
    while (this.positions.some(({ offset }, i) => offset < bounds[i]!.stable)) await this.advance(0)
  }

  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.advance(FOLLOW_WAIT_MS, signal)
  }

  /** Resolves when every record of partition 0 below `offset` has been applied. */
  reached(offset: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.positions[0]!.offset < offset) return
        this.waiters.delete(look)
        resolve()
      }
      this.waiters.add(look)
      look()
    })
  }

  private async advance(maxWaitMs: number, signal?: AbortSignal): Promise<void> {
    const fetched = await this.log.fetch(this.positions, {
      maxWaitMs,
      maxBytesPerPartition: FETCH_BYTES,
      ...(signal && { signal }),
    })
    for (const { records } of fetched) {
      for (const { key, value } of records) {
        const row = Buffer.from(key!).toString('latin1')
        if (value === null) this.rows.delete(row)
        else this.rows.set(row, this.topic.value.decode(value))
      }
    }
    this.positions = fetched.map(({ topic, partition, next, outOfRange, start }) => ({
      topic,
      partition,
      offset: outOfRange ? start : next,
    }))
    for (const look of this.waiters) look()
  }
}
