import { LogError, type LogRecord, type RecordHeader } from '../../../streams/ports.ts'
import { crc32c } from '../core/crc32c.ts'
import {
  APPEND_TIME_FLAG,
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_TIMESTAMP_AT,
  COMPRESSION_MASK,
  CONTROL_FLAG,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  LENGTH_COUNTS_FROM,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  RECORDS_AT,
  TRANSACTIONAL_FLAG,
} from './batch-format.ts'
import { corrupt, readLooseInt64 } from './byte-reader.ts'
import { decompress } from './compression.ts'
import { BATCH_RECORDS_MAX, FAULT_BYTES_KEPT, RECORD_BYTES_MAX } from './limits.ts'
import { VarintCursor } from './varint.ts'

/** A batch as it lies in a partition; its records are still bytes. */
export interface RecordBatch {
  readonly baseOffset: number
  /** Last offset of the batch as it was written: compaction may have removed the record that had it, or all of them. */
  readonly lastOffset: number
  /** Epoch of the leader that appended it; -1 before Kafka 0.11. */
  readonly leaderEpoch: number
  readonly producerId: bigint
  readonly transactional: boolean
  /** The batch has one record, a control record that ends a transaction of the producer. */
  readonly control: boolean
  readonly recordCount: number
  readonly bytes: Buffer
}

const NO_HEADERS: readonly RecordHeader[] = []
/** The smallest record: its length and six fields of a byte each. */
const RECORD_BYTES_MIN = 7
/** One more is the last number that is exact. */
const OFFSET_MAX = Number.MAX_SAFE_INTEGER - 1
const ABORT_MARKER = 0
const COMMIT_MARKER = 1

/** Bytes in the place of a batch that are not what was written there. */
export interface DamagedBatch {
  readonly baseOffset: number
  /** The offset at which a reader that passes over it goes on. */
  readonly next: number
  readonly error: LogError
}

/** A whole batch of before Kafka 0.11, which nobody has written for years: its records are not looked at. */
export interface OldBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: Buffer
  readonly error: LogError
}

export type FoundBatch = RecordBatch | OldBatch | DamagedBatch

export const isDamaged = (batch: FoundBatch): batch is DamagedBatch => 'next' in batch
export const isOld = (batch: FoundBatch): batch is OldBatch => 'lastOffset' in batch && 'error' in batch

/**
 * The whole batches of a fetched partition, in order; an answer may end in the middle of one, which is left out.
 * Each is checked against its checksum before anything in it is believed. Nothing comes behind a damaged one.
 */
export function* readBatches(fetched: Buffer): Generator<FoundBatch, void, void> {
  for (let at = 0; at + MAGIC_AT < fetched.length; ) {
    const length = fetched.readInt32BE(at + LENGTH_AT)
    const magic = fetched[at + MAGIC_AT]!
    const end = at + LENGTH_COUNTS_FROM + length
    if (magic > MAGIC || length < (magic < MAGIC ? OLD_BATCH_BYTES_MIN : RECORDS_AT) - LENGTH_COUNTS_FROM) {
      const what = magic > MAGIC ? `is of unknown format ${magic}` : `is ${length} bytes long`
      return yield damagedAt(fetched, at, undefined, corrupt(`the batch ${what}`))
    }
    if (end > fetched.length) return
    const batch = magic < MAGIC ? oldBatch(fetched, at, end, magic) : readBatch(fetched, at, end)
    yield batch
    if (isDamaged(batch)) return
    at = end
  }
}

/** Offset, size, checksum, format, attributes, and at least an empty key and value. */
const OLD_BATCH_BYTES_MIN = 26

function oldBatch(fetched: Buffer, at: number, end: number, magic: number): OldBatch | DamagedBatch {
  const offset = readLooseInt64(fetched, at + BASE_OFFSET_AT)
  if (!Number.isSafeInteger(offset)) return damagedAt(fetched, at, end, corrupt('the message set has no such offset'))
  const what = `a message set of format ${magic} at offset ${offset}, from before Kafka 0.11`
  const error = new LogError('UNSUPPORTED_FORMAT', `${what}: copy the topic with a newer client`)
  return { baseOffset: offset, lastOffset: offset, bytes: fetched.subarray(at, end), error }
}

