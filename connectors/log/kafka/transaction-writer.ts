import {
  type Burst,
  type CommitOutcome,
  LogError,
  type MemberIdentity,
  type TransactionalWriter,
} from '../../../streams/ports.ts'
import { attempts } from './attempts.ts'
import { type BatchRecords, cutIntoBatches, nextSequence } from './batches.ts'
import type { KafkaCluster } from './cluster.ts'
import { Code, closedError, isStale, KafkaRefusal } from './errors.ts'
import { groupByLeader, nameOf, perLeader } from './per-leader.ts'
import { encodeRecordBatch } from './record-batch.ts'
import type { KafkaRequest } from './request.ts'
import type { CoordinatorType } from './requests/find-coordinator.ts'
import { initProducerId, type ProducerIdentity } from './requests/init-producer-id.ts'
import { produce } from './requests/produce.ts'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  type EpochBefore,
  endTxn,
  type TransactionOwner,
  txnOffsetCommit,
} from './requests/transaction.ts'

/** How long an older writer's transaction may take to end. */
const OPEN_LIMIT_MS = 15_000
/** No attempt of a step begins later than this after its first; the transaction is aborted then. */
const STEP_LIMIT_MS = 5_000
/** Connections to one broker that all writers share: a broker works on one request of a connection at a time. */
const LANES = 4

export interface WriterOptions {
  readonly transactionalId: string
  readonly version: 1 | 2
  /** Group whose offsets it commits, where that is known before. */
  readonly group?: string | undefined
  /** Leader epochs for the group, beside the positions. */
  readonly epochBefore: EpochBefore
  /** Whether this identity is the newest of a member in this process. */
  readonly isCurrent: (group: string, identity: MemberIdentity) => boolean
}

/**
 * A transactional id on the shared connections. A burst is written in two rounds: what it contains (batches and offsets, to
 * different brokers at once), then its end. Before KIP-890 (version 1) a round goes before them that names what will be written.
 * Every failure before the end leads to an abort, never to the commit of a part; and every answer that does not come to the end
 * itself leaves the outcome `unknown`.
 */
export class TransactionWriter implements TransactionalWriter {
  private readonly cluster: KafkaCluster
  private readonly options: WriterOptions
  private readonly lane: string
  private readonly sequences = new Map<string, number>()
  private identity: ProducerIdentity
  /** Why this writer cannot be used any more. */
  private ended: CommitOutcome | undefined
  private hasCommitted = false
  private ending: Promise<void> | undefined

  private constructor(cluster: KafkaCluster, options: WriterOptions, identity: ProducerIdentity) {
    this.cluster = cluster
    this.options = options
    this.identity = identity
    this.lane = laneOf(options.transactionalId)
  }

  /** Fences older writers with the id, and waits until their last transaction has ended. */
  static async open(cluster: KafkaCluster, options: WriterOptions): Promise<TransactionWriter> {
    const { transactionalId } = options
    const { transactionTimeoutMs } = cluster.settings
    const request = initProducerId(transactionalId, transactionTimeoutMs)
    const identity = await atCoordinator(cluster, 'transaction', transactionalId, request, {
      lane: laneOf(transactionalId),
      limitMs: OPEN_LIMIT_MS,
    })
    return new TransactionWriter(cluster, options, identity)
  }

  get group(): string | undefined {
    return this.options.group
  }

  /** The writer has committed nothing yet, and may. */
  get isFresh(): boolean {
    return !this.hasCommitted && this.ended === undefined
  }

  /**
   * Ends the offsets that an older writer left half-committed in the group. Brokers under heavy load have lost sight of such a
   * transaction: its coordinator calls it ended, the group waits for its end, and so does everybody who asks for the offsets. An empty
   * transaction of the same id ends it too, when it is aborted. @throws LogError
   */
  endLeftOffsets(): Promise<void> {
    this.ending ??= this.abortEmpty().finally(() => {
      this.ending = undefined
    })
    return this.ending
  }

  private async abortEmpty(): Promise<void> {
    await this.coordinate(addOffsetsToTxn(this.owner, this.options.group!))
    this.proceed(await this.endTransaction(false))
    if (this.options.version === 1) await this.renew()
  }

