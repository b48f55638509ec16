import type { TopicPartition } from '../../../../streams/ports.ts'
import type { ByteReader } from '../byte-reader.ts'
import type { ByteWriter } from '../byte-writer.ts'

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
  writer.structures([...topics], ([topic, partitions]) => {
    writer.string(topic)
    writer.array(partitions, write)
  })
}

/** Reads what `writeByTopic` writes; `read` takes the fields of a partition, which begin with its number. */
export function readByTopic<T>(reader: ByteReader, read: (topic: string) => T): T[] {
  const ofTopic = (): T[] => {
    const topic = reader.string()
    return reader.structures(() => read(topic))
  }
  return reader.structures(ofTopic).flat()
}

export interface PartitionResult extends TopicPartition {
  readonly errorCode: number
  /** The broker's words beside the code. */
  readonly message?: string | null
}

/** Reads an answer that has an error code for each partition and nothing else. */
export function readResults(reader: ByteReader): PartitionResult[] {
  return reader.answer(() =>
    readByTopic(reader, (topic) => ({ topic, partition: reader.int32(), errorCode: reader.int16() })),
  )
}
