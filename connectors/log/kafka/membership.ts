import { createHash } from 'node:crypto'
import {
  type GroupListener,
  type JoinOptions,
  LogError,
  type MemberIdentity,
  type Membership,
} from '../../../streams/ports.ts'
import { assignMembers, type Claim, decodeShare, encodeClaim, type Share } from './assignor.ts'
import { attempts } from './attempts.ts'
import type { KafkaCluster } from './cluster.ts'
import { Code, isStale, KafkaRefusal } from './errors.ts'
import type { KafkaRequest } from './request.ts'
import { heartbeat, type Joined, joinGroup, leaveGroup, syncGroup } from './requests/group.ts'

/** Time between two heartbeats, by which a member hears of a rebalance. */
const HEARTBEAT_MS = 500
/** How long joining may fail for want of a coordinator before the member gives up. */
const JOIN_LIMIT_MS = 30_000

/**
 * A member of a consumer group, in Kafka's classic protocol: joins, lets the leader assign, and sends heartbeats until the
 * group asks it to join again. Its own requests instead of kafkajs' consumer, which tells neither generation nor loss, joins
 * only from within a fetch loop, and has no static members: a process that comes back under its instance id takes its
 * place at once, and the group itself throws the older one out. The name of the protocol carries the fingerprint, so the
 * group itself refuses a member with another topology.
 */
export class GroupMembership implements Membership {
  private readonly cluster: KafkaCluster
  private readonly options: JoinOptions
  private readonly listener: GroupListener
  private readonly protocolName: string
  private readonly lane: string
  private readonly life = new AbortController()
  private memberId = ''
  private generation = -1
  private share: Share = { partitions: [], standbys: [] }

  private constructor(cluster: KafkaCluster, options: JoinOptions, listener: GroupListener) {
    this.cluster = cluster
    this.options = options
    this.listener = listener
    this.protocolName = `streams-${fingerprintOf(options)}`
    this.lane = `group ${options.group} ${options.instanceId}`
  }

  /** @throws LogError `UNKNOWN_TOPIC`, `TOPOLOGY_MISMATCH`, `GROUP_FULL` */
  static async join(cluster: KafkaCluster, options: JoinOptions, listener: GroupListener): Promise<GroupMembership> {
    for (const topic of options.topics) await cluster.partitionCount(topic)
    const membership = new GroupMembership(cluster, options, listener)
    await membership.join()
    setImmediate(() => void membership.run())
    return membership
  }

  get group(): string {
    return this.options.group
  }

  /** The member left, or was thrown out. */
  get ended(): boolean {
    return this.life.signal.aborted
  }

  /** The newest identity that the listener was told. */
  isCurrent({ memberId, generation }: MemberIdentity): boolean {
    return !this.ended && memberId === this.memberId && generation === this.generation
  }

  async leave(): Promise<void> {
    if (this.life.signal.aborted) return
    this.life.abort()
    const { group, instanceId } = this.options
    await this.send(leaveGroup({ group, instanceId, memberId: this.memberId }), 'common').catch(() => {}) // its session ends anyway
  }

  private async run(): Promise<void> {
    const { signal } = this.life
    try {
      while (!signal.aborted) {
        const { partitions, standbys } = this.share
        this.listener.assigned(partitions, { memberId: this.memberId, generation: this.generation }, standbys)
        await this.untilRebalance()
        if (!signal.aborted) await this.join()
      }
    } catch (error) {
      if (signal.aborted || this.cluster.isClosed) return
      this.life.abort()
      this.listener.lost(error as Error)
    }
  }

  /** Joins and gets an assignment, however often the group begins anew meanwhile. */
  private async join(): Promise<void> {
    const { signal } = this.life
    const limits = { ...this.cluster.limits(JOIN_LIMIT_MS), signal }
    const step = (): Promise<void> =>
      this.joinOnce().catch((error) => {
        throw mustRejoin(error) ? new LogError('REBALANCE', 'the group began anew', { retriable: true }) : error
      })
    await attempts(limits, step, (error) => this.forgetCoordinator(error)).catch((error) => {
      throw this.explain(error)
    })
  }

