import { setMaxListeners } from 'node:events'
import { LogError, type PositionLostError, type TopicPartition } from '../../../streams/ports.ts'
import { type AttemptLimits, attempts } from './attempts.ts'
import { Connection } from './connection.ts'
import { Code, closedError, KafkaRefusal, unreachable } from './errors.ts'
import { type CreateNode, nodeFactory } from './kafkajs.ts'
import { type KafkaLogOptions, type KafkaSettings, settingsOf } from './options.ts'
import type { KafkaRequest } from './request.ts'
import { apiVersions, type BrokerVersions } from './requests/api-versions.ts'
import { type CoordinatorType, findCoordinator } from './requests/find-coordinator.ts'
import { type Metadata, metadata, type NodeAddress, type TopicMetadata } from './requests/metadata.ts'
import { Throttle } from './throttle.ts'
import { TopicIdentities } from './topic-identities.ts'

/** Looks at a topic that seems not to exist: news of a new one takes a moment to reach every broker. */
const UNKNOWN_TOPIC_LOOKS = 3
const UNKNOWN_TOPIC_PAUSE_MS = 100
/** How long a topic, a leader or a coordinator is looked for before the caller hears of it. */
const LOOKUP_LIMIT_MS = 5_000
/** Time between two looks at all topics, which somebody may have given more partitions, or deleted and made anew. */
const LOOK_MS = 5_000

/**
 * The brokers of one cluster: who leads which partition, who coordinates what, and connections to all of them. Its knowledge is
 * kept until somebody finds it stale and says so (`forget…`). Metadata is our own request, since kafkajs' fails as a whole while
 * one partition of one topic has no leader.
 */
export class KafkaCluster {
  readonly settings: KafkaSettings
  readonly throttle: Throttle
  private readonly createNode: CreateNode
  private readonly seeds: readonly string[]
  private readonly connections = new Map<string, Connection>()
  private readonly topics = new Map<string, TopicMetadata>()
  private readonly identities = new TopicIdentities()
  /** Why nobody may read on in a topic, since it was made anew; undefined when nothing is known of that. */
  readonly lossOf = (topic: string): PositionLostError | undefined => this.identities.lossOf(topic)
  /** Id of the topic as this process first saw it; undefined where that is not known, or the cluster gives none. */
  readonly topicId = (topic: string): string | undefined => this.identities.idOf(topic)
  /** The log works with so many partitions of a topic: more that are there are nobody's. */
  readonly expectPartitions = (topic: string, partitions: number): void => this.identities.expects(topic, partitions)
  /** Topics whose leaders are not the known ones. */
  private readonly moved = new Set<string>()
  private readonly coordinators = new Map<string, number>()
  private readonly lookups = new Map<string, Promise<Metadata>>()
  private nodes: readonly NodeAddress[] = []
  private id: string | undefined
  private lookedAtAll = 0
  private offered: BrokerVersions = { newest: new Map(), features: new Map() }
  private readonly life = new AbortController()
  private asked = 0

  constructor(options: KafkaLogOptions) {
    this.settings = settingsOf(options)
    this.throttle = new Throttle(this.settings.clock, (throttled) => this.settings.onThrottled?.(throttled))
    this.createNode = nodeFactory(this.settings)
    this.seeds = options.brokers.map(checkAddress)
    setMaxListeners(0, this.life.signal) // every wait listens
  }

  /** @throws LogError `UNREACHABLE` when no broker answers, `AUTHENTICATION` */
  async connect(): Promise<void> {
    await this.lookup([])
    this.offered = await this.sendToAny(apiVersions())
  }

  /** The versions that the cluster offers, as the first broker said when the log was opened. */
  get versions(): BrokerVersions {
    return this.offered
  }

  /** Id of the cluster itself; undefined where it has none. */
  get clusterId(): string | undefined {
    return this.id
  }

  get isClosed(): boolean {
    return this.life.signal.aborted
  }

  /** Aborted with `close`. */
  get closing(): AbortSignal {
    return this.life.signal
  }

  get nodeIds(): readonly number[] {
    return this.nodes.map(({ nodeId }) => nodeId)
  }

  /** How long to try, until the log is closed. @param evenIfUnanswered false for what must not happen twice */
  limits(limitMs: number, evenIfUnanswered = true): AttemptLimits {
    return { clock: this.settings.clock, limitMs, signal: this.life.signal, evenIfUnanswered }
  }

