import { crc32 } from 'node:zlib'
import { LogError, type LogRecord, type RecordHeader } from '../../../streams/ports.ts'

/**
 * How records lie in LevelDB. A row holds consecutive records of one partition; its key is
 * `r | topic id (u32) | partition (u32) | last offset (u64)`, big-endian, so that rows sort by offset and the first row at
 * or above a position holds it. The last offset covers what lies behind the last record: control records and holes.
 *
 * Value: CRC-32 of the key and of the rest (u32) | number of records, with CHAINED (u32) | first record's offset (f64) |
 * newest timestamp (f64) | first offset that the row covers (f64) | records, each
 * `offset - first (u32) | timestamp (f64) | key length (i32, -1 = null) | value length (i32, -1 = null) | headers (u16) |
 * key | value | headers, each key length (u32), key, value length (u32), value`. All little-endian.
 *
 * The rows of a partition are a chain: each begins where the one before it ends, so that a missing one shows. A record that
 * compaction or a repair takes out leaves a row without records in its place. Rows of format 1 lack CHAINED and the first offset,
 * and their CRC leaves out the key: among them only a missing row of a topic that is not compacted shows.
 */
const ROW_KIND = 0x72

/** A row is closed when it has this many bytes: small enough to read one for one record, large enough to be read fast. */
const ROW_SIZE_BYTES = 128 * 1024

/** Records of one row; offsets in a row differ by less than 2^32. */
const ROW_RECORDS_MAX = 8_192

const ROW_HEAD_BYTES = 32
const ROW_HEAD_BYTES_V1 = 24

/** Bit of the number of records: the row knows where it begins. */
const CHAINED = 0x8000_0000
const RECORD_HEAD_BYTES = 22

export interface Row {
  readonly key: Buffer
  readonly value: Buffer
}

export function rowKey(topicId: number, partition: number, lastOffset: number): Buffer {
  const key = Buffer.allocUnsafe(17)
  key[0] = ROW_KIND
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  key.writeUInt32BE(Math.floor(lastOffset / 2 ** 32), 9)
  key.writeUInt32BE(lastOffset % 2 ** 32, 13)
  return key
}

/** Last offset that a row's key covers. */
export function lastOffsetOf(key: Buffer): number {
  return key.readUInt32BE(9) * 2 ** 32 + key.readUInt32BE(13)
}

/**
 * Rows of records of one partition, each packed when it is asked for.
 * @param first the partition's end before them @param next first offset behind them, control records included
 */
export function* packRows(
  topicId: number,
  partition: number,
  records: readonly LogRecord[],
  first: number,
  next: number,
): Generator<Row> {
  let covers = first
  for (let from = 0; from < records.length; ) {
    let to = from
    let size = ROW_HEAD_BYTES
    while (to < records.length && to - from < ROW_RECORDS_MAX && (to === from || size < ROW_SIZE_BYTES)) {
      size += packedSize(records[to++]!)
    }
    const lastOffset = to < records.length ? records[to]!.offset - 1 : next - 1
    const key = rowKey(topicId, partition, lastOffset)
    yield { key, value: packRow(key, records, { from, to, size, covers }) }
    covers = lastOffset + 1
    from = to
  }
}

/** A row that covers the same offsets with only some of its records, or none. @param covers first offset that it covers */
export function repackRow(key: Buffer, records: readonly LogRecord[], covers: number): Row {
  const size = records.reduce((sum, record) => sum + packedSize(record), ROW_HEAD_BYTES)
  return { key, value: packRow(key, records, { from: 0, to: records.length, size, covers }) }
}

/** Newest timestamp in a row, in ms. */
export function newestTimestampOf(value: Buffer): number {
  return value.readDoubleLE(16)
}

const isChained = (value: Buffer): boolean => value.readUInt32LE(4) >= CHAINED

/** First offset that a row covers; undefined in a row of format 1, which does not tell. */
export function coversFrom(value: Buffer): number | undefined {
  return isChained(value) ? value.readDoubleLE(24) : undefined
}

/** Offset of the first record; of a row without records, or of none, no number that means anything. */
export function firstOffsetOf(value: Buffer): number {
  return value.readDoubleLE(8)
}

/** Whether the bytes are what was written under this key. */
export function isSound(key: Buffer, value: Buffer): boolean {
  if (value.length < ROW_HEAD_BYTES_V1) return false
  const expected = value.readUInt32LE(0)
  if (!isChained(value)) return expected === crc32(value.subarray(4))
  return value.length >= ROW_HEAD_BYTES && expected === crc32(value.subarray(4), crc32(key))
}

