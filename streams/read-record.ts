/**
 * The one way to read a record of a topic. Every client with access to a topic may write anything there, so a reader gets the key
 * and the value, or is told why the record is none of its topic; no content of a record makes a reader throw.
 */
import type { RecordTopic } from './kafka-topic.ts'
import type { FetchedPartition, LogRecord } from './ports.ts'
import { checkSeal, ForgedError } from './seals.ts'

/**
 * - `null-key`, `null-value`: there is none, and the topic has no tombstones.
 * - `timestamp`: no time in milliseconds between 1970 and TIMESTAMP_MAX_MS.
 * - `undecodable`: bytes that the serde of the topic does not read.
 * - `oversize`: larger than the driver of the log unpacks, so that only its beginning is there.
 * - `batch`: the driver cannot take the batch apart; the record stands for all of it.
 * - `forged`: it lacks the seal of who may write the topic, or is a copy of one that has it; or nothing that it must rest on is there.
 * - `damaged`: the log holds other bytes than were written. Only readers that look on go past it.
 */
export const UNREADABLE_REASONS = [
  'null-key',
  'null-value',
  'timestamp',
  'undecodable',
  'oversize',
  'batch',
  'forged',
  'damaged',
] as const
export type UnreadableReason = (typeof UNREADABLE_REASONS)[number]

/** The end of the year 9999, ms. Our days in microseconds or nanoseconds lie far above it. */
export const TIMESTAMP_MAX_MS = 253_402_300_799_999

/** A record that is none of its topic. */
export class UnreadableError extends Error {
  readonly reason: UnreadableReason
  constructor(reason: UnreadableReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'UnreadableError'
    this.reason = reason
  }
}

export interface Unreadable {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly reason: UnreadableReason
  /** In words. */
  readonly why: string
}

/** Told of each record that a reader leaves out; a record that is read again is told again. */
export type OnUnreadable = (unreadable: Unreadable) => void

export interface ReadRecord<K, V> {
  readonly offset: number
  readonly timestamp: number
  readonly key: K
  /** Null is a tombstone; there are none but in compacted topics. */
  readonly value: V | null
  /** As it lies in the log. */
  readonly record: LogRecord
}

export interface ReadingOptions<V> {
  /** Takes the sealed records of the partition in their order; without it each seal is looked at alone. */
  readonly guard?: { take(record: LogRecord): void } | undefined
  /** Others are left out without a look at their seals, which takes some ten times as long as decoding. */
  readonly wanted?: (value: V | null) => boolean
}

/** Undefined for a record that is none of the topic; then `tell` has heard of it. */
export function readRecord<K, V>(
  topic: RecordTopic<K, V>,
  partition: number,
  record: LogRecord,
  tell: OnUnreadable,
  { guard, wanted }: ReadingOptions<V> = {},
): ReadRecord<K, V> | undefined {
  const { offset, timestamp, key, value } = record
  try {
    checkRecord(topic, record)
    const read = { offset, timestamp, key: topic.key.decode(key!), value: value && topic.value.decode(value), record }
    if (wanted && !wanted(read.value)) return undefined
    if (guard) guard.take(record)
    else if (topic.seals)
      checkSeal(topic.seals, { topic: topic.name, partition, key: key!, value: value!, headers: record.headers })
    return read
  } catch (error) {
    tell({ topic: topic.name, partition, offset, reason: reasonOf(error), why: (error as Error).message })
    return undefined
  }
}

/** The records of a partition that are of the topic, in order. */
export function* readRecords<K, V>(
  topic: RecordTopic<K, V>,
  partition: number,
  records: readonly LogRecord[],
  tell: OnUnreadable,
  options?: ReadingOptions<V>,
): Generator<ReadRecord<K, V>> {
  for (const record of records) {
    const read = readRecord(topic, partition, record, tell, options)
    if (read) yield read
  }
}

/** The checks that need no decoding. @throws UnreadableError */
export function checkRecord(
  { cleanup }: Pick<RecordTopic<unknown, unknown>, 'cleanup'>,
  { key, value, timestamp, fault }: LogRecord,
): void {
  if (fault !== undefined) throw new UnreadableError(fault.reason, fault.message)
  if (key === null) throw new UnreadableError('null-key', 'the key is null')
  if (value === null && cleanup === 'delete') throw new UnreadableError('null-value', 'the value is null')
  if (!isTimestamp(timestamp))
    throw new UnreadableError('timestamp', `${timestamp} is no time in milliseconds between the years 1970 and 9999`)
}

export const isTimestamp = (ms: number): boolean => ms >= 0 && ms <= TIMESTAMP_MAX_MS

/** Decoding is pure: whatever it throws is the record's. */
export function reasonOf(error: unknown): UnreadableReason {
  if (error instanceof ForgedError) return 'forged'
  return error instanceof UnreadableError ? error.reason : 'undecodable'
}

/**
 * The position at which a reader that only looks on continues behind an answer: it passes over records that are gone or damaged.
 */
export function positionBehind(
  { topic, partition, next, start, outOfRange, damaged, failure }: FetchedPartition,
  tell: OnUnreadable,
): number {
  if (outOfRange) return start
  if (damaged === undefined) return next
  tell({ topic, partition, offset: next, reason: 'damaged', why: failure?.message ?? 'damaged' })
  return damaged.next
}