  /**
   * Sends a request to a broker.
   * @param lane requests of one lane share a connection, where the broker works on them one after the other
   * @param timeoutMs longest wait, if longer than the usual
   */
  send<T>(nodeId: number, request: KafkaRequest<T>, lane = 'common', timeoutMs?: number): Promise<T> {
    const node = this.nodes.find((one) => one.nodeId === nodeId)
    if (node) return this.connection(`${node.host}:${node.port}`, lane).send(request, timeoutMs)
    return Promise.reject(unreachable(request.apiName, `broker ${nodeId} is not in the cluster`))
  }

  /** As `send`, to whichever broker answers, those first to which there is a connection. */
  async sendToAny<T>(request: KafkaRequest<T>, lane = 'common'): Promise<T> {
    const addresses = this.addresses(lane)
    let failure: unknown
    for (const address of addresses) {
      try {
        return await this.connection(address, lane).send(request)
      } catch (error) {
        if (!(error instanceof LogError) || !error.retriable || error instanceof KafkaRefusal) throw error
        failure = error
      }
    }
    throw unreachable(`no broker of ${addresses.join(', ')} answers`, failure)
  }

  /**
   * The leader of a partition.
   * @throws LogError `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION`, `LEADER_NOT_AVAILABLE` (retriable)
   */
  async leaderOf(at: TopicPartition): Promise<number> {
    return this.knownLeader(at) ?? (await this.findLeader(at))
  }

  /** As `leaderOf`, without asking; undefined when it is not known. */
  knownLeader({ topic, partition }: TopicPartition): number | undefined {
    if (this.moved.has(topic)) return undefined
    const leader = this.topics.get(topic)?.leaders[partition]
    return leader === undefined || leader.nodeId < 0 ? undefined : leader.nodeId
  }

  /** Counts the leaders of the partition up to the known one; -1 when none is known. */
  leaderEpoch({ topic, partition }: TopicPartition): number {
    return this.topics.get(topic)?.leaders[partition]?.leaderEpoch ?? -1
  }

