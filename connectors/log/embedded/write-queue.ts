import { doubling } from '../../../streams/back-off.ts'
import { type Burst, type Clock, LogError, type LogRecord, type OutgoingRecord } from '../../../streams/ports.ts'
import type { LogCore, Staged } from '../core/core.ts'
import { type PartitionLog, sizeOf } from '../core/partition.ts'
import type { Catalog } from './catalog.ts'
import type { LevelOperation } from './level-operation.ts'
import type { LevelStore } from './level-store.ts'
import { putOffset, putSequence, putTopic, readSequence, type StoredTopic, sequenceKey } from './meta-rows.ts'
import type { SumChange } from './meta-sum.ts'
import { packRows } from './rows.ts'
import type { TailCache } from './tail-cache.ts'

/** A thing to be written, whole or not at all. */
export interface WriteRequest {
  readonly records?: readonly OutgoingRecord[]
  /** Whether the records are a transaction, which leaves control records. */
  readonly control?: boolean
  readonly offsets?: Burst['offsets']
  readonly operations?: readonly LevelOperation[]
  /** Partitions whose bounds row is to be written although no record goes there. */
  readonly touched?: readonly PartitionLog[]
}

/** `refused`: certainly not written. `unknown`: the disk does not tell yet. */
export type WriteResult =
  | { readonly state: 'applied'; readonly staged: Staged }
  | { readonly state: 'refused' | 'unknown'; readonly cause: LogError }

interface Pending {
  readonly request: WriteRequest
  readonly sizeBytes: number
  readonly reply: (result: WriteResult) => void
}

interface Writing extends Pending {
  readonly staged: Staged
}

/** The records that are written to one partition. */
interface Rows {
  /** End of the partition before this write. */
  readonly first: number
  readonly records: readonly LogRecord[]
}

/** The content of one LevelDB batch on its way to disk. */
interface WriteGroup {
  readonly sequence: number
  readonly topics: readonly StoredTopic[]
  readonly writing: readonly Writing[]
}

/** Records in one write: enough to make the sync cheap, small enough that the next ones do not wait long. */
const WRITE_RECORDS_MAX = 20_000

/**
 * Bytes in one write beyond which no other request joins it, and a request that has more is written in pieces: a write of
 * this size is as cheap per byte as any, and while it lasts LevelDB holds all of it twice.
 */
const WRITE_BYTES = 16 * 1024 * 1024

/** Records that may wait for their write; beyond, callers are refused and have to slow down. */
const WAITING_RECORDS_MAX = 400_000

const reopenPauseMs = doubling({ firstMs: 250, mostMs: 5_000 })

/**
 * The one writer of an embedded log. Requests that arrive while a write is on its way go together into the next one: one synced
 * LevelDB batch, atomic as a whole, so each request in it is too (group commit).
 *
 * A transaction too large for one write goes ahead in pieces, rows only. The last piece has what makes them count (bounds,
 * offsets, number), so a crash before it leaves rows behind the end of a partition, which nobody reads and opening erases.
 *
 * When a write fails LevelDB is opened again, and the number of the last write, which is part of every batch, tells whether
 * the failed one is there after all. Until it can be opened, everything is refused and what was on its way is `unknown`.
 */
export class WriteQueue {
  private readonly core: LogCore
  private readonly store: LevelStore
  private readonly catalog: Catalog
  private readonly tail: TailCache
  private readonly clock: Clock
  private readonly closing = new AbortController()
  private waiting: Pending[] = []
  /** The change that the write on its way makes to the sum of topics, bounds and offsets. */
  private change: SumChange | undefined
  private waitingRecords = 0
  private draining: Promise<void> | undefined
  private recovering: Promise<void> | undefined
  private failure: LogError | undefined
  private sequence: number
  private readonly writeBytes: number

  constructor(parts: {
    readonly core: LogCore
    readonly store: LevelStore
    readonly catalog: Catalog
    readonly tail: TailCache
    readonly clock: Clock
    readonly sequence: number
    readonly writeBytes?: number
  }) {
    this.core = parts.core
    this.store = parts.store
    this.catalog = parts.catalog
    this.tail = parts.tail
    this.clock = parts.clock
    this.sequence = parts.sequence
    this.writeBytes = parts.writeBytes ?? WRITE_BYTES
  }

  /** @throws LogError while the disk does not take writes, or after `close` */
  check(): void {
    if (this.closing.signal.aborted) throw new LogError('CLOSED', 'the log is closed')
    if (this.failure) throw this.failure
  }

  submit(request: WriteRequest): Promise<WriteResult> {
    const count = request.records?.length ?? 0
    if (this.failure) return Promise.resolve({ state: 'refused', cause: this.failure })
    if (this.waitingRecords > 0 && this.waitingRecords + count > WAITING_RECORDS_MAX) {
      const cause = new LogError('OVERLOADED', `${this.waitingRecords} records wait to be written`, { retriable: true })
      return Promise.resolve({ state: 'refused', cause })
    }
    return new Promise((reply) => {
      this.waiting.push({ request, reply, sizeBytes: bytesOf(request.records ?? []) })
      this.waitingRecords += count
      this.draining ??= this.drain()
    })
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.draining
    await this.recovering
  }

  private async drain(): Promise<void> {
    await undefined // requests submitted in the same turn share the first write
    while (this.waiting.length > 0) await this.write(this.take())
    this.draining = undefined
  }

