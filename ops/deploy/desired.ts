/** The desired state of a cluster: topics with their configuration, the subjects of the registry, access rights, settings. */
import { topicSettings } from '../../connectors/log/kafka/topics.ts'
import { createCodec } from '../../schemas/codec.ts'
import { type AvroSchema, loadRecords, subjectSchema } from '../../schemas/load.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import { SUBJECTS, type Subject } from '../../schemas/subjects.ts'
import type { TopicConfig } from '../../streams/ports.ts'
import type { Topology } from '../../streams/topology.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { sequencerStores } from '../../topology/stores.ts'
import { sequencerTopics, type Topics } from '../../topology/topics.ts'
import { clockCursorGroup, clockGroup } from '../base/roles.ts'
import { allTopics } from '../ground/all-topics.ts'
import { ownerTopicOf } from '../ground/cluster/owner.ts'
import type { ClusterSettings } from '../ground/cluster/settings-topic.ts'
import { type Acl, type AclOptions, aclsOf } from './acls.ts'

export interface DesiredTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export interface DesiredSubject {
  readonly name: string
  readonly schema: AvroSchema
}

export interface Desired {
  readonly topology: Topology
  readonly settings: ClusterSettings
  readonly topics: readonly DesiredTopic[]
  readonly subjects: readonly DesiredSubject[]
  readonly acls: readonly Acl[]
  /** Topics whose ids go on record: all but changelogs, which a reset makes anew, and the record's own. */
  readonly recorded: readonly string[]
  /** Consumer groups; they come by themselves, and `destroy` deletes them. */
  readonly groups: readonly string[]
}

export interface Replication {
  readonly replicationFactor: number
  readonly minInsyncReplicas: number
}

/** Records that are purged behind their reader, or written anew every few seconds, go a segment at a time; Kafka Streams has the same. */
const PURGED_SEGMENT_BYTES = 50 * 1024 * 1024

export async function desiredState(
  settings: ClusterSettings,
  replication: Replication,
  acls: AclOptions,
): Promise<Desired> {
  const { appId, topicOptions, rules, anchoring } = settings
  const { prefix } = topicOptions
  const codec = await createCodec(memoryRegistry(), prefix) // ids play no part in what is deployed
  const topics = sequencerTopics(codec, topicOptions)
  const topology = sequencerTopology(rules, topics, sequencerStores(codec), anchoring)
  const all = topicsOf(appId, topology, topics, replication)
  const left = new Set([...topology.internalTopics(appId), ownerTopicOf(topics)].map(({ name }) => name))
  return {
    topology,
    settings,
    topics: all,
    recorded: all.map(({ name }) => name).filter((name) => !left.has(name)),
    subjects: subjectsOf(prefix),
    acls: aclsOf(appId, topology, topics, acls),
    groups: groupsOf(appId, topology),
  }
}

function topicsOf(appId: string, topology: Topology, topics: Topics, replication: Replication): DesiredTopic[] {
  const internal = topology.internalTopics(appId)
  const purged = new Set([
    ...topology.repartitionTopics,
    ...internal.filter(({ cleanup }) => cleanup === 'delete').map(({ name }) => name),
    ...[topics.processes, topics.intakeReports].map(({ name }) => name),
  ])
  return allTopics(appId, topology, topics).map((topic) => ({
    name: topic.name,
    partitions: topic.partitions,
    replicationFactor: replication.replicationFactor,
    configs: configsOf(topic, replication, purged.has(topic.name)),
  }))
}

/** Everything that correctness or space rests on is stated, and nothing else: the rest is the brokers' default. */
function configsOf(topic: TopicConfig, { minInsyncReplicas }: Replication, purged: boolean): Record<string, string> {
  return {
    ...topicSettings(topic),
    ...(purged && { 'segment.bytes': String(PURGED_SEGMENT_BYTES) }),
    'min.insync.replicas': String(minInsyncReplicas),
    'unclean.leader.election.enable': 'false',
    'compression.type': 'producer',
  }
}

function subjectsOf(prefix: string): DesiredSubject[] {
  const records = loadRecords()
  return Object.entries<Subject>(SUBJECTS).map(([name, subject]) => ({
    name: prefix + name,
    schema: subjectSchema(subject, records),
  }))
}

const groupsOf = (appId: string, topology: Topology): string[] => [
  ...topology.stages.map(({ name }) => `${appId}-${name}`),
  clockCursorGroup(appId),
  clockGroup(appId),
  `${appId}-anchor-effects`,
]
