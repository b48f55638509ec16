import type { OutgoingRecord, RecordHeader } from '../../../streams/ports.ts'
import { crc32c } from '../core/crc32c.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
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
import { varintSize, writeInt64, writeVarint } from './varint.ts'

/** The writer of a batch. `baseSequence` is that of its first record; the broker refuses gaps and drops repeats by it. */
export interface BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly transactional: boolean
}

/** A producer without an id: nothing protects its batches from being written twice. */
export const NO_PRODUCER: BatchProducer = {
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  transactional: false,
}

/** Sizes of the records of the batch in the making, so that each is found only once. */
let sizes = new Int32Array(1_024)

/**
 * The records, all of one partition, as one batch: sizes first, then straight into a buffer of exactly that size.
 * The bytes of keys, values and headers are copied; nothing is kept.
 */
export function encodeRecordBatch(records: readonly OutgoingRecord[], producer: BatchProducer): Buffer {
  if (records.length === 0) throw new RangeError('a record batch needs a record')
  const baseTimestamp = records[0]!.timestamp
  const batch = Buffer.allocUnsafe(RECORDS_AT + measure(records, baseTimestamp))
  let maxTimestamp = baseTimestamp
  let at = RECORDS_AT
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp
    at = writeVarint(batch, at, sizes[index]!)
    at = writeRecord(batch, at, record, record.timestamp - baseTimestamp, index)
  }
  writeInt64(batch, BASE_TIMESTAMP_AT, baseTimestamp)
  writeInt64(batch, MAX_TIMESTAMP_AT, maxTimestamp)
  writeFields(batch, records.length, producer)
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

/** About how many bytes the record takes in a batch; for cutting what is to be sent into batches. */
export function recordSizeBytes(record: OutgoingRecord): number {
  return bodySize(record, 0, 0) + 10
}

/** Notes the size of each record. @returns the bytes of all, their lengths included */
function measure(records: readonly OutgoingRecord[], baseTimestamp: number): number {
  if (records.length > sizes.length) sizes = new Int32Array(records.length * 2)
  let total = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const size = bodySize(record, record.timestamp - baseTimestamp, index)
    sizes[index] = size
    total += varintSize(size) + size
  }
  return total
}

function bodySize({ key, value, headers }: OutgoingRecord, timestampDelta: number, offsetDelta: number): number {
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta)
  size += key === null ? 1 : varintSize(key.length) + key.length
  size += value === null ? 1 : varintSize(value.length) + value.length
  if (headers === undefined || headers.length === 0) return size + 1
  size += varintSize(headers.length)
  for (const { key: name, value: content } of headers) {
    const nameLength = Buffer.byteLength(name)
    size += varintSize(nameLength) + nameLength + varintSize(content.length) + content.length
  }
  return size
}

function writeRecord(
  batch: Buffer,
  from: number,
  { key, value, headers }: OutgoingRecord,
  timestampDelta: number,
  offsetDelta: number,
): number {
  batch[from] = 0 // attributes: none are defined
  let at = writeVarint(batch, from + 1, timestampDelta)
  at = writeVarint(batch, at, offsetDelta)
  at = writeBytes(batch, at, key)
  at = writeBytes(batch, at, value)
  if (headers !== undefined && headers.length > 0) return writeHeaders(batch, at, headers)
  batch[at] = 0
  return at + 1
}

function writeBytes(batch: Buffer, from: number, bytes: Uint8Array | null): number {
  if (bytes === null) {
    batch[from] = 1 // -1 as zigzag
    return from + 1
  }
  const at = writeVarint(batch, from, bytes.length)
  batch.set(bytes, at)
  return at + bytes.length
}

function writeHeaders(batch: Buffer, from: number, headers: readonly RecordHeader[]): number {
  let at = writeVarint(batch, from, headers.length)
  for (const { key, value } of headers) {
    at = writeVarint(batch, at, Buffer.byteLength(key))
    at += batch.write(key, at)
    at = writeBytes(batch, at, value)
  }
  return at
}

function writeFields(batch: Buffer, count: number, producer: BatchProducer): void {
  writeInt64(batch, BASE_OFFSET_AT, 0) // the broker's to set
  batch.writeInt32BE(batch.length - LENGTH_COUNTS_FROM, LENGTH_AT)
  batch.writeInt32BE(-1, LEADER_EPOCH_AT) // the broker's to set
  batch.writeInt8(MAGIC, MAGIC_AT)
  batch.writeInt16BE(producer.transactional ? TRANSACTIONAL_FLAG : 0, ATTRIBUTES_AT)
  batch.writeInt32BE(count - 1, LAST_OFFSET_DELTA_AT)
  batch.writeBigInt64BE(producer.producerId, PRODUCER_ID_AT)
  batch.writeInt16BE(producer.producerEpoch, PRODUCER_EPOCH_AT)
  batch.writeInt32BE(producer.baseSequence, BASE_SEQUENCE_AT)
  batch.writeInt32BE(count, RECORD_COUNT_AT)
}
