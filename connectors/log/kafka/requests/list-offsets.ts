import type { TopicPartition } from '../../../../streams/ports.ts'
import type { KafkaRequest } from '../request.ts'
import { type PartitionResult, readByTopic, writeByTopic } from './by-topic.ts'

export interface ListedOffset extends PartitionResult {
  readonly offset: number
}

const CONSUMER = -1
const ANY_LEADER_EPOCH = -1
const TIMESTAMPS = { start: -2n, stable: -1n, end: -1n } as const

/**
 * The first offset of partitions, the end of what is committed (`stable`), the end of what was written (`end`), or the first record
 * written or dated at a time or later (`since`, ms since 1970; -1 where there is none).
 */
export function listOffsets(
  partitions: readonly TopicPartition[],
  which: keyof typeof TIMESTAMPS | { readonly since: number },
): KafkaRequest<ListedOffset[]> {
  const timestamp = typeof which === 'object' ? which.since : TIMESTAMPS[which]
  return {
    apiKey: 2,
    apiName: 'ListOffsets',
    apiVersion: 6,
    flexible: true,
    encode(writer) {
      writer.int32(CONSUMER)
      writer.int8(which === 'stable' || which === 'start' ? 1 : 0) // isolation level
      writeByTopic(writer, partitions, ({ partition }) => {
        writer.int32(partition)
        writer.int32(ANY_LEADER_EPOCH)
        writer.int64(timestamp)
        writer.endStructure()
      })
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() =>
        readByTopic(reader, (topic) => {
          const partition = reader.int32()
          const errorCode = reader.int16()
          reader.int64() // timestamp
          const offset = reader.int64()
          reader.int32() // leader epoch
          return { topic, partition, errorCode, offset }
        }),
      )
    },
  }
}