  private async joinOnce(): Promise<void> {
    const { group, instanceId, topics } = this.options
    const { sessionTimeoutMs, requestTimeoutMs } = this.cluster.settings
    const member = { group, instanceId, memberId: this.memberId }
    const { protocolName } = this
    const metadata = encodeClaim(topics, this.claim())
    const settings = { sessionTimeoutMs, rebalanceTimeoutMs: sessionTimeoutMs, protocolName, metadata }
    const joined = await this.send(joinGroup(member, settings), this.lane, sessionTimeoutMs + requestTimeoutMs)
    this.memberId = joined.memberId
    const shares = joined.leaderId === joined.memberId ? await this.assign(joined) : []
    const sync = syncGroup({ ...member, ...joined }, shares)
    const assignment = await this.send(sync, this.lane, sessionTimeoutMs + requestTimeoutMs)
    this.generation = joined.generation
    this.share = decodeShare(assignment, topics)
  }

  private claim(): Claim {
    const { standbys = 0, restored } = this.options
    const numbers = [...new Set(this.share.partitions.map(({ partition }) => partition))]
    return { generation: this.generation, numbers, standbys, restored: [...(restored?.() ?? [])] }
  }

  private async assign({ members }: Joined) {
    const counts = new Map<string, number>()
    for (const topic of this.options.topics) counts.set(topic, await this.cluster.partitionCount(topic))
    return assignMembers(members, counts)
  }

  private async untilRebalance(): Promise<void> {
    const { group, instanceId } = this.options
    const { clock } = this.cluster.settings
    const { signal } = this.life
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, signal)
      if (signal.aborted) return
      await this.lookAtTopics()
      try {
        await this.send(heartbeat({ group, instanceId, memberId: this.memberId }, this.generation), this.lane)
      } catch (error) {
        if (mustRejoin(error)) return
        if (!(error instanceof LogError) || !error.retriable) throw this.explain(error)
        this.forgetCoordinator(error)
      }
    }
  }

  /** A topic that is another one ends the membership. */
  private async lookAtTopics(): Promise<void> {
    const { topics, watched = [] } = this.options
    await this.cluster.lookAtAll([...topics, ...watched]).catch((error) => {
      if (!(error instanceof LogError) || !error.retriable) throw error // else at the next look
    })
  }

  private async send<T>(request: KafkaRequest<T>, lane: string, timeoutMs?: number): Promise<T> {
    const coordinator = await this.cluster.coordinatorOf('group', this.options.group)
    return await this.cluster.send(coordinator, request, lane, timeoutMs)
  }

  private forgetCoordinator(error: LogError): void {
    if (isStale(error, 'coordinator')) this.cluster.forgetCoordinator('group', this.options.group)
  }

  private explain(error: unknown): unknown {
    const { group, instanceId, fingerprint } = this.options
    const kafkaCode = error instanceof KafkaRefusal ? error.kafkaCode : undefined
    if (kafkaCode === Code.INCONSISTENT_GROUP_PROTOCOL)
      return new LogError(
        'TOPOLOGY_MISMATCH',
        `group ${group} runs another topology than ${instanceId} with ${fingerprint}: stop the members with the old ` +
          'topology before those with the new one join (one that was killed counts until its session ends)',
        { cause: error },
      )
    if (kafkaCode === Code.GROUP_MAX_SIZE_REACHED)
      return new LogError('GROUP_FULL', `group ${group} has group.max.size members already`, { cause: error })
    if (kafkaCode === Code.FENCED_INSTANCE_ID)
      return new LogError('MEMBER_REPLACED', `another member named ${instanceId} joined group ${group}`, {
        cause: error,
      })
    if (kafkaCode === Code.UNKNOWN_MEMBER_ID)
      return new LogError('SESSION_EXPIRED', `group ${group} went on without ${instanceId}`, { cause: error })
    return error
  }
}

const REJOIN: readonly number[] = [Code.REBALANCE_IN_PROGRESS, Code.ILLEGAL_GENERATION]

const mustRejoin = (error: unknown): boolean => error instanceof KafkaRefusal && REJOIN.includes(error.kafkaCode)

const fingerprintOf = ({ fingerprint, topics }: JoinOptions): string =>
  createHash('sha256')
    .update(JSON.stringify([fingerprint, topics]))
    .digest('hex')
    .slice(0, 16)
