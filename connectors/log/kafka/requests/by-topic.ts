import type { TopicPartition } from '../../../../streams/ports.ts'
import type { ByteReader, ByteWriter } from '../bytes.ts'

/** Writes partitions in the protocol's shape: topics, each with its partitions. */
export function writeByTopic<T extends TopicPartition>(
  writer: ByteWriter,
  items: readonly T[],
  write: (item: T) => void,
): void {
  const topics = new Map<string, T[]>()
  for (const item of items) {
    const known = topics.get(item.topic)
    if (known === undefined) topics.set(item.topic, [item])
    else known.push(item)
  }
  writer.array([...topics], ([topic, partitions]) => {
    writer.string(topic)
    writer.array(partitions, write)
    writer.endStructure()
  })
}

/** Reads what `writeByTopic` writes; `read` begins with the partition's number and ends with its tagged fields. */
export function readByTopic<T>(reader: ByteReader, read: (topic: string) => T): T[] {
  return reader
    .array(() => {
      const topic = reader.string()
      const partitions = reader.array(() => read(topic))
      reader.endStructure()
      return partitions
    })
    .flat()
}

export interface PartitionResult extends TopicPartition {
  readonly errorCode: number
  /** The broker's words beside the code. */
  readonly message?: string | null
}

/** A partition that is answered by an error code and nothing else. */
export function readResult(reader: ByteReader, topic: string): PartitionResult {
  const result = { topic, partition: reader.int32(), errorCode: reader.int16() }
  reader.endStructure()
  return result
}
