import type { TopicPartition } from '../../../../streams/ports.ts'
import type { ByteReader } from '../byte-reader.ts'
import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'
import { type PartitionResult, readByTopic, writeByTopic } from './by-topic.ts'

/** The administrators' requests about transactions (KIP-664), from Kafka 3.0 on. */

/** A producer that a partition remembers: brokers forget it a day after its last record, if they are not set up otherwise. */
export interface KnownProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Epoch of the coordinator that wrote its last end of a transaction here; -1 before the first. */
  readonly coordinatorEpoch: number
  /** Offset of the first record of its transaction that is open in the partition; -1 when none is. */
  readonly startOffset: number
  /** When it wrote its last record, ms; by its own clock. */
  readonly lastTimestamp: number
}

export interface DescribedPartition extends PartitionResult {
  readonly producers: readonly KnownProducer[]
}

/** The producers that partitions of a leader remember. Needs the right to read the topics. */
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
    const producerEpoch = reader.int32()
    reader.int32() // last sequence
    const lastTimestamp = reader.int64()
    const coordinatorEpoch = reader.int32()
    return { producerId, producerEpoch, coordinatorEpoch, startOffset: reader.int64(), lastTimestamp }
  })
  return { topic, partition, errorCode, message, producers }
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
  readonly producerEpoch: number
  /** Partitions that the transaction under way writes to. */
  readonly partitions: readonly TopicPartition[]
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
  const producerEpoch = reader.int16()
  const topics = reader.structures(() => {
    const topic = reader.string()
    return reader.array(() => reader.int32()).map((partition) => ({ topic, partition }))
  })
  return { errorCode, transactionalId, state, timeoutMs, startedAt, producerEpoch, partitions: topics.flat() }
}

/** The end of a producer's transaction, as its coordinator writes it into each partition. */
export interface EndMarker {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly end: 'COMMIT' | 'ABORT'
}

/** Writes the end of a transaction into partitions of a leader, in the place of its coordinator. Needs the right to act for the cluster. */
export function writeTxnMarkers(
  { producerId, producerEpoch, coordinatorEpoch, end }: EndMarker,
  partitions: readonly TopicPartition[],
): KafkaRequest<PartitionResult[]> {
  return {
    apiKey: 27,
    apiName: 'WriteTxnMarkers',
    apiVersion: 1,
    flexible: true,
    encode(writer) {
      writer.structures([producerId], () => {
        writer.int64(producerId)
        writer.int16(producerEpoch)
        writer.boolean(end === 'COMMIT')
        writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
        writer.int32(coordinatorEpoch)
      })
      writer.endStructure()
    },
    decode(reader) {
      const answers = reader.structures(() => {
        reader.bigint64() // producer
        return readByTopic(reader, (topic) => ({ topic, partition: reader.int32(), errorCode: reader.int16() }))
      })
      reader.endStructure()
      return answers.flat()
    },
  }
}
