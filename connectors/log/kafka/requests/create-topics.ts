import type { ByteReader } from '../byte-reader.ts'
import type { KafkaRequest } from '../request.ts'

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export interface CreatedTopic {
  readonly name: string
  readonly errorCode: number
  readonly message: string | null
}

/** Creates topics, each for itself. Any broker passes it on to the controller. */
export function createTopics(topics: readonly NewTopic[], timeoutMs: number): KafkaRequest<CreatedTopic[]> {
  return {
    apiKey: 19,
    apiName: 'CreateTopics',
    apiVersion: 5,
    flexible: true,
    encode(writer) {
      writer.structures(topics, ({ name, partitions, replicationFactor, configs }) => {
        writer.string(name)
        writer.int32(partitions)
        writer.int16(replicationFactor)
        writer.array([], () => {}) // replicas by hand
        writer.structures(Object.entries(configs), ([key, value]) => {
          writer.string(key)
          writer.nullableString(value)
        })
      })
      writer.int32(timeoutMs)
      writer.boolean(false) // only validate
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => reader.structures(() => readCreated(reader)))
    },
  }
}

function readCreated(reader: ByteReader): CreatedTopic {
  const topic = { name: reader.string(), errorCode: reader.int16(), message: reader.nullableString() }
  reader.int32() // partitions
  reader.int16() // replicas
  reader.structures(() => {
    reader.string() // setting
    reader.nullableString() // its value
    reader.boolean() // read only
    reader.int8() // where it comes from
    reader.boolean() // secret
  })
  return topic
}
