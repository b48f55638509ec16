import {
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  type GroupListener,
  type JoinOptions,
  type Log,
  LogError,
  type MemberIdentity,
  type Membership,
  type TopicConfig,
  type TopicPartition,
  type TransactionalWriter,
} from '../../../streams/ports.ts'
import { KafkaAppender } from './appender.ts'
import { KafkaCluster } from './cluster.ts'
import { closedError } from './errors.ts'
import { Fetcher } from './fetcher.ts'
import { type EndSearch, searchEnds, writeEnd } from './hanging-transactions.ts'
import { GroupMembership } from './membership.ts'
import { bounds, committedOffsets, deleteRecords, ends } from './offsets.ts'
import { type OpenTransaction, openTransactions } from './open-transactions.ts'
import type { KafkaLogOptions } from './options.ts'
import { createTopics } from './topics.ts'
import { TransactionWriter } from './transaction-writer.ts'

/** Longest wait for the groups to hear that members leave, when the log is closed. */
const LEAVE_LIMIT_MS = 3_000

/** Kafka's APIs with the versions that KIP-890 needs: Produce, EndTxn, TxnOffsetCommit. */
const TRANSACTIONS_2 = [
  [0, 12],
  [26, 5],
  [28, 5],
] as const

/**
 * Opens a log on a Kafka cluster, version 3.6 or newer.
 * @throws LogError `UNREACHABLE` (retriable), `AUTHENTICATION`, `INVALID_ADDRESS`, `TRANSACTIONS_VERSION`
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const cluster = new KafkaCluster(options)
  try {
    await cluster.connect()
    return new KafkaLog(cluster, transactionsVersion(cluster))
  } catch (error) {
    await cluster.close()
    throw error
  }
}

function transactionsVersion({ settings, versions: { newest, features } }: KafkaCluster): 1 | 2 {
  const on = (features.get('transaction.version') ?? 0) >= 2
  const offered = on && TRANSACTIONS_2.every(([apiKey, version]) => (newest.get(apiKey) ?? 0) >= version)
  const { transactionsVersion: wanted = offered ? 2 : 1 } = settings
  if (wanted === 1 || offered) return wanted
  throw new LogError(
    'TRANSACTIONS_VERSION',
    'the cluster has not switched on transactions version 2: upgrade it (kafka-features.sh --feature transaction.version=2), ' +
      'or leave the version to the driver',
  )
}

const isUnstable = (error: unknown): boolean => error instanceof LogError && error.code === 'UNSTABLE_OFFSET_COMMIT'

/** The log of a cluster. */
export class KafkaLog implements Log {
  private readonly cluster: KafkaCluster
  /** Version of the cluster's transactions that writers of this log use: since 2 each has an epoch of its own. */
  readonly transactionsVersion: 1 | 2
  private readonly fetcher: Fetcher
  private readonly memberships = new Set<GroupMembership>()
  /** Writers that name their group and have committed nothing yet. */
  private readonly fresh = new Set<TransactionWriter>()
  private closing: Promise<void> | undefined

  constructor(cluster: KafkaCluster, transactionsVersion: 1 | 2) {
    this.cluster = cluster
    this.transactionsVersion = transactionsVersion
    this.fetcher = new Fetcher(cluster, (partitions) => bounds(cluster, partitions))
  }

  /** Id of the cluster; undefined where it has none. */
  get clusterId(): string | undefined {
    return this.cluster.clusterId
  }

  /** How long brokers have kept this client silent since it was opened, ms. */
  get throttledMs(): number {
    return this.cluster.throttle.totalMs
  }

  async createTopics(topics: readonly TopicConfig[]): Promise<void> {
    await createTopics(this.open(), topics)
  }