/** @param end end of the batch, when its length can be believed */
function damagedAt(fetched: Buffer, at: number, end: number | undefined, error: LogError): DamagedBatch {
  const baseOffset = Math.min(readLooseInt64(fetched, at + BASE_OFFSET_AT), OFFSET_MAX) // another would have none behind it
  const behind = end === undefined || end + LENGTH_AT > fetched.length ? 0 : readLooseInt64(fetched, end)
  return { baseOffset, next: Number.isSafeInteger(behind) ? Math.max(behind, baseOffset + 1) : baseOffset + 1, error }
}

function readBatch(fetched: Buffer, at: number, end: number): RecordBatch | DamagedBatch {
  const bytes = fetched.subarray(at, end)
  const computed = crc32c(bytes.subarray(ATTRIBUTES_AT))
  const stated = bytes.readUInt32BE(CRC_AT)
  if (computed !== stated)
    return damagedAt(
      fetched,
      at,
      end,
      corrupt(`the batch is damaged: its checksum is ${computed}, it states ${stated}`),
    )
  const baseOffset = readLooseInt64(bytes, BASE_OFFSET_AT)
  const attributes = bytes.readInt16BE(ATTRIBUTES_AT)
  const lastOffset = baseOffset + bytes.readInt32BE(LAST_OFFSET_DELTA_AT)
  if (lastOffset < baseOffset || !Number.isSafeInteger(lastOffset))
    return damagedAt(fetched, at, end, corrupt('the batch ends before it begins'))
  return {
    baseOffset,
    lastOffset,
    leaderEpoch: bytes.readInt32BE(LEADER_EPOCH_AT),
    producerId: bytes.readBigInt64BE(PRODUCER_ID_AT),
    transactional: (attributes & TRANSACTIONAL_FLAG) !== 0,
    control: (attributes & CONTROL_FLAG) !== 0,
    recordCount: bytes.readInt32BE(RECORD_COUNT_AT),
    bytes,
  }
}

/**
 * Appends the batch's records from offset `from` on. Keys, values and headers are views into the fetched bytes; of a record
 * above RECORD_BYTES_MAX the beginnings of key and value are copied.
 * @returns the bytes of its records, unpacked
 * @throws LogError for a batch that cannot be taken apart: `CORRUPT`, and what `decompress` throws
 */
export function readRecords(batch: RecordBatch, from: number, into: LogRecord[]): number {
  const { bytes, baseOffset, recordCount } = batch
  const appendTime = (bytes[ATTRIBUTES_AT + 1]! & APPEND_TIME_FLAG) !== 0
  const fixedTimestamp = appendTime ? readLooseInt64(bytes, MAX_TIMESTAMP_AT) : undefined
  const baseTimestamp = readLooseInt64(bytes, BASE_TIMESTAMP_AT)
  const records = recordBytesOf(batch)
  const cursor = new VarintCursor(records, 0)
  for (let index = 0; index < recordCount; index++) {
    const length = cursor.next()
    const end = cursor.at + length
    if (length < RECORD_BYTES_MIN - 1 || end > records.length) throw damaged(batch, index, `is ${length} bytes long`)
    cursor.at++ // attributes: none are defined
    const timestamp = baseTimestamp + cursor.nextLoose()
    const offset = baseOffset + cursor.next()
    if (offset < from) {
      cursor.at = end
      continue
    }
    const key = view(records, cursor, end)
    const value = view(records, cursor, end)
    const headerCount = cursor.next()
    const headers = headerCount === 0 ? NO_HEADERS : readHeaders(records, cursor, end, headerCount)
    if (cursor.at !== end || offset > batch.lastOffset) throw damaged(batch, index, 'does not end where it should')
    const record = { offset, timestamp: fixedTimestamp ?? timestamp, key, value, headers }
    into.push(length > RECORD_BYTES_MAX ? oversize(record, length) : record)
  }
  if (cursor.at !== records.length) throw damaged(batch, recordCount, 'was not announced')
  return records.length
}

