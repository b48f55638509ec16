import type { OutgoingRecord, TopicPartition } from '../../../streams/ports.ts'
import { recordSizeBytes } from './record-batch.ts'

/** Below the size that brokers accept by default, 1 MiB; a single larger record makes a batch of its own. */
export const BATCH_BYTES_MAX = 1_000_000

/** Records of one partition for one batch, with their places among the records given. */
export interface BatchRecords extends TopicPartition {
  readonly records: OutgoingRecord[]
  readonly places: number[]
  sizeBytes: number
}

/** Parts records by partition and cuts each part into batches, which keep the order. */
export function cutIntoBatches(records: readonly OutgoingRecord[]): BatchRecords[][] {
  const byTopic = new Map<string, BatchRecords[][]>()
  const all: BatchRecords[][] = []
  for (let place = 0; place < records.length; place++) {
    const record = records[place]!
    let topic = byTopic.get(record.topic)
    if (topic === undefined) {
      topic = []
      byTopic.set(record.topic, topic)
    }
    let batches = topic[record.partition]
    if (batches === undefined) {
      batches = []
      topic[record.partition] = batches
      all.push(batches)
    }
    add(batches, record, place)
  }
  return all
}

function add(batches: BatchRecords[], record: OutgoingRecord, place: number): void {
  const sizeBytes = recordSizeBytes(record)
  const last = batches[batches.length - 1]
  if (last !== undefined && last.sizeBytes + sizeBytes <= BATCH_BYTES_MAX) {
    last.records.push(record)
    last.places.push(place)
    last.sizeBytes += sizeBytes
    return
  }
  const { topic, partition } = record
  batches.push({ topic, partition, records: [record], places: [place], sizeBytes })
}

/** Sequence numbers are 31 bits wide and begin again at 0. */
export const nextSequence = (sequence: number, records: number): number => (sequence + records) & 0x7fffffff
