import type { ByteReader } from '../byte-reader.ts'
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
  /** Another one once the topic was deleted and made anew; undefined where the cluster gives none. */
  readonly id: string | undefined
  /** Leader of each partition, by its number. */
  readonly leaders: readonly PartitionLeader[]
}

export interface Metadata {
  /** Undefined where the cluster has none. */
  readonly clusterId: string | undefined
  readonly nodes: readonly NodeAddress[]
  readonly controllerId: number
  readonly topics: readonly TopicMetadata[]
}

/** Kafka's for a topic that has none: made before 2.8, or by a cluster that keeps to the protocol of that time. */
const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** The nodes of the cluster, and who leads the partitions of some topics. Never creates a topic. */
export function metadata(topics: readonly string[]): KafkaRequest<Metadata> {
  return {
    apiKey: 3,
    apiName: 'Metadata',
    apiVersion: 10,
    flexible: true,
    encode(writer) {
      writer.structures(topics, (topic) => {
        writer.uuid(NO_ID) // asked by name
        writer.string(topic)
      })
      writer.boolean(false) // create what is missing
      writer.boolean(false) // authorized operations of the cluster
      writer.boolean(false) // and of the topics
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => readMetadata(reader))
    },
  }
}

function readMetadata(reader: ByteReader): Metadata {
  const nodes = reader.structures(() => {
    const node = readNode(reader)
    reader.nullableString() // rack
    return node
  })
  const clusterId = reader.nullableString() ?? undefined
  const controllerId = reader.int32()
  const topics = reader.structures(() => readTopic(reader))
  reader.int32() // authorized operations
  return { clusterId, nodes, controllerId, topics }
}

export function readNode(reader: ByteReader): NodeAddress {
  return { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
}

function readTopic(reader: ByteReader): TopicMetadata {
  const errorCode = reader.int16()
  const name = reader.string()
  const id = reader.uuid()
  reader.boolean() // internal
  const leaders: PartitionLeader[] = []
  reader.structures(() => {
    reader.int16() // its error says no more than the leader -1
    const partition = reader.int32()
    leaders[partition] = { nodeId: reader.int32(), leaderEpoch: reader.int32() }
    for (let replicas = 0; replicas < 3; replicas++) reader.array(() => reader.int32()) // all, in sync, offline
  })
  reader.int32() // authorized operations
  return { errorCode, name, id: id === NO_ID ? undefined : id, leaders }
}
