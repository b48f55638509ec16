import type { LogRecord } from '../../../streams/ports.ts'
import { keyText } from '../core/core.ts'
import type { PartitionLog } from '../core/partition.ts'
import type { Catalog } from './catalog.ts'
import type { LevelOperation } from './level-operation.ts'
import type { LevelStore } from './level-store.ts'
import { rowRange } from './meta-rows.ts'
import type { RetentionTime } from './retention-time.ts'
import { coversFrom, lastOffsetOf, repackRow, unpackRow } from './rows.ts'
import type { WriteQueue } from './write-queue.ts'

/** A partition is cleaned when it has so many new records, and at least as many as were kept the last time. */
const DIRTY_RECORDS_MIN = 1_000

/** Keys held in memory by one pass; the rest waits for the next. */
const KEYS_MAX = 250_000

/** Bytes of rows that one run reads in each of its two steps; a pass over a larger partition goes on in the next run. */
const READ_BYTES_PER_RUN = 64 * 1024 * 1024

/** How long a tombstone stays after it is alone, so that slow readers see it (Kafka's delete.retention.ms). */
const TOMBSTONE_RETENTION_MS = 24 * 60 * 60 * 1000

const CHUNK_BYTES = 1024 * 1024
const REWRITES_PER_WRITE = 64

export interface CompactionParts {
  readonly store: LevelStore
  readonly catalog: Catalog
  readonly writes: WriteQueue
  /** By which records are too old. */
  readonly time: RetentionTime
}

/** A pass over a partition: first it learns the newest offset of every key, then it drops what is older. */
interface Pass {
  readonly newest: Map<string, number>
  /** Up to where keys were learnt. */
  learnt: number
  /** Whether learning has ended. */
  sealed: boolean
  /** Up to where rows were cleaned. */
  cleaned: number
  kept: number
}

interface CleanedRow {
  readonly key: Buffer
  readonly kept: readonly LogRecord[]
  /** First offset that the row covers. */
  readonly covers: number
  /** Nothing was dropped from it. */
  readonly isSame: boolean
}

/** The changes of one write of a pass. Rows that lost everything become one row without records, so that the chain holds. */
class Rewrites {
  private readonly operations: LevelOperation[] = []
  private empty: { readonly covers: number; key: Buffer; isSame: boolean } | undefined

  get size(): number {
    return this.operations.length
  }

  add({ key, kept, covers, isSame }: CleanedRow): void {
    if (kept.length === 0 && this.empty) {
      this.operations.push({ type: 'del', key: this.empty.key })
      this.empty.key = key
      this.empty.isSame = false
    } else if (kept.length === 0) this.empty = { covers, key, isSame }
    else {
      this.end()
      if (!isSame) this.operations.push({ type: 'put', ...repackRow(key, kept, covers) })
    }
  }

  end(): LevelOperation[] {
    if (this.empty && !this.empty.isSame)
      this.operations.push({ type: 'put', ...repackRow(this.empty.key, [], this.empty.covers) })
    this.empty = undefined
    return this.operations
  }
}

/**
 * Compaction of `compact` topics on disk. Each rewritten row replaces itself atomically and only loses records that a newer
 * one has overtaken, so a crash at any moment leaves a correct log that is merely less clean.
 */
export class Compaction {
  private readonly parts: CompactionParts
  private readonly signal: AbortSignal
  private readonly passes = new Map<PartitionLog, Pass>()

  constructor(parts: CompactionParts, signal: AbortSignal) {
    this.parts = parts
    this.signal = signal
  }

  async run(partition: PartitionLog): Promise<void> {
    const pass = this.passes.get(partition) ?? this.begin(partition)
    if (pass === undefined) return
    try {
      if (!pass.sealed) await this.learn(partition, pass)
      if (pass.sealed && (await this.clean(partition, pass))) await this.finish(partition, pass)
    } catch (error) {
      this.passes.delete(partition)
      throw error
    }
  }

  private begin(partition: PartitionLog): Pass | undefined {
    const { clean, kept } = this.parts.catalog.cleanedOf(partition)
    const from = Math.max(clean, partition.start)
    if (partition.stable - from < Math.max(DIRTY_RECORDS_MIN, kept)) return undefined
    const pass = { newest: new Map(), learnt: from, sealed: false, cleaned: partition.start, kept: 0 }
    this.passes.set(partition, pass)
    return pass
  }

  private async learn(partition: PartitionLog, pass: Pass): Promise<void> {
    let read = 0
    for await (const [key, value] of this.rows(partition, pass.learnt, partition.stable)) {
      for (const record of unpackRow(key, value, 0)) {
        if (record.key !== null) pass.newest.set(keyText(record.key), record.offset)
      }
      pass.learnt = lastOffsetOf(key) + 1
      read += value.length
      pass.sealed = pass.newest.size >= KEYS_MAX
      if (pass.sealed || read >= READ_BYTES_PER_RUN || this.signal.aborted) return
    }
    pass.sealed = true
  }

  /** @returns whether the end was reached */
  private async clean(partition: PartitionLog, pass: Pass): Promise<boolean> {
    let rewrites = new Rewrites()
    let read = 0
    for await (const [key, value] of this.rows(partition, pass.cleaned, pass.learnt)) {
      const records = unpackRow(key, value, 0)
      const kept = records.filter((record) => this.keeps(partition, pass, record))
      pass.kept += kept.length
      rewrites.add({ key, kept, covers: coversFrom(value) ?? pass.cleaned, isSame: kept.length === records.length })
      pass.cleaned = lastOffsetOf(key) + 1
      read += value.length
      if (rewrites.size >= REWRITES_PER_WRITE) rewrites = await this.write(rewrites)
      if (read < READ_BYTES_PER_RUN && !this.signal.aborted) continue
      await this.write(rewrites)
      return false
    }
    await this.write(rewrites)
    return true
  }

  private keeps(partition: PartitionLog, pass: Pass, { key, value, offset, timestamp }: LogRecord): boolean {
    if (key === null) return true
    const newest = pass.newest.get(keyText(key))
    if (newest !== undefined && newest > offset) return false
    // The record below the last pass's end is alone under its key by now: nothing older can come back.
    const alone = offset < this.parts.catalog.cleanedOf(partition).clean
    return value !== null || !alone || timestamp >= this.parts.time.now() - TOMBSTONE_RETENTION_MS
  }

  private async finish(partition: PartitionLog, pass: Pass): Promise<void> {
    this.passes.delete(partition)
    partition.evictBefore(pass.learnt) // memory still has what was dropped
    this.parts.catalog.setCleaned(partition, { clean: pass.learnt, kept: pass.kept })
    await this.parts.writes.submit({ touched: [partition] })
  }

  private async write(rewrites: Rewrites): Promise<Rewrites> {
    const operations = rewrites.end()
    if (operations.length === 0) return rewrites
    const result = await this.parts.writes.submit({ operations })
    if (result.state !== 'applied') throw result.cause
    return new Rewrites()
  }

  private rows(partition: PartitionLog, from: number, to: number) {
    const range = rowRange(this.parts.catalog.idOf(partition.topic), partition.index, from, to)
    return this.parts.store.entries(range, CHUNK_BYTES)
  }
}