  /** The ids of the topics that have one. @throws LogError `UNKNOWN_TOPIC`, and as `lookup` */
  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = await attempts(this.limits(LOOKUP_LIMIT_MS), () => this.lookup(topics))
    for (const { name, errorCode } of found.topics) if (errorCode !== 0) await this.describe(name)
    return new Map(
      topics.map((name) => [name, this.topicId(name) ?? '']).filter(([, id]) => id !== '') as [string, string][],
    )
  }

  /** Whether the partition was there when we last looked. */
  knows({ topic, partition }: TopicPartition): boolean {
    return this.topics.get(topic)?.leaders[partition] !== undefined
  }

  /** @throws LogError `UNKNOWN_TOPIC` */
  async partitionCount(topic: string): Promise<number> {
    return (await this.describe(topic)).leaders.length
  }

  /** Somebody else leads partitions of this topic. */
  forgetLeaders(topic: string): void {
    this.moved.add(topic)
  }

  /** Which broker looks after a group, or a transactional id. */
  async coordinatorOf(type: CoordinatorType, key: string): Promise<number> {
    const name = `${type} ${key}`
    const known = this.coordinators.get(name)
    if (known !== undefined) return known
    const { nodeId } = await attempts(this.limits(LOOKUP_LIMIT_MS), () => this.sendToAny(findCoordinator(type, key)))
    if (!this.nodes.some((node) => node.nodeId === nodeId)) await this.lookup([])
    this.coordinators.set(name, nodeId)
    return nodeId
  }

  forgetCoordinator(type: CoordinatorType, key: string): void {
    this.coordinators.delete(`${type} ${key}`)
  }

  /**
   * Asks for topics as they are now; one that does not exist has error code 3.
   * @throws LogError `TOPIC_MISMATCH`, PositionLostError `TOPIC_RECREATED` when one is not what it was
   */
  async lookup(topics: readonly string[]): Promise<Metadata> {
    const found = await this.look(topics)
    this.identities.expectUnchanged(topics)
    return found
  }

  /**
   * Looks at every topic that anybody here has asked for, if nobody did for LOOK_MS.
   * @param topics those whose changes the caller wants to hear of
   * @throws as `lookup`, and what keeps it from looking (retriable)
   */
  async lookAtAll(topics: readonly string[]): Promise<void> {
    const now = this.settings.clock.now()
    if (now >= this.lookedAtAll + LOOK_MS) {
      this.lookedAtAll = now
      await this.look([...new Set([...this.topics.keys(), ...topics])])
    }
    this.identities.expectUnchanged(topics)
  }

  async close(): Promise<void> {
    this.life.abort()
    await Promise.all([...this.connections.values()].map((connection) => connection.close()))
  }

  /** All that we know, beginning with another one each time. */
  private addresses(lane: string): string[] {
    const all = [...new Set([...this.nodes.map(({ host, port }) => `${host}:${port}`), ...this.seeds])]
    const first = this.asked++ % all.length
    const turned = [...all.slice(first), ...all.slice(0, first)]
    const open = new Set(turned.filter((address) => this.connections.get(`${address} ${lane}`)?.isOpen))
    return [...open, ...turned.filter((address) => !open.has(address))]
  }

  private async look(topics: readonly string[]): Promise<Metadata> {
    const key = topics.join()
    const pending = this.lookups.get(key) ?? this.lookNow(topics).finally(() => this.lookups.delete(key))
    this.lookups.set(key, pending)
    return await pending
  }

  private async lookNow(topics: readonly string[]): Promise<Metadata> {
    const found = await this.sendToAny(metadata(topics), 'metadata')
    this.learn(found.nodes)
    this.id = found.clusterId ?? this.id
    for (const topic of found.topics) {
      if (topic.errorCode === Code.UNKNOWN_TOPIC_OR_PARTITION) {
        this.topics.delete(topic.name)
        this.identities.missing(topic.name)
      }
      if (topic.errorCode !== 0 || !this.identities.learn(topic)) continue
      this.topics.set(topic.name, topic)
      this.moved.delete(topic.name)
    }
    return found
  }

  /** Keeps the connections of the brokers that are still there, and of those we were told of to begin with. */
  private learn(nodes: readonly NodeAddress[]): void {
    if (nodes.length === 0) return
    this.nodes = nodes
    const kept = new Set([...nodes.map(({ host, port }) => `${host}:${port}`), ...this.seeds])
    for (const [name, connection] of this.connections) {
      if (kept.has(connection.address)) continue
      this.connections.delete(name)
      void connection.close()
    }
  }

  private async findLeader(at: TopicPartition): Promise<number> {
    const { leaders } = await this.describe(at.topic)
    if (at.partition < 0 || at.partition >= leaders.length)
      throw new LogError('UNKNOWN_PARTITION', `topic ${at.topic} has no partition ${at.partition}`)
    const leader = this.knownLeader(at)
    if (leader !== undefined) return leader
    return await attempts(this.limits(LOOKUP_LIMIT_MS), async () => {
      await this.lookup([at.topic])
      const found = this.knownLeader(at)
      if (found !== undefined) return found
      const message = `${at.topic}/${at.partition} has no leader`
      throw new LogError('LEADER_NOT_AVAILABLE', message, { retriable: true })
    })
  }

  private async describe(topic: string): Promise<TopicMetadata> {
    for (let look = 1; ; look++) {
      const { topics } = await attempts(this.limits(LOOKUP_LIMIT_MS), () => this.lookup([topic]))
      const [found] = topics
      const errorCode = found?.errorCode ?? Code.UNKNOWN_TOPIC_OR_PARTITION
      if (errorCode === 0) return this.identities.ownPartitions(found!)
      if (errorCode === Code.INVALID_TOPIC) throw new LogError('INVALID_TOPIC', `${topic} is no topic name`)
      if (errorCode !== Code.UNKNOWN_TOPIC_OR_PARTITION) throw new KafkaRefusal(errorCode, `metadata of ${topic}`)
      if (look >= UNKNOWN_TOPIC_LOOKS) throw this.identities.unknown(topic)
      await this.settings.clock.sleep(UNKNOWN_TOPIC_PAUSE_MS)
    }
  }

  private connection(address: string, lane: string): Connection {
    if (this.isClosed) throw closedError()
    const name = `${address} ${lane}`
    let connection = this.connections.get(name)
    if (connection === undefined) {
      const split = address.lastIndexOf(':')
      const at = { host: address.slice(0, split), port: Number(address.slice(split + 1)), lane }
      connection = new Connection(this.createNode, at, this.settings.requestTimeoutMs, this.throttle)
      this.connections.set(name, connection)
    }
    return connection
  }
}

function checkAddress(address: string): string {
  const port = Number(address.slice(address.lastIndexOf(':') + 1))
  if (address.includes(':') && Number.isInteger(port) && port > 0 && port < 65_536) return address
  throw new LogError('INVALID_ADDRESS', `${JSON.stringify(address)} is no broker address: write host:port`)
}
