import type { TopicPartition } from '../../../../streams/ports.ts'
import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'
import { type PartitionResult, readByTopic, writeByTopic } from './by-topic.ts'

export interface FetchedOffset extends PartitionResult {
  /** -1 when nothing is committed. */
  readonly offset: number
  /** Epoch of the leader that wrote the record before it; -1 when the committer did not know. */
  readonly leaderEpoch: number
  readonly metadata: string | null
}

/** The committed offsets of a group; refused (`UNSTABLE_OFFSET_COMMIT`) while a transaction that changes them is being ended. */
export function offsetFetch(group: string, partitions: readonly TopicPartition[]): KafkaRequest<FetchedOffset[]> {
  return {
    apiKey: 9,
    apiName: 'OffsetFetch',
    apiVersion: 7,
    flexible: true,
    encode(writer) {
      writer.string(group)
      writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
      writer.boolean(true) // require stable
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => {
        const offsets = readByTopic(reader, (topic) => {
          const partition = reader.int32()
          const offset = reader.int64()
          const leaderEpoch = reader.int32()
          const metadata = reader.nullableString()
          return { topic, partition, offset, leaderEpoch, metadata, errorCode: reader.int16() }
        })
        expectNoError(reader.int16(), `offsets of group ${group}`)
        return offsets
      })
    },
  }
}
