/** Record batches as brokers keep them, built from those our encoder makes; and kafkajs' codec, as an independent one. */
import { createRequire } from 'node:module'
import { crc32c } from '../../../../connectors/log/core/crc32c.ts'
import {
  ATTRIBUTES_AT,
  CONTROL_FLAG,
  CRC_AT,
  LEADER_EPOCH_AT,
  RECORDS_AT,
} from '../../../../connectors/log/kafka/batch-format.ts'
import { type BatchProducer, encodeRecordBatch, NO_PRODUCER } from '../../../../connectors/log/kafka/record-batch.ts'
import { readBatches, readRecords } from '../../../../connectors/log/kafka/record-batch-read.ts'
import { writeInt64 } from '../../../../connectors/log/kafka/varint.ts'
import type { LogRecord, OutgoingRecord, RecordHeader } from '../../../../streams/ports.ts'

export const outgoing = (value: string | null, more: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  topic: 't',
  partition: 0,
  timestamp: 1_704_067_200_000,
  key: null,
  value: value === null ? null : Buffer.from(value),
  ...more,
})

export const writer = (producerId: bigint, transactional = true): BatchProducer => ({
  producerId,
  producerEpoch: 0,
  baseSequence: 0,
  transactional,
})

export interface Kept {
  readonly producer?: BatchProducer
  readonly control?: boolean
  /** Of the batch as it was written, when compaction has removed records from its end. */
  readonly lastOffset?: number
  readonly leaderEpoch?: number
}

/** A batch at an offset. */
export function batchAt(baseOffset: number, records: readonly OutgoingRecord[], kept: Kept = {}): Buffer {
  const empty = records.length === 0
  const whole = Buffer.from(encodeRecordBatch(empty ? [outgoing('')] : records, kept.producer ?? NO_PRODUCER))
  const batch = empty ? whole.subarray(0, RECORDS_AT) : whole
  if (empty) batch.writeInt32BE(0, 57)
  batch.writeInt32BE(batch.length - 12, 8)
  writeInt64(batch, 0, baseOffset)
  if (kept.lastOffset !== undefined) batch.writeInt32BE(kept.lastOffset - baseOffset, 23)
  if (kept.leaderEpoch !== undefined) batch.writeInt32BE(kept.leaderEpoch, LEADER_EPOCH_AT)
  if (kept.control) batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | CONTROL_FLAG, ATTRIBUTES_AT)
  return sealed(batch)
}

/** Sets the checksum to what the bytes are now. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

/** The control batch that ends a transaction. */
export function marker(baseOffset: number, producerId: bigint, type: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])
  return batchAt(baseOffset, [outgoing('\0\0\0\0\0\0', { key })], { producer: writer(producerId), control: true })
}

/** @throws LogError of the first batch that is not handed out */
export function readAllRecords(fetched: Buffer, from = 0): LogRecord[] {
  const records: LogRecord[] = []
  for (const batch of readBatches(fetched)) {
    if ('error' in batch) throw batch.error
    readRecords(batch, from, records)
  }
  return records
}

/** The records of a batch, compressed as one. */
export function compressed(batch: Buffer, codec: number, compress: (records: Buffer) => Buffer): Buffer {
  const whole = Buffer.concat([batch.subarray(0, RECORDS_AT), compress(batch.subarray(RECORDS_AT))])
  whole.writeInt32BE(whole.length - 12, 8)
  whole.writeInt16BE(whole.readInt16BE(ATTRIBUTES_AT) | codec, ATTRIBUTES_AT)
  return sealed(whole)
}

/** With arrays of numbers in place of bytes, so that views and buffers compare alike. */
export const plain = ({ key, value, headers = [], timestamp }: OutgoingRecord | LogRecord) => ({
  timestamp,
  key: key && Array.from(key),
  value: value && Array.from(value),
  headers: headers.map((header: RecordHeader) => ({ key: header.key, value: Array.from(header.value) })),
})

interface KafkajsEncoder {
  readonly buffer: Buffer
}
interface KafkajsDecoded {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly maxTimestamp: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly lastOffsetDelta: number
  readonly inTransaction: boolean
  readonly records: readonly {
    readonly key: Buffer | null
    readonly value: Buffer | null
    readonly offset: string
    readonly timestamp: string
    readonly headers: Readonly<Record<string, Buffer | readonly Buffer[]>>
  }[]
}
const kafkajs = createRequire(import.meta.url)
const { RecordBatch } = kafkajs('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<KafkajsEncoder>
}
const Record = kafkajs('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => KafkajsEncoder
const Decoder = kafkajs('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object
const decodeBatch = kafkajs('kafkajs/src/protocol/recordBatch/v0/decoder') as (bytes: object) => Promise<KafkajsDecoded>
const MessageSet = kafkajs('kafkajs/src/protocol/messageSet') as (set: object) => KafkajsEncoder

/** A batch by kafkajs. */
export async function kafkajsBatch(records: readonly OutgoingRecord[], producer: BatchProducer): Promise<Buffer> {
  const timestamps = records.map(({ timestamp }) => timestamp)
  const batch = await RecordBatch({
    firstTimestamp: timestamps[0],
    maxTimestamp: Math.max(...timestamps),
    partitionLeaderEpoch: -1,
    lastOffsetDelta: records.length - 1,
    transactional: producer.transactional,
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    firstSequence: producer.baseSequence,
    records: records.map(({ key, value, timestamp, headers = [] }, offsetDelta) =>
      Record({
        key: key && Buffer.from(key),
        value: value && Buffer.from(value),
        offsetDelta,
        timestampDelta: timestamp - timestamps[0]!,
        headers: Object.fromEntries(headers.map((header) => [header.key, Buffer.from(header.value)])),
      }),
    ),
  })
  return batch.buffer
}

/** What kafkajs reads. It takes the magic byte off before, and a fetched batch's base offset and length after it. */
export const kafkajsDecode = (batch: Buffer): Promise<KafkajsDecoded> => decodeBatch(new Decoder(batch))

/** A message set of the format before record batches. */
export const oldMessageSet = (messageVersion: 0 | 1, value: string): Buffer =>
  MessageSet({ messageVersion, entries: [{ key: null, value: Buffer.from(value), timestamp: 1_704_067_200_000 }] })
    .buffer
