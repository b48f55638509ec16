import type { FetchPosition } from '../../../../streams/ports.ts'
import type { KafkaRequest } from '../request.ts'
import { type PartitionResult, readByTopic, writeByTopic } from './by-topic.ts'

/** Moves the start of partitions up to an offset. */
export function deleteRecords(before: readonly FetchPosition[], timeoutMs: number): KafkaRequest<PartitionResult[]> {
  return {
    apiKey: 21,
    apiName: 'DeleteRecords',
    apiVersion: 2,
    flexible: true,
    encode(writer) {
      writeByTopic(writer, before, ({ partition, offset }) => {
        writer.int32(partition)
        writer.int64(offset)
        writer.endStructure()
      })
      writer.int32(timeoutMs)
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() =>
        readByTopic(reader, (topic) => {
          const partition = reader.int32()
          reader.int64() // the start now
          return { topic, partition, errorCode: reader.int16() }
        }),
      )
    },
  }
}