  private take(): Pending[] {
    let count = 0
    let records = 0
    let sizeBytes = 0
    while (count < this.waiting.length && records < WRITE_RECORDS_MAX && sizeBytes < this.writeBytes) {
      const next = this.waiting[count++]!
      records += next.request.records?.length ?? 0
      sizeBytes += next.sizeBytes
    }
    this.waitingRecords -= records
    return this.waiting.splice(0, count)
  }

  private async write(pending: readonly Pending[]): Promise<void> {
    const writing = pending.map((one) => {
      const { records = [], control = false } = one.request
      return { ...one, staged: this.core.stage(records, control) }
    })
    const group = { sequence: this.sequence + 1, topics: this.catalog.unsavedTopics(), writing }
    try {
      for (const piece of this.piecesOf(group)) await this.store.write(piece)
    } catch (error) {
      return await this.recover(group, error as LogError)
    }
    await this.applied(group)
  }

  private async applied({ writing, sequence, topics }: WriteGroup): Promise<void> {
    const partitions = new Set(writing.flatMap(({ staged }) => staged.spans.map(({ partition }) => partition)))
    await this.store.noteEnd(
      sequence,
      [...partitions].map((partition) => this.catalog.endOf(partition)),
    )
    if (topics.length > 0) await this.store.keepTopics(this.catalog.storedTopics(this.core))
    this.sequence = sequence
    this.catalog.sum.accept(this.change!)
    this.catalog.saved(topics)
    for (const { request, staged } of writing) {
      this.core.conclude(staged, 'committed', request.offsets)
      for (const span of staged.spans) this.tail.add(span)
    }
    for (const { reply, staged } of writing) reply({ state: 'applied', staged })
  }

  private async recover(group: WriteGroup, cause: LogError): Promise<void> {
    this.failure = cause
    if (await this.reopen(group, cause)) return
    for (const { reply } of group.writing) reply({ state: 'unknown', cause })
    for (const { reply } of this.waiting.splice(0)) reply({ state: 'refused', cause })
    this.waitingRecords = 0
    this.recovering = this.reopenWhenPossible(group, cause)
  }

  private async reopenWhenPossible(group: WriteGroup, cause: LogError): Promise<void> {
    for (let failures = 1; ; failures++) {
      await this.clock.sleep(reopenPauseMs(failures), this.closing.signal)
      if (this.closing.signal.aborted || (await this.reopen(group, cause))) return
    }
  }

  /** Opens LevelDB again and resolves the write on its way. @returns false when it cannot be opened now */
  private async reopen(group: WriteGroup, cause: LogError): Promise<boolean> {
    let stored: number
    try {
      await this.store.reopen()
      stored = readSequence(await this.store.get(sequenceKey)).sequence
      if (stored < this.sequence)
        throw new LogError('CORRUPT', `the log lost writes: it ends with ${stored} instead of ${this.sequence}`)
      if (stored !== group.sequence)
        for (const { partition, base } of group.writing.flatMap(({ staged }) => staged.spans))
          await this.catalog.eraseFrom(this.store, partition, base)
    } catch (error) {
      this.failure = error as LogError
      return false
    }
    this.failure = undefined
    if (stored === group.sequence) {
      await this.applied(group)
      return true
    }
    this.core.unstage(group.writing.map(({ staged }) => staged))
    for (const { reply } of group.writing) reply({ state: 'refused', cause })
    return true
  }

  /**
   * The operations to be written: mostly one piece, several for a large transaction. Each is packed when the one before it is on
   * disk.
   */
  private *piecesOf({ writing, sequence, topics }: WriteGroup): Generator<LevelOperation[]> {
    const operations: LevelOperation[] = topics.map(putTopic)
    const recordsOf = new Map<PartitionLog, Rows>()
    for (const { request, staged } of writing) {
      for (const operation of request.operations ?? []) operations.push(operation)
      for (const partition of request.touched ?? [])
        if (!recordsOf.has(partition)) recordsOf.set(partition, { first: partition.end, records: [] })
      for (const { partition, base, records } of staged.spans) {
        const earlier = recordsOf.get(partition)
        if (earlier === undefined || earlier.records.length === 0) recordsOf.set(partition, { first: base, records })
        else recordsOf.set(partition, { first: earlier.first, records: earlier.records.concat(records) })
      }
      const { group, commits } = request.offsets ?? { group: '', commits: [] }
      for (const commit of commits) operations.push(putOffset(group, this.catalog.idOf(commit.topic), commit))
    }
    let piece: LevelOperation[] = []
    let bytes = 0
    for (const [partition, { first, records }] of recordsOf) {
      for (const row of packRows(this.catalog.idOf(partition.topic), partition.index, records, first, partition.end)) {
        if (bytes > 0 && bytes + row.value.length > this.writeBytes) {
          yield piece
          piece = []
          bytes = 0
        }
        piece.push({ type: 'put', ...row })
        bytes += row.value.length
      }
      operations.push(this.catalog.boundsRow(partition))
    }
    this.change = this.catalog.sum.after(operations)
    yield [...piece, ...operations, putSequence({ sequence, sum: this.change.sum })]
  }
}

function bytesOf(records: readonly OutgoingRecord[]): number {
  let sizeBytes = 0
  for (const record of records) sizeBytes += sizeOf(record)
  return sizeBytes
}
