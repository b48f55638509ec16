import type { FetchPosition, OffsetCommit, TopicPartition } from '../../../../streams/ports.ts'
import type { ByteWriter } from '../byte-writer.ts'
import { Code, expectNoError, KafkaRefusal } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'
import { readResults, writeByTopic } from './by-topic.ts'
import { type ProducerIdentity, readIdentity } from './init-producer-id.ts'

/** The steps of a transaction but for Produce. Versions 5 follow KIP-890, the others are as before it. */
export interface TransactionOwner extends ProducerIdentity {
  readonly transactionalId: string
}

function writeOwner(writer: ByteWriter, { transactionalId, producerId, producerEpoch }: TransactionOwner): void {
  writer.string(transactionalId)
  writer.int64(producerId)
  writer.int16(producerEpoch)
}

/** Tells the coordinator which partitions the transaction will write to. */
export function addPartitionsToTxn(owner: TransactionOwner, partitions: readonly TopicPartition[]): KafkaRequest<void> {
  return {
    apiKey: 24,
    apiName: 'AddPartitionsToTxn',
    apiVersion: 3,
    flexible: true,
    encode(writer) {
      writeOwner(writer, owner)
      writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
      writer.endStructure()
    },
    decode(reader) {
      const results = readResults(reader)
      // A refused partition lets all others be refused with 55 (not attempted), which says nothing.
      const refused = results.filter(({ errorCode }) => errorCode !== 0)
      const cause = refused.find(({ errorCode }) => errorCode !== Code.OPERATION_NOT_ATTEMPTED) ?? refused[0]
      if (cause) throw new KafkaRefusal(cause.errorCode, `${owner.transactionalId}: ${cause.topic}/${cause.partition}`)
    },
  }
}

/** Tells the coordinator that the transaction will commit offsets of a group. */
export function addOffsetsToTxn(owner: TransactionOwner, group: string): KafkaRequest<void> {
  return {
    apiKey: 25,
    apiName: 'AddOffsetsToTxn',
    apiVersion: 3,
    flexible: true,
    encode(writer) {
      writeOwner(writer, owner)
      writer.string(group)
      writer.endStructure()
    },
    decode(reader) {
      reader.answer(() => expectNoError(reader.int16(), `${owner.transactionalId}: offsets of group ${group}`))
    },
  }
}

export interface GroupOffsets {
  readonly group: string
  readonly commits: readonly OffsetCommit[]
  /** Refused by the group when it has gone on without this member. */
  readonly membership?: { readonly memberId: string; readonly generation: number }
}

/** Epoch of the leader that wrote the record before a position; -1 when it is not known. */
export type EpochBefore = (at: FetchPosition) => number

/** Commits offsets as part of the transaction. */
export function txnOffsetCommit(
  { transactionalId, producerId, producerEpoch }: TransactionOwner,
  { group, commits, membership }: GroupOffsets,
  epochBefore: EpochBefore,
  apiVersion: 3 | 5,
): KafkaRequest<void> {
  return {
    apiKey: 28,
    apiName: 'TxnOffsetCommit',
    apiVersion,
    flexible: true,
    encode(writer) {
      writer.string(transactionalId)
      writer.string(group)
      writer.int64(producerId)
      writer.int16(producerEpoch)
      writer.int32(membership?.generation ?? -1)
      writer.string(membership?.memberId ?? '')
      writer.nullableString(null) // group instance id: the member id is checked anyway
      writeByTopic(writer, commits, ({ topic, partition, next, metadata }) => {
        writer.int32(partition)
        writer.int64(next)
        writer.int32(epochBefore({ topic, partition, offset: next }))
        writer.nullableString(metadata)
        writer.endStructure()
      })
      writer.endStructure()
    },
    decode(reader) {
      for (const { topic, partition, errorCode } of readResults(reader))
        expectNoError(errorCode, `${transactionalId}: offset of ${topic}/${partition} in group ${group}`)
    },
  }
}

/**
 * Ends the transaction.
 * @returns the identity for the next one: a new one in version 5, the same before
 */
export function endTxn(owner: TransactionOwner, commit: boolean, apiVersion: 3 | 5): KafkaRequest<ProducerIdentity> {
  return {
    apiKey: 26,
    apiName: 'EndTxn',
    apiVersion,
    flexible: true,
    encode(writer) {
      writeOwner(writer, owner)
      writer.boolean(commit)
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => {
        expectNoError(reader.int16(), `${owner.transactionalId}: ${commit ? 'commit' : 'abort'}`)
        const { producerId, producerEpoch } = apiVersion === 5 ? readIdentity(reader) : owner
        return { producerId, producerEpoch }
      })
    },
  }
}
