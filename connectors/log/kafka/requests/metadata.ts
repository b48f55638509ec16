import type { KafkaRequest } from '../request.ts'

export interface NodeAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface PartitionLeader {
  /** -1 while there is none. */
  readonly nodeId: number
  readonly leaderEpoch: number
}

export interface TopicMetadata {
  readonly errorCode: number
  readonly name: string
  /** Leader of each partition, by its number. */
  readonly leaders: readonly PartitionLeader[]
}

export interface Metadata {
  readonly nodes: readonly NodeAddress[]
  readonly controllerId: number
  readonly topics: readonly TopicMetadata[]
}

/** The nodes of the cluster, and who leads the partitions of some topics. Never creates a topic. */
export function metadata(topics: readonly string[]): KafkaRequest<Metadata> {
  return {
    apiKey: 3,
    apiName: 'Metadata',
    apiVersion: 9,
    flexible: true,
    encode(writer) {
      writer.array(topics, (topic) => {
        writer.string(topic)
        writer.endStructure()
      })
      writer.boolean(false) // create what is missing
      writer.boolean(false) // authorized operations of the cluster
      writer.boolean(false) // and of the topics
      writer.endStructure()
    },
    decode(reader) {
      reader.int32() // throttle time
      const nodes = reader.array(() => {
        const node = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
        reader.nullableString() // rack
        reader.endStructure()
        return node
      })
      reader.nullableString() // cluster id
      const controllerId = reader.int32()
      const found = reader.array(() => {
        const errorCode = reader.int16()
        const name = reader.string()
        reader.boolean() // internal
        const leaders: PartitionLeader[] = []
        reader.array(() => {
          reader.int16() // its error says no more than the leader -1
          const partition = reader.int32()
          leaders[partition] = { nodeId: reader.int32(), leaderEpoch: reader.int32() }
          for (let replicas = 0; replicas < 3; replicas++) reader.array(() => reader.int32()) // all, in sync, offline
          reader.endStructure()
        })
        reader.int32() // authorized operations
        reader.endStructure()
        return { errorCode, name, leaders }
      })
      reader.int32() // authorized operations
      reader.endStructure()
      return { nodes, controllerId, topics: found }
    },
  }
}