  async commit(burst: Burst): Promise<CommitOutcome> {
    this.hasCommitted = true
    await this.ending?.catch(() => undefined) // it told who began it
    if (this.ended) return this.ended
    if (this.cluster.isClosed) return { outcome: 'aborted', cause: closedError() }
    const batches = cutIntoBatches(burst.records)
    try {
      await groupByLeader(this.cluster, [...batches.map(([first]) => first!), ...(burst.offsets?.commits ?? [])])
    } catch (cause) {
      return { outcome: 'aborted', cause }
    }
    if (batches.length === 0 && !burst.offsets) return { outcome: 'committed', baseOffsets: new Map() }
    await this.cluster.throttle.over(this.lane, this.cluster.closing)
    const { group, membership } = burst.offsets ?? {}
    const isMember = group !== undefined && membership !== undefined && this.options.isCurrent(group, membership)
    try {
      return await this.end(await this.write(batches, burst.offsets))
    } catch (cause) {
      return await this.abort(cause, isMember)
    }
  }

  async close(): Promise<void> {
    this.ended ??= { outcome: 'aborted', cause: closedError() }
  }

  private get owner(): TransactionOwner {
    return { transactionalId: this.options.transactionalId, ...this.identity }
  }

  private async write(
    batches: readonly BatchRecords[][],
    offsets: Burst['offsets'],
  ): Promise<ReadonlyMap<string, number>> {
    if (this.options.version === 1) await this.announce(batches, offsets?.group)
    const [produced, committed] = await Promise.allSettled([this.produce(batches), this.commitOffsets(offsets)])
    if (committed.status === 'rejected') throw committed.reason // it may fence, which says more
    if (produced.status === 'rejected') throw produced.reason
    return produced.value
  }

  /** All on one connection, so the coordinator does one after the other. */
  private async announce(batches: readonly BatchRecords[][], group: string | undefined): Promise<void> {
    const partitions = batches.map(([first]) => first!)
    const steps = [
      partitions.length > 0 && this.coordinate(addPartitionsToTxn(this.owner, partitions)),
      group !== undefined && this.coordinate(addOffsetsToTxn(this.owner, group)),
    ]
    for (const result of await Promise.allSettled(steps)) if (result.status === 'rejected') throw result.reason
  }

  /** Batch after batch of each partition; all partitions at once. A batch that is sent again is the same bytes. */
  private async produce(batches: readonly BatchRecords[][]): Promise<ReadonlyMap<string, number>> {
    const baseOffsets = new Map<string, number>()
    const rounds = Math.max(0, ...batches.map(({ length }) => length))
    const { requestTimeoutMs } = this.cluster.settings
    const { transactionalId, version } = this.options
    const settings = { transactionalId, timeoutMs: requestTimeoutMs, version: version === 1 ? 9 : 12 } as const
    for (let round = 0; round < rounds; round++) {
      const encoded = batches.filter(({ length }) => length > round).map((part) => this.encode(part[round]!))
      const produced = await perLeader(this.cluster, encoded, (asked) => produce(asked, settings), {
        what: `${transactionalId}: batch`,
        limitMs: STEP_LIMIT_MS,
        lane: this.lane,
      })
      if (round === 0) for (const answer of produced) baseOffsets.set(nameOf(answer), answer.baseOffset)
    }
    return baseOffsets
  }

  private encode({ topic, partition, records }: BatchRecords) {
    const name = nameOf({ topic, partition })
    const baseSequence = this.sequences.get(name) ?? 0
    this.sequences.set(name, nextSequence(baseSequence, records.length))
    return {
      topic,
      partition,
      batch: encodeRecordBatch(records, { ...this.identity, baseSequence, transactional: true }),
    }
  }

  private async commitOffsets(offsets: Burst['offsets']): Promise<void> {
    if (!offsets) return
    const request = txnOffsetCommit(this.owner, offsets, this.options.epochBefore, this.options.version === 1 ? 3 : 5)
    const { lane } = this
    await atCoordinator(this.cluster, 'group', offsets.group, request, { lane, limitMs: STEP_LIMIT_MS })
  }

