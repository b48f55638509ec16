import { createRequire } from 'node:module'
import { crc32c, wasmCrc32c } from '../connectors/log/core/crc32c.ts'
import { encodeRecordBatch } from '../connectors/log/kafka/record-batch.ts'
import { type RecordBatch as Batch, readBatches, readRecords } from '../connectors/log/kafka/record-batch-read.ts'
import type { LogRecord } from '../streams/ports.ts'
import { type BenchRow, row } from './rows.ts'

const RECORDS = 1_000
const VALUE_BYTES = 384
const CONDITIONS = `batches of ${RECORDS} records, key 16 B, value ${VALUE_BYTES} B, one core`
const ROUND_MS = 400
const ROUNDS = 7

const load = createRequire(import.meta.url)
const { RecordBatch } = load('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<{ readonly buffer: Buffer }>
}
const KafkajsRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => unknown
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => { forward(bytes: number): void }
const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: object,
) => Promise<{ readonly records: readonly unknown[] }>

/** Record batches: ours and kafkajs', which checks no checksum when it reads. */
export async function benchKafkaCodec(): Promise<BenchRow[]> {
  const records = Array.from({ length: RECORDS }, (_, at) => ({
    topic: 't',
    partition: 0,
    timestamp: 1_704_067_200_000 + at,
    key: Buffer.from(String(at).padStart(16, '0')),
    value: Buffer.alloc(VALUE_BYTES, at),
  }))
  const producer = { producerId: 1n, producerEpoch: 0, baseSequence: 0, transactional: true }
  const bytes = Buffer.from(encodeRecordBatch(records, producer))
  const wasm = await wasmCrc32c()
  return [
    row('encode', await rate(() => encodeRecordBatch(records, producer)), 'records/s', CONDITIONS),
    row('encode, kafkajs', await rate(() => kafkajsEncode(records)), 'records/s', CONDITIONS),
    row('decode, checksum included', await rate(() => decode(bytes)), 'records/s', CONDITIONS),
    row('decode, kafkajs', await rate(() => decodeBatch(new Decoder(bytes))), 'records/s', CONDITIONS),
    row('checksum alone', await rate(() => crc32c(bytes)), 'records/s', CONDITIONS),
    row('checksum alone, wasm', await rate(() => wasm(bytes)), 'records/s', CONDITIONS),
  ]
}

function decode(bytes: Buffer): LogRecord[] {
  const records: LogRecord[] = []
  for (const batch of readBatches(bytes)) readRecords(batch as Batch, 0, records)
  return records
}

async function kafkajsEncode(records: readonly { timestamp: number; key: Buffer; value: Buffer }[]): Promise<Buffer> {
  const first = records[0]!.timestamp
  const encoded = records.map(({ key, value, timestamp }, offsetDelta) =>
    KafkajsRecord({ key, value, offsetDelta, timestampDelta: timestamp - first }),
  )
  const batch = await RecordBatch({ firstTimestamp: first, maxTimestamp: first, transactional: true, records: encoded })
  return batch.buffer
}

/** The best of some rounds, in records/s: what the code can do, not what else the machine was busy with. */
async function rate(work: () => unknown): Promise<number> {
  let best = 0
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now()
    let count = 0
    while (performance.now() - started < ROUND_MS) {
      await work()
      count += RECORDS
    }
    best = Math.max(best, (count * 1_000) / (performance.now() - started))
  }
  return best
}
