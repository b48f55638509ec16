import type { TopicPartition } from '../../../../streams/ports.ts'
import type { ByteReader } from '../byte-reader.ts'
import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'
import { type PartitionResult, readByTopic, writeByTopic } from './by-topic.ts'

/** The administrators' requests about transactions (KIP-664), from Kafka 3.0 on. */

/** A producer with a transaction that is open in a partition. */
export interface OpenProducer {
  readonly producerId: bigint
  /** Offset of its first record in the partition. */
  readonly startOffset: number
  /** When it wrote its last record, ms; by its own clock. */
  readonly lastTimestamp: number
}

export interface DescribedPartition extends PartitionResult {
  readonly open: readonly OpenProducer[]
}

/** The transactions that are open in partitions of a leader. Needs the right to read the topics. */
export function describeProducers(partitions: readonly TopicPartition[]): KafkaRequest<DescribedPartition[]> {
  return {
    apiKey: 61,
    apiName: 'DescribeProducers',
    apiVersion: 0,
    flexible: true,
    encode(writer) {
      writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => readByTopic(reader, (topic) => readPartition(reader, topic)))
    },
  }
}

function readPartition(reader: ByteReader, topic: string): DescribedPartition {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const message = reader.nullableString()
  const producers = reader.structures(() => {
    const producerId = reader.bigint64()
    reader.int32() // its epoch
    reader.int32() // last sequence
    const lastTimestamp = reader.int64()
    reader.int32() // epoch of the coordinator
    return { producerId, startOffset: reader.int64(), lastTimestamp }
  })
  return { topic, partition, errorCode, message, open: producers.filter(({ startOffset }) => startOffset >= 0) }
}

export interface ListedTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
}

/** The transactions of some producers that a broker coordinates. Shows only transactional ids that the asker may describe. */
export function listTransactions(producerIds: readonly bigint[]): KafkaRequest<ListedTransaction[]> {
  return {
    apiKey: 66,
    apiName: 'ListTransactions',
    apiVersion: 0,
    flexible: true,
    encode(writer) {
      writer.array([], () => {}) // any state
      writer.array(producerIds, (producerId) => writer.int64(producerId))
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => {
        expectNoError(reader.int16(), 'listing transactions')
        reader.array(() => reader.string()) // states it does not know
        return reader.structures(() => {
          const transaction = { transactionalId: reader.string(), producerId: reader.bigint64() }
          reader.string() // its state
          return transaction
        })
      })
    },
  }
}

export interface DescribedTransaction {
  readonly errorCode: number
  readonly transactionalId: string
  readonly state: string
  /** After which the broker aborts it. */
  readonly timeoutMs: number
  /** Ms; -1 when none is under way. */
  readonly startedAt: number
}

export function describeTransactions(transactionalIds: readonly string[]): KafkaRequest<DescribedTransaction[]> {
  return {
    apiKey: 65,
    apiName: 'DescribeTransactions',
    apiVersion: 0,
    flexible: true,
    encode(writer) {
      writer.array(transactionalIds, (id) => writer.string(id))
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => reader.structures(() => readTransaction(reader)))
    },
  }
}

function readTransaction(reader: ByteReader): DescribedTransaction {
  const errorCode = reader.int16()
  const transactionalId = reader.string()
  const state = reader.string()
  const timeoutMs = reader.int32()
  const startedAt = reader.int64()
  reader.bigint64() // producer
  reader.int16() // its epoch
  reader.structures(() => {
    reader.string() // topic
    reader.array(() => reader.int32()) // its partitions
  })
  return { errorCode, transactionalId, state, timeoutMs, startedAt }
}
