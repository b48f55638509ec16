import type { FetchedPartition, LogRecord, OutgoingRecord } from '../../../streams/ports.ts'

/**
 * The records that one append or one transaction put into one partition. It takes its offsets when it is staged and is `open`
 * until it is concluded; readers see past it only when it and everything before it is concluded (Kafka's last stable offset).
 */
export interface Span {
  readonly partition: PartitionLog
  readonly base: number
  readonly records: LogRecord[]
  /** First offset behind the span, its control record included. */
  next: number
  sizeBytes: number
  state: 'open' | 'committed' | 'aborted'
}

/** Bytes a record is counted with in every bound, beside its key, value and headers: about what its object costs in memory. */
export const RECORD_OVERHEAD_BYTES = 96

const NO_HEADERS: LogRecord['headers'] = []

/** In the places of records that are no longer in memory. */
const GONE: LogRecord = { offset: -1, timestamp: 0, key: null, value: null, headers: NO_HEADERS }
/** How far the front of the record array may be empty before it is cut off. */
const EMPTY_FRONT_MAX = 4_096

/** A partition: its bounds, its open spans, and the visible records that are held in memory (all, or only the tail). */
export class PartitionLog {
  readonly topic: string
  readonly index: number
  start = 0
  end = 0
  /** Records at or above this offset are in memory; below it only storage has them. */
  cachedFrom = 0
  /** Where the staging of the moment collects this partition's records. */
  staging: Span | undefined
  private unconcluded: Span[] = []
  private records: LogRecord[] = []
  private front = 0
  private readonly waiting = new Set<() => void>()

  constructor(topic: string, index: number) {
    this.topic = topic
    this.index = index
  }

  /** Takes over the bounds of a partition whose records lie in storage. */
  restore(start: number, end: number): void {
    this.start = start
    this.end = end
    this.cachedFrom = end
  }

  get stable(): number {
    return this.unconcluded[0]?.base ?? this.end
  }

  /** Begins a span at the end of the partition. */
  open(): Span {
    const span: Span = { partition: this, base: this.end, records: [], next: this.end, sizeBytes: 0, state: 'open' }
    this.unconcluded.push(span)
    this.staging = span
    return span
  }

  /** Gives the record the next offset. */
  add(span: Span, record: OutgoingRecord, sizeBytes: number): number {
    const offset = this.end++
    span.records.push({
      offset,
      timestamp: record.timestamp,
      key: record.key,
      value: record.value,
      headers: record.headers ?? NO_HEADERS,
    })
    span.sizeBytes += sizeBytes
    return offset
  }

  /** Ends the span; a transaction's control record takes one offset. */
  seal(span: Span, control: boolean): void {
    if (control) this.end++
    span.next = this.end
    this.staging = undefined
  }

  /** Commits or aborts a span; an aborted one leaves a hole. Wakes readers when the stable offset moved. */
  conclude(span: Span, state: 'committed' | 'aborted'): void {
    span.state = state
    let concluded = 0
    for (; concluded < this.unconcluded.length; concluded++) {
      const first = this.unconcluded[concluded]!
      if (first.state === 'open') break
      if (first.state === 'committed') for (const record of first.records) this.records.push(record)
    }
    if (concluded === 0) return
    this.unconcluded = this.unconcluded.slice(concluded)
    this.wake()
  }

  /** Takes the last span back as if it had never been; only for the newest one. */
  unstage(span: Span): void {
    if (this.unconcluded.pop() !== span) throw new Error('only the newest span can be taken back')
    this.end = span.base
  }

  /** Visible records from memory. The position must be at or above `cachedFrom`. */
  read(from: number, sizeBytesMax: number): FetchedPartition {
    const { topic, index: partition, stable, start } = this
    if (from < start || from > this.end) {
      return { topic, partition, records: [], next: from, stable, start, outOfRange: true }
    }
    const first = this.find(from)
    let last = first
    for (let size = 0; last < this.records.length; last++) {
      size += sizeOf(this.records[last]!)
      if (size > sizeBytesMax && last > first) break
    }
    const next = last < this.records.length ? this.records[last]!.offset : Math.max(stable, from)
    return { topic, partition, records: this.records.slice(first, last), next, stable, start, outOfRange: false }
  }

  /** Drops from memory what lies below `offset`. */
  evictBefore(offset: number): void {
    if (offset <= this.cachedFrom) return
    this.cachedFrom = offset
    const front = this.find(offset)
    this.records.fill(GONE, this.front, front) // the array is cut later, and what lies before its front must be let go now
    this.front = front
    if (this.front > EMPTY_FRONT_MAX && this.front > this.records.length / 2) this.cut()
  }

  /** Moves the start of the partition; never beyond what readers may see. @returns the new start */
  deleteBefore(offset: number): number {
    const start = Math.max(this.start, Math.min(offset, this.stable))
    this.start = start
    this.evictBefore(start)
    return start
  }

  /** Keeps the records in memory that `keep` wants (compaction of a log that lives in memory alone). */
  filter(keep: (record: LogRecord) => boolean): void {
    this.cut()
    this.records = this.records.filter(keep)
  }

  /** The records in memory, oldest first. */
  *visible(): Iterable<LogRecord> {
    for (let at = this.front; at < this.records.length; at++) yield this.records[at]!
  }

  /** Calls `listener` once, when the stable offset moves or the log closes. @returns stops waiting */
  onMoved(listener: () => void): () => void {
    this.waiting.add(listener)
    return () => this.waiting.delete(listener)
  }

  wake(): void {
    if (this.waiting.size === 0) return
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const listener of woken) listener()
  }

  private cut(): void {
    this.records = this.records.slice(this.front)
    this.front = 0
  }

  /** Index of the first record at or above `offset`. */
  private find(offset: number): number {
    let low = this.front
    let high = this.records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.records[middle]!.offset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Bytes of a record as every bound counts them, without the fixed overhead. */
export function sizeOf(record: Omit<OutgoingRecord, 'topic' | 'partition'>): number {
  let size = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  if (record.headers) for (const header of record.headers) size += header.key.length + header.value.length
  return size
}