  async partitionCount(topic: string): Promise<number> {
    return await this.open().partitionCount(topic)
  }

  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return await this.open().topicIds(topics)
  }

  async bounds(partitions: readonly TopicPartition[]) {
    const found = await bounds(this.open(), partitions)
    for (const [at, partition] of partitions.entries()) this.fetcher.note(partition, found[at]!)
    return found
  }

  async ends(partitions: readonly TopicPartition[]) {
    return await ends(this.open(), partitions)
  }

  /** The oldest transaction that is open in each partition that has one; undefined where brokers are too old to tell. */
  async openTransactions(partitions: readonly TopicPartition[]): Promise<readonly OpenTransaction[] | undefined> {
    return await openTransactions(this.open(), partitions)
  }

  /** How a transaction that hangs ended elsewhere. @param partitions all that it may have written to */
  async searchEnds(transaction: OpenTransaction, partitions: readonly TopicPartition[]): Promise<EndSearch> {
    return await searchEnds(this.open(), transaction, partitions)
  }

  /** Ends a transaction that hangs in its partition, in the place of its coordinator. Needs the right to act for the cluster. */
  async writeEnd(transaction: OpenTransaction, end: 'COMMIT' | 'ABORT'): Promise<void> {
    await writeEnd(this.open(), transaction, end)
  }

  async committedOffsets(group: string, partitions: readonly TopicPartition[]) {
    const ask = () => committedOffsets(this.open(), group, partitions, this.fetcher.epochs)
    try {
      return await ask()
    } catch (error) {
      if (!isUnstable(error) || !(await this.endLeftOffsets(group))) throw error
      return await ask()
    }
  }

  async fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<readonly FetchedPartition[]> {
    this.open()
    return await this.fetcher.fetch(positions, options)
  }

  async join(options: JoinOptions, listener: GroupListener): Promise<Membership> {
    const membership = await GroupMembership.join(this.open(), options, listener)
    for (const earlier of this.memberships) if (earlier.ended) this.memberships.delete(earlier)
    this.memberships.add(membership)
    return membership
  }

  async transactionalWriter(transactionalId: string, group?: string): Promise<TransactionalWriter> {
    const version = this.transactionsVersion
    const isCurrent = (group: string, identity: MemberIdentity) => this.isCurrent(group, identity)
    const epochBefore = (at: FetchPosition) => this.fetcher.epochs.before(at)
    const options = { transactionalId, version, group, isCurrent, epochBefore }
    const writer = await TransactionWriter.open(this.open(), options)
    for (const earlier of this.fresh) if (!earlier.isFresh) this.fresh.delete(earlier)
    if (group !== undefined) this.fresh.add(writer)
    return writer
  }

  /** @returns whether some writer could, so that it is worth asking again */
  private async endLeftOffsets(group: string): Promise<boolean> {
    const writers = [...this.fresh].filter((writer) => writer.isFresh && writer.group === group)
    const ended = await Promise.allSettled(writers.map((writer) => writer.endLeftOffsets()))
    return ended.some(({ status }) => status === 'fulfilled')
  }

  async appender(): Promise<KafkaAppender> {
    return await KafkaAppender.open(this.open())
  }

  async deleteRecords(before: readonly FetchPosition[]): Promise<void> {
    await deleteRecords(this.open(), before)
  }

  async reopened(): Promise<KafkaLog> {
    return await openKafkaLog(this.open().settings)
  }

  close(): Promise<void> {
    this.closing ??= this.shut()
    return this.closing
  }

  private async shut(): Promise<void> {
    const left = new AbortController()
    const leaving = Promise.all([...this.memberships].map((membership) => membership.leave()))
    void leaving.then(() => left.abort())
    await this.cluster.settings.clock.sleep(LEAVE_LIMIT_MS, left.signal)
    await this.fetcher.close()
    await this.cluster.close()
  }

  private isCurrent(group: string, identity: MemberIdentity): boolean {
    for (const membership of this.memberships)
      if (membership.group === group && membership.isCurrent(identity)) return true
    return false
  }

  private open(): KafkaCluster {
    if (this.closing) throw closedError()
    return this.cluster
  }
}
