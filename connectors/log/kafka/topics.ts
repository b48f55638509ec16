import { LogError, type TopicConfig } from '../../../streams/ports.ts'
import { attempts } from './attempts.ts'
import type { KafkaCluster } from './cluster.ts'
import { Code, KafkaRefusal } from './errors.ts'
import { RECORD_BYTES_MAX } from './limits.ts'
import { perLeader } from './per-leader.ts'
import { createTopics as createRequest } from './requests/create-topics.ts'
import { listOffsets } from './requests/list-offsets.ts'
import { metadata, type TopicMetadata } from './requests/metadata.ts'
import { tooFew } from './topic-identities.ts'

/** How long brokers may take to create topics, and to tell one another. */
const CREATE_LIMIT_MS = 30_000
/** A cluster that starts knows only some of its brokers at first, and says that there are too few for so many replicas. */
const BROKERS_COME_MS = 15_000
/** A record batch as large as the largest record, with its header. */
const BATCH_BYTES_MAX = RECORD_BYTES_MAX + 64 * 1024
const FOREVER = '9223372036854775807'

/**
 * The settings of a topic on Kafka. A compacted topic has the policy `compact,delete` without an age, which deletes nothing
 * by itself but lets the engine delete what lies before its oldest live state (Kafka refuses that for `compact` alone).
 */
export function topicSettings({ cleanup, retentionMs }: TopicConfig): Readonly<Record<string, string>> {
  return {
    'cleanup.policy': cleanup === 'compact' ? 'compact,delete' : 'delete',
    'retention.ms': String(cleanup === 'compact' ? -1 : (retentionMs ?? -1)),
    'retention.bytes': '-1',
    'max.message.bytes': String(BATCH_BYTES_MAX),
    'message.timestamp.type': 'CreateTime',
    // Timestamps come from records and blocks. A refused one would stop its task for ever.
    'message.timestamp.after.max.ms': FOREVER,
  }
}

/**
 * Creates what is missing. The settings of what exists are left as they are: to change them is the operator's. Of a topic with more
 * partitions the log works with the first ones.
 * @throws LogError `TOPIC_MISMATCH` (then nothing was created), `INVALID_TOPIC`, and what the brokers refuse
 */
export async function createTopics(cluster: KafkaCluster, configs: readonly TopicConfig[]): Promise<void> {
  if (configs.length === 0) return
  const missing = await missingTopics(cluster, configs)
  if (missing.length > 0) {
    const brokersComeUntil = cluster.settings.clock.now() + BROKERS_COME_MS
    await attempts(cluster.limits(CREATE_LIMIT_MS), () => create(cluster, missing, brokersComeUntil))
    await missingTopics(cluster, configs) // somebody else may have created it another way
  }
  await attempts(cluster.limits(CREATE_LIMIT_MS), () => knownEverywhere(cluster, configs))
  if (missing.length > 0) await served(cluster, missing)
}

async function missingTopics(cluster: KafkaCluster, configs: readonly TopicConfig[]): Promise<TopicConfig[]> {
  const found = await attempts(cluster.limits(CREATE_LIMIT_MS), () => lookup(cluster, configs))
  const missing: TopicConfig[] = []
  const wrong: string[] = []
  for (const [at, config] of configs.entries()) {
    const { errorCode, leaders } = found[at]!
    if (errorCode === Code.UNKNOWN_TOPIC_OR_PARTITION) missing.push(config)
    else if (errorCode === Code.INVALID_TOPIC) throw new LogError('INVALID_TOPIC', `${config.name} is no topic name`)
    else if (errorCode !== 0) throw new KafkaRefusal(errorCode, `metadata of ${config.name}`)
    else if (leaders.length < config.partitions) wrong.push(tooFew(config.name, leaders.length, config.partitions))
    else cluster.expectPartitions(config.name, config.partitions)
  }
  if (wrong.length === 0) return missing
  throw new LogError('TOPIC_MISMATCH', wrong.join('; '))
}

/** @param brokersComeUntil ms; until then a broker that is missing may be about to register */
async function create(cluster: KafkaCluster, missing: readonly TopicConfig[], brokersComeUntil: number): Promise<void> {
  const { replicationFactor = -1, requestTimeoutMs } = cluster.settings
  const topics = missing.map((config) => {
    const { name, partitions } = config
    return { name, partitions, replicationFactor, configs: topicSettings(config) }
  })
  for (const { name, errorCode, message } of await cluster.sendToAny(createRequest(topics, requestTimeoutMs))) {
    if (errorCode === Code.INVALID_TOPIC || errorCode === Code.INVALID_PARTITIONS)
      throw new LogError('INVALID_TOPIC', `topic ${name} cannot be created: ${message}`)
    if (errorCode === Code.INVALID_REPLICATION_FACTOR && cluster.settings.clock.now() < brokersComeUntil)
      throw new LogError('TOO_FEW_BROKERS', `creating topic ${name}: ${message}`, { retriable: true })
    if (errorCode !== 0 && errorCode !== Code.TOPIC_ALREADY_EXISTS)
      throw new KafkaRefusal(errorCode, `creating topic ${name}`, message)
  }
}

/** Every broker that answers has heard of them, so that nobody is told that they do not exist. */
async function knownEverywhere(cluster: KafkaCluster, configs: readonly TopicConfig[]): Promise<void> {
  const names = configs.map(({ name }) => name)
  const answers = await Promise.allSettled(cluster.nodeIds.map((nodeId) => cluster.send(nodeId, metadata(names))))
  const known = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.topics] : []))
  const ready = ({ errorCode, leaders }: TopicMetadata) => errorCode === 0 && leaders.every(({ nodeId }) => nodeId >= 0)
  if (known.length > 0 && known.every((topics) => topics.every(ready))) return
  throw new LogError('LEADER_NOT_AVAILABLE', 'not every broker knows the leaders of the new topics', {
    retriable: true,
  })
}

/** Leaders are named before they are ready; until then they refuse. */
async function served(cluster: KafkaCluster, configs: readonly TopicConfig[]): Promise<void> {
  const partitions = configs.flatMap(({ name: topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
  const options = { what: 'creating topics: start', limitMs: CREATE_LIMIT_MS }
  await perLeader(cluster, partitions, (asked) => listOffsets(asked, 'start'), options)
}

async function lookup(cluster: KafkaCluster, configs: readonly TopicConfig[]): Promise<TopicMetadata[]> {
  const { topics } = await cluster.lookup(configs.map(({ name }) => name))
  const byName = new Map(topics.map((topic) => [topic.name, topic]))
  return configs.map(
    ({ name }) => byName.get(name) ?? { name, errorCode: Code.UNKNOWN_TOPIC_OR_PARTITION, id: undefined, leaders: [] },
  )
}
