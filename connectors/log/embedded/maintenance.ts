import type { Clock } from '../../../streams/ports.ts'
import type { LogCore } from '../core/core.ts'
import type { PartitionLog } from '../core/partition.ts'
import { Compaction, type CompactionParts } from './compaction.ts'
import { putTime, rowRange } from './meta-rows.ts'
import { lastOffsetOf, newestTimestampOf } from './rows.ts'

export interface MaintenanceParts extends CompactionParts {
  readonly core: LogCore
  readonly clock: Clock
}

/** Rows that one round looks at in one partition for their age. */
const AGED_ROWS_MAX = 2_000
/** The time of retention is kept when it is so much later: what it lags by after a start costs nothing. */
const TIME_SAVED_MS = 600_000
const CHUNK_BYTES = 256 * 1024

/**
 * The upkeep of a log: drops records by age, cleans compacted topics, and gives back the space of records before a partition's
 * start. Does one thing at a time, each bounded; a failure (disk full) is left to the next round.
 */
export class Maintenance {
  private readonly parts: MaintenanceParts
  private readonly compaction: Compaction
  private readonly closing = new AbortController()
  /** Up to where the rows of a partition are known to be gone. */
  private readonly cleared = new Map<PartitionLog, number>()
  private running: Promise<void> = Promise.resolve()
  private savedTime = 0

  constructor(parts: MaintenanceParts) {
    this.parts = parts
    this.compaction = new Compaction(parts, this.closing.signal)
  }

  start(intervalMs: number): void {
    this.running = this.loop(intervalMs)
  }

  async stop(): Promise<void> {
    this.closing.abort()
    await this.running
  }

  private async loop(intervalMs: number): Promise<void> {
    for (;;) {
      await this.parts.clock.sleep(intervalMs, this.closing.signal)
      if (this.closing.signal.aborted) return
      await this.round().catch(() => {}) // the writer knows and reports the state of the disk; the next round tries again
    }
  }

  private async round(): Promise<void> {
    await this.saveTime()
    for (const { name, cleanup, retentionMs } of this.parts.core.configs()) {
      for (const partition of this.parts.core.topic(name).partitions) {
        if (this.closing.signal.aborted) return
        if (cleanup === 'delete' && retentionMs !== undefined) await this.dropOlderThan(partition, retentionMs)
        if (cleanup === 'compact') await this.compaction.run(partition)
        await this.clear(partition)
      }
    }
  }

  private async saveTime(): Promise<void> {
    const now = this.parts.time.now()
    if (now - this.savedTime < TIME_SAVED_MS) return
    const { state } = await this.parts.writes.submit({ operations: [putTime(now)] })
    if (state === 'applied') this.savedTime = now
  }

  /** A row goes when its newest record is too old and every row before it goes. */
  private async dropOlderThan(partition: PartitionLog, retentionMs: number): Promise<void> {
    const { store, catalog, writes, time } = this.parts
    const oldest = time.now() - retentionMs
    const { start, stable } = partition
    let next = start
    let rows = 0
    const range = rowRange(catalog.idOf(partition.topic), partition.index, start, stable)
    for await (const [key, value] of store.entries(range, CHUNK_BYTES)) {
      if (newestTimestampOf(value) >= oldest || rows++ >= AGED_ROWS_MAX) break
      next = lastOffsetOf(key) + 1
    }
    if (next === start) return
    partition.deleteBefore(next)
    await writes.submit({ touched: [partition] })
  }

  private async clear(partition: PartitionLog): Promise<void> {
    const { start } = partition
    if (start === (this.cleared.get(partition) ?? 0)) return
    const { store, catalog } = this.parts
    await store.clear(rowRange(catalog.idOf(partition.topic), partition.index, 0, start))
    this.cleared.set(partition, start)
  }
}