/**
 * The records of a row from `from` on.
 * @throws LogError `CORRUPT` when the bytes are not what was written
 */
export function unpackRow(key: Buffer, value: Buffer, from: number): LogRecord[] {
  if (!isSound(key, value)) throw new LogError('CORRUPT', 'a row of the log is damaged (its checksum differs)')
  const count = value.readUInt32LE(4) % CHAINED
  const base = value.readDoubleLE(8)
  const records: LogRecord[] = []
  let at = isChained(value) ? ROW_HEAD_BYTES : ROW_HEAD_BYTES_V1
  for (let index = 0; index < count; index++) {
    const offset = base + value.readUInt32LE(at)
    const keyLength = value.readInt32LE(at + 12)
    const valueLength = value.readInt32LE(at + 16)
    const headerCount = value.readUInt16LE(at + 20)
    const keyAt = at + RECORD_HEAD_BYTES
    const valueAt = keyAt + Math.max(0, keyLength)
    const headersAt = valueAt + Math.max(0, valueLength)
    const end = headerCount === 0 ? headersAt : skipHeaders(value, headersAt, headerCount)
    if (offset >= from) {
      records.push({
        offset,
        timestamp: value.readDoubleLE(at + 4),
        key: keyLength < 0 ? null : value.subarray(keyAt, valueAt),
        value: valueLength < 0 ? null : value.subarray(valueAt, headersAt),
        headers: headerCount === 0 ? [] : unpackHeaders(value, headersAt, headerCount),
      })
    }
    at = end
  }
  return records
}

function packedSize(record: LogRecord): number {
  let size = RECORD_HEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const { key, value } of record.headers) size += 8 + Buffer.byteLength(key) + value.length
  return size
}

interface RowContent {
  /** The range of the records that the row holds. */
  readonly from: number
  readonly to: number
  /** Bytes that the row takes. */
  readonly size: number
  readonly covers: number
}

function packRow(key: Buffer, records: readonly LogRecord[], { from, to, size, covers }: RowContent): Buffer {
  const row = Buffer.allocUnsafe(size)
  const base = from < to ? records[from]!.offset : covers
  let newest = Number.NEGATIVE_INFINITY
  let at = ROW_HEAD_BYTES
  for (let index = from; index < to; index++) {
    const record = records[index]!
    if (record.timestamp > newest) newest = record.timestamp
    at = packRecord(row, at, record, base)
  }
  row.writeUInt32LE(CHAINED + to - from, 4)
  row.writeDoubleLE(base, 8)
  row.writeDoubleLE(newest, 16)
  row.writeDoubleLE(covers, 24)
  row.writeUInt32LE(crc32(row.subarray(4), crc32(key)), 0)
  return row
}

function packRecord(row: Buffer, from: number, record: LogRecord, base: number): number {
  const { key, value, headers } = record
  row.writeUInt32LE(record.offset - base, from)
  row.writeDoubleLE(record.timestamp, from + 4)
  row.writeInt32LE(key === null ? -1 : key.length, from + 12)
  row.writeInt32LE(value === null ? -1 : value.length, from + 16)
  row.writeUInt16LE(headers.length, from + 20)
  let at = from + RECORD_HEAD_BYTES
  if (key !== null) {
    row.set(key, at)
    at += key.length
  }
  if (value !== null) {
    row.set(value, at)
    at += value.length
  }
  for (const header of headers) at = packHeader(row, at, header)
  return at
}

function packHeader(row: Buffer, from: number, { key, value }: RecordHeader): number {
  const length = row.write(key, from + 4)
  row.writeUInt32LE(length, from)
  const at = from + 4 + length
  row.writeUInt32LE(value.length, at)
  row.set(value, at + 4)
  return at + 4 + value.length
}

function skipHeaders(row: Buffer, from: number, count: number): number {
  let at = from
  for (let part = 0; part < count * 2; part++) at += 4 + row.readUInt32LE(at)
  return at
}

function unpackHeaders(row: Buffer, from: number, count: number): RecordHeader[] {
  const headers: RecordHeader[] = []
  let at = from
  for (let index = 0; index < count; index++) {
    const keyEnd = at + 4 + row.readUInt32LE(at)
    const valueEnd = keyEnd + 4 + row.readUInt32LE(keyEnd)
    headers.push({ key: row.toString('utf8', at + 4, keyEnd), value: row.subarray(keyEnd + 4, valueEnd) })
    at = valueEnd
  }
  return headers
}
