import type { TopicPartition } from '../../../../streams/ports.ts'
import type { KafkaRequest } from '../request.ts'
import { type PartitionResult, readByTopic, writeByTopic } from './by-topic.ts'

export interface ProduceBatch extends TopicPartition {
  /** One record batch, encoded. */
  readonly batch: Buffer
}

export interface ProducedBatch extends PartitionResult {
  readonly baseOffset: number
}

export interface ProduceOptions {
  readonly transactionalId: string | null
  /** Longest wait of the broker for its replicas. */
  readonly timeoutMs: number
  /** Whether a transaction begins by being written to (KIP-890), or was told of its partitions before. */
  readonly version: 9 | 12
}

const EVERY_REPLICA_IN_SYNC = -1
/** For what is written beside the batches, and beside each. */
const ROOM_BYTES = 512

/** Appends one batch to each of several partitions of one leader. */
export function produce(
  batches: readonly ProduceBatch[],
  { transactionalId, timeoutMs, version }: ProduceOptions,
): KafkaRequest<ProducedBatch[]> {
  return {
    apiKey: 0,
    apiName: 'Produce',
    apiVersion: version,
    flexible: true,
    sizeBytes: batches.reduce((sum, { topic, batch }) => sum + topic.length + batch.length + ROOM_BYTES, ROOM_BYTES),
    encode(writer) {
      writer.nullableString(transactionalId)
      writer.int16(EVERY_REPLICA_IN_SYNC)
      writer.int32(timeoutMs)
      writeByTopic(writer, batches, ({ partition, batch }) => {
        writer.int32(partition)
        writer.bytes(batch)
        writer.endStructure()
      })
      writer.endStructure()
    },
    decode(reader) {
      const produced = readByTopic(reader, (topic) => {
        const partition = reader.int32()
        const errorCode = reader.int16()
        const baseOffset = reader.int64()
        reader.int64() // log append time
        reader.int64() // start of the log
        reader.structures(() => {
          reader.int32() // record
          reader.nullableString() // its error
        })
        const message = reader.nullableString()
        return { topic, partition, errorCode, baseOffset, message }
      })
      reader.throttle()
      reader.endStructure()
      return produced
    },
  }
}