  private async end(baseOffsets: ReadonlyMap<string, number>): Promise<CommitOutcome> {
    try {
      this.proceed(await this.endTransaction(true))
      return { outcome: 'committed', baseOffsets }
    } catch (cause) {
      const refusal = cause instanceof KafkaRefusal ? cause : undefined
      // Somebody else has ended it: a newer writer, or the coordinator after its time.
      if (refusal?.kafkaCode === Code.INVALID_TXN_STATE) return this.fence(cause)
      // Other refusals may hide an end that was written: COORDINATOR_NOT_AVAILABLE is also said when its replicas are late.
      if (refusal?.kind.fences || refusal?.kafkaCode === Code.TRANSACTION_ABORTABLE) throw cause
      this.ended = { outcome: 'unknown', cause }
      return this.ended
    }
  }

  private async abort(cause: unknown, isMember: boolean): Promise<CommitOutcome> {
    const kind = cause instanceof KafkaRefusal ? cause.kind : undefined
    if (kind?.fences === 'writer') return this.fence(cause)
    try {
      await this.endTransaction(false).then(
        (identity) => this.proceed(identity),
        (error) => expectNothingToAbort(error),
      )
      if (this.options.version === 1) await this.renew()
    } catch (error) {
      if (error instanceof KafkaRefusal && error.kind.fences) return this.fence(error)
      this.ended = { outcome: 'unknown', cause: error }
      return this.ended
    }
    if (kind?.fences === 'member' && !(isMember && isBehind(cause))) return { outcome: 'fenced', cause }
    return { outcome: 'aborted', cause: kind?.abortable || kind?.fences ? again(cause) : cause }
  }

  private fence(cause: unknown): CommitOutcome {
    this.ended = { outcome: 'fenced', cause }
    return this.ended
  }

  /** A commit is sent again only when it was certainly refused; an abort, always. */
  private endTransaction(commit: boolean): Promise<ProducerIdentity> {
    return this.coordinate(endTxn(this.owner, commit, this.options.version === 1 ? 3 : 5), !commit)
  }

  /** Before KIP-890 an abort keeps the epoch; a new one makes sure that nothing late of the aborted transaction counts. */
  private async renew(): Promise<void> {
    const { transactionTimeoutMs } = this.cluster.settings
    const renewed = initProducerId(this.options.transactionalId, transactionTimeoutMs, this.identity)
    this.proceed(await this.coordinate(renewed))
  }

  /** Sequences begin again with every epoch. */
  private proceed(identity: ProducerIdentity): void {
    const { producerId, producerEpoch } = this.identity
    if (identity.producerId !== producerId || identity.producerEpoch !== producerEpoch) this.sequences.clear()
    this.identity = identity
  }

  private coordinate<T>(request: KafkaRequest<T>, evenIfUnanswered = true): Promise<T> {
    const { lane } = this
    const options = { lane, limitMs: STEP_LIMIT_MS, evenIfUnanswered }
    return atCoordinator(this.cluster, 'transaction', this.options.transactionalId, request, options)
  }
}

interface CoordinatorOptions {
  readonly lane: string
  readonly limitMs: number
  readonly evenIfUnanswered?: boolean
}

function atCoordinator<T>(
  cluster: KafkaCluster,
  type: CoordinatorType,
  key: string,
  request: KafkaRequest<T>,
  { lane, limitMs, evenIfUnanswered = true }: CoordinatorOptions,
): Promise<T> {
  return attempts(
    cluster.limits(limitMs, evenIfUnanswered),
    async () => cluster.send(await cluster.coordinatorOf(type, key), request, lane),
    (error) => {
      if (isStale(error, 'coordinator')) cluster.forgetCoordinator(type, key)
    },
  )
}

/** The group has a new generation, of which this member will hear: it may go on with that. */
const isBehind = (cause: unknown): boolean =>
  cause instanceof KafkaRefusal && cause.kafkaCode === Code.ILLEGAL_GENERATION

/** Before KIP-890, a transaction that was refused before anything was added to it cannot be aborted, nor need it. */
function expectNothingToAbort(error: unknown): void {
  if (!(error instanceof KafkaRefusal) || error.kafkaCode !== Code.INVALID_TXN_STATE) throw error
}

function again(cause: unknown): LogError {
  const { code, message } = cause as LogError
  return new LogError(code, message, { retriable: true, cause })
}

function laneOf(transactionalId: string): string {
  let hash = 0
  for (let at = 0; at < transactionalId.length; at++) hash = (hash * 31 + transactionalId.charCodeAt(at)) | 0
  return `writer ${(hash >>> 0) % LANES}`
}
