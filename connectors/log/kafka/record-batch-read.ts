import { LogError, type LogRecord, type RecordHeader } from '../../../streams/ports.ts'
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
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  RECORDS_AT,
  TRANSACTIONAL_FLAG,
} from './batch-format.ts'
import { corrupt, readInt64 } from './bytes.ts'
import { decompress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { VarintCursor } from './varint.ts'

/** A batch as it lies in a partition; its records are still bytes. */
export interface RecordBatch {
  readonly baseOffset: number
  /** Of the batch as it was written: compaction may have removed the record that had it, or all of them. */
  readonly lastOffset: number
  /** Of the leader that appended it; -1 before Kafka 0.11. */
  readonly leaderEpoch: number
  readonly producerId: bigint
  readonly transactional: boolean
  /** Its one record is a marker that ends a transaction of the producer. */
  readonly control: boolean
  readonly recordCount: number
  readonly bytes: Buffer
}

const NO_HEADERS: readonly RecordHeader[] = []
/** What a record takes at least: its length and six fields of a byte each. */
const RECORD_BYTES_MIN = 7
const ABORT_MARKER = 0

/**
 * The whole batches of a fetched partition, in order; an answer may end in the middle of one, which is left out.
 * Each is checked against its checksum before anything in it is believed.
 * @throws LogError `CORRUPT` for bytes that are no batch, `UNSUPPORTED_FORMAT` for message sets older than Kafka 0.11
 */
export function readBatches(fetched: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = []
  for (let at = 0; at + MAGIC_AT < fetched.length; ) {
    const length = fetched.readInt32BE(at + LENGTH_AT)
    expectMagic(fetched[at + MAGIC_AT]!, fetched, at)
    if (length < RECORDS_AT - LENGTH_COUNTS_FROM) throw corrupt(`a record batch of ${length} bytes`)
    const end = at + LENGTH_COUNTS_FROM + length
    if (end > fetched.length) break
    batches.push(readBatch(fetched.subarray(at, end)))
    at = end
  }
  return batches
}

function readBatch(bytes: Buffer): RecordBatch {
  const baseOffset = readInt64(bytes, BASE_OFFSET_AT)
  const computed = crc32c(bytes.subarray(ATTRIBUTES_AT))
  const stated = bytes.readUInt32BE(CRC_AT)
  if (computed !== stated)
    throw corrupt(`the batch at offset ${baseOffset} is damaged: its checksum is ${computed}, it states ${stated}`)
  const attributes = bytes.readInt16BE(ATTRIBUTES_AT)
  const lastOffset = baseOffset + bytes.readInt32BE(LAST_OFFSET_DELTA_AT)
  if (lastOffset < baseOffset) throw corrupt(`the batch at offset ${baseOffset} ends before it begins`)
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

/** Appends the batch's records from offset `from` on. Keys, values and headers are views into the fetched bytes. */
export function readRecords(batch: RecordBatch, from: number, into: LogRecord[]): void {
  const { bytes, baseOffset, recordCount } = batch
  const appendTime = (bytes[ATTRIBUTES_AT + 1]! & APPEND_TIME_FLAG) !== 0
  const fixedTimestamp = appendTime ? readInt64(bytes, MAX_TIMESTAMP_AT) : undefined
  const baseTimestamp = readInt64(bytes, BASE_TIMESTAMP_AT)
  const records = recordBytesOf(batch)
  const cursor = new VarintCursor(records, 0)
  for (let index = 0; index < recordCount; index++) {
    const length = cursor.next()
    const end = cursor.at + length
    if (length < RECORD_BYTES_MIN - 1 || end > records.length) throw damaged(batch, index, `is ${length} bytes long`)
    cursor.at++ // attributes: none are defined
    const timestamp = baseTimestamp + cursor.next()
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
    into.push({ offset, timestamp: fixedTimestamp ?? timestamp, key, value, headers })
  }
  if (cursor.at !== records.length) throw damaged(batch, recordCount, 'was not announced')
}

/** Whether the batch is a marker that ends a transaction without effect. A marker whose record was compacted away is none. */
export function isAbortMarker(batch: RecordBatch): boolean {
  if (!batch.control || batch.recordCount === 0) return false
  const records: LogRecord[] = []
  readRecords(batch, batch.baseOffset, records)
  const key = records[0]!.key
  if (key === null || key.length < 4) throw damaged(batch, 0, 'is no control record')
  return key[2] === 0 && key[3] === ABORT_MARKER
}

function recordBytesOf(batch: RecordBatch): Buffer {
  const { bytes, recordCount } = batch
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

function expectMagic(magic: number, fetched: Buffer, at: number): void {
  if (magic === MAGIC) return
  const offset = fetched.readBigInt64BE(at + BASE_OFFSET_AT)
  if (magic > MAGIC) throw corrupt(`a batch of unknown format ${magic} at offset ${offset}`)
  const what = `a message set of format ${magic} at offset ${offset}, from before Kafka 0.11`
  throw new LogError('UNSUPPORTED_FORMAT', `${what}: copy the topic with a newer client`)
}

function damaged(batch: RecordBatch, index: number, what: string) {
  return corrupt(`record ${index} of the batch at offset ${batch.baseOffset} ${what}`)
}