/** One record in the place of a batch that cannot be taken apart. @param from the first offset that is wanted */
export function faultyRecord({ baseOffset, bytes }: OldBatch | RecordBatch, from: number, error: LogError): LogRecord {
  const timestamp = bytes[MAGIC_AT] === MAGIC ? readLooseInt64(bytes, BASE_TIMESTAMP_AT) : -1
  const reason = error.code === 'TOO_LARGE' ? 'oversize' : 'batch'
  return {
    offset: Math.max(baseOffset, from),
    timestamp,
    key: null,
    value: beginningOf(bytes),
    headers: NO_HEADERS,
    fault: { reason, message: error.message, sizeBytes: bytes.length },
  }
}

function oversize({ key, value, ...record }: LogRecord, sizeBytes: number): LogRecord {
  const message = `a record of ${sizeBytes} bytes; at most ${RECORD_BYTES_MAX} are taken`
  const fault = { reason: 'oversize', message, sizeBytes } as const
  return { ...record, key: key && beginningOf(key), value: value && beginningOf(value), headers: NO_HEADERS, fault }
}

/** A copy: what it was cut from may be large. */
const beginningOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.subarray(0, FAULT_BYTES_KEPT))

/** Whether the batch is a control batch that ends a transaction without effect. One whose record was compacted away is none. */
export const isAbortControl = (batch: RecordBatch): boolean => controlOf(batch) === ABORT_MARKER

/** Epoch of the batch's producer; -1 where it has none. */
export const producerEpochOf = ({ bytes }: RecordBatch): number => bytes.readInt16BE(PRODUCER_EPOCH_AT)

/** How the batch ends a transaction; undefined when it is no control batch, or ends none. */
export function endIn(batch: RecordBatch): 'COMMIT' | 'ABORT' | undefined {
  const control = controlOf(batch)
  if (control === COMMIT_MARKER) return 'COMMIT'
  return control === ABORT_MARKER ? 'ABORT' : undefined
}

function controlOf(batch: RecordBatch): number | undefined {
  if (!batch.control || batch.recordCount === 0) return undefined
  const records: LogRecord[] = []
  readRecords(batch, batch.baseOffset, records)
  const key = records[0]!.key
  if (key === null || key.length < 4) throw damaged(batch, 0, 'is no control record')
  return key[2]! * 256 + key[3]!
}

function recordBytesOf(batch: RecordBatch): Buffer {
  const { bytes, recordCount } = batch
  if (recordCount > BATCH_RECORDS_MAX)
    throw new LogError('TOO_LARGE', `a batch of ${recordCount} records; at most ${BATCH_RECORDS_MAX} are taken`)
  const records = bytes.subarray(RECORDS_AT)
  const codec = bytes[ATTRIBUTES_AT + 1]! & COMPRESSION_MASK
  const plain = codec === 0 || recordCount === 0 ? records : decompress(codec, records)
  if (recordCount < 0 || recordCount * RECORD_BYTES_MIN > plain.length)
    throw damaged(batch, 0, `is one of ${recordCount} in ${plain.length} bytes`)
  return plain
}

function view(records: Buffer, cursor: VarintCursor, end: number): Buffer | null {
  const length = cursor.next()
  if (length === -1) return null
  const from = cursor.at
  const to = from + length
  if (length < 0 || to > end) throw corrupt(`a field of ${length} bytes in a record that has ${end - from} left`)
  cursor.at = to
  return records.subarray(from, to)
}

function readHeaders(records: Buffer, cursor: VarintCursor, end: number, count: number): RecordHeader[] {
  if (count < 0 || count > end - cursor.at) throw corrupt(`${count} headers in ${end - cursor.at} bytes`)
  const headers: RecordHeader[] = []
  for (let index = 0; index < count; index++) {
    const key = view(records, cursor, end)
    if (key === null) throw corrupt('a header without a name')
    headers.push({ key: key.toString(), value: view(records, cursor, end) ?? records.subarray(0, 0) })
  }
  return headers
}

function damaged(batch: RecordBatch, index: number, what: string) {
  return corrupt(`record ${index} of the batch at offset ${batch.baseOffset} ${what}`)
}
