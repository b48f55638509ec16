import { crc32 } from 'node:zlib'
import { LogError, type LogRecord, type RecordHeader } from '../../streams/ports.ts'

/**
 * How records lie in LevelDB. A row holds consecutive records of one partition; its key is
 * `r | topic id (u32) | partition (u32) | last offset (u64)`, big-endian, so that rows sort by offset and the first row at
 * or above a position holds it. The last offset covers what lies behind the last record: control records and holes.
 *
 * Value: CRC-32 of the rest (u32) | number of records (u32) | first offset (f64) | newest timestamp (f64) | records, each
 * `offset - first (u32) | timestamp (f64) | key length (i32, -1 = null) | value length (i32, -1 = null) | headers (u16) |
 * key | value | headers, each key length (u32), key, value length (u32), value`. All little-endian.
 */
const ROW_KIND = 0x72

/** A row is closed when it has this many bytes: small enough to read one for one record, large enough to be read fast. */
const ROW_SIZE_BYTES = 128 * 1024

/** Records of one row; offsets in a row differ by less than 2^32. */
const ROW_RECORDS_MAX = 8_192

const ROW_HEAD_BYTES = 24
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

/** Rows of records of one partition, each packed when it is asked for. @param next first offset behind them, control records included */
export function* packRows(
  topicId: number,
  partition: number,
  records: readonly LogRecord[],
  next: number,
): Generator<Row> {
  for (let from = 0; from < records.length; ) {
    let to = from
    let size = ROW_HEAD_BYTES
    while (to < records.length && to - from < ROW_RECORDS_MAX && (to === from || size < ROW_SIZE_BYTES)) {
      size += packedSize(records[to++]!)
    }
    const lastOffset = to < records.length ? records[to]!.offset - 1 : next - 1
    yield { key: rowKey(topicId, partition, lastOffset), value: packRow(records, from, to, size) }
    from = to
  }
}

/** The same row with only some of its records. */
export function repackRow(key: Buffer, records: readonly LogRecord[]): Row {
  const size = records.reduce((sum, record) => sum + packedSize(record), ROW_HEAD_BYTES)
  return { key, value: packRow(records, 0, records.length, size) }
}

/** Newest timestamp in a row, in ms. */
export function newestTimestampOf(value: Buffer): number {
  return value.readDoubleLE(16)
}

/**
 * The records of a row from `from` on.
 * @throws LogError `CORRUPT` when the bytes are not what was written
 */
export function unpackRow(value: Buffer, from: number): LogRecord[] {
  if (value.length < ROW_HEAD_BYTES || value.readUInt32LE(0) !== crc32(value.subarray(4))) {
    throw new LogError('CORRUPT', 'a row of the log is damaged (its checksum differs)')
  }
  const count = value.readUInt32LE(4)
  const base = value.readDoubleLE(8)
  const records: LogRecord[] = []
  let at = ROW_HEAD_BYTES
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

function packRow(records: readonly LogRecord[], from: number, to: number, size: number): Buffer {
  const row = Buffer.allocUnsafe(size)
  const base = records[from]!.offset
  let newest = Number.NEGATIVE_INFINITY
  let at = ROW_HEAD_BYTES
  for (let index = from; index < to; index++) {
    const record = records[index]!
    if (record.timestamp > newest) newest = record.timestamp
    at = packRecord(row, at, record, base)
  }
  row.writeUInt32LE(to - from, 4)
  row.writeDoubleLE(base, 8)
  row.writeDoubleLE(newest, 16)
  row.writeUInt32LE(crc32(row.subarray(4)), 0)
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
