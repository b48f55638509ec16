import { doubling } from '../../../streams/back-off.ts'
import { type Appender, LogError, type OutgoingRecord } from '../../../streams/ports.ts'
import { attempts } from './attempts.ts'
import { type BatchRecords, cutIntoBatches } from './batches.ts'
import type { KafkaCluster } from './cluster.ts'
import { closedError, isStale, KafkaRefusal, unanswered } from './errors.ts'
import { type AppendCall, PartitionQueue } from './partition-queue.ts'
import { groupByLeader, nameOf } from './per-leader.ts'
import { initProducerId, type ProducerIdentity } from './requests/init-producer-id.ts'
import { type ProducedBatch, produce } from './requests/produce.ts'

/** Bytes that may wait to be sent; a call beyond them is refused at once. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024
/** A batch that is not in the log after this long is given up. */
const APPEND_LIMIT_MS = 20_000
const OPEN_LIMIT_MS = 10_000
const pauseMs = doubling({ firstMs: 10, mostMs: 200 })
const LANE = 'append'

/**
 * An idempotent producer. Each partition has one batch under way and a queue behind it, which goes into the next batch; so
 * order is kept and a batch that is sent again is the same bytes with the same sequence. A single request is under way to each
 * leader, with a batch for each partition that has one to send.
 */
export class KafkaAppender implements Appender {
  private readonly cluster: KafkaCluster
  private readonly queues = new Map<string, PartitionQueue>()
  private readonly busyLeaders = new Set<number>()
  /** Calls that wait to hear whether their partitions exist, in order. */
  private checking: Promise<unknown> | undefined
  private identity: ProducerIdentity
  private readonly underWay = new Set<Promise<unknown>>()
  private waitingBytes = 0
  private pumping = false
  private closed = false

  private constructor(cluster: KafkaCluster, identity: ProducerIdentity) {
    this.cluster = cluster
    this.identity = identity
  }

  static async open(cluster: KafkaCluster): Promise<KafkaAppender> {
    return new KafkaAppender(cluster, await newIdentity(cluster))
  }

  async append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    if (this.closed) throw closedError()
    if (records.length === 0) return []
    const parts = cutIntoBatches(records)
    const sizeBytes = parts.flat().reduce((sum, batch) => sum + batch.sizeBytes, 0)
    if (this.waitingBytes > 0 && this.waitingBytes + sizeBytes > WAITING_BYTES_MAX)
      throw new LogError('BUSY', `${this.waitingBytes} bytes wait to be written`, { retriable: true })
    this.waitingBytes += sizeBytes
    const appended = this.checkPartitions(parts).then(() => this.enqueue(parts, records.length))
    this.underWay.add(appended)
    try {
      return await appended
    } finally {
      this.waitingBytes -= sizeBytes
      this.underWay.delete(appended)
    }
  }

  /** Refuses what comes, and waits for what is under way. */
  async close(): Promise<void> {
    this.closed = true
    await Promise.allSettled(this.underWay)
  }

  /** @throws LogError before anything of the call is sent */
  private async checkPartitions(parts: readonly BatchRecords[][]): Promise<void> {
    const unknown = parts.some(([first]) => !this.cluster.knows(first!))
    if (!unknown && this.checking === undefined) return
    const check = (this.checking ?? Promise.resolve())
      .catch(() => {})
      .then(() =>
        groupByLeader(
          this.cluster,
          parts.map(([first]) => first!),
        ),
      )
    this.checking = check
    try {
      await check
    } finally {
      if (this.checking === check) this.checking = undefined
    }
  }

  private enqueue(parts: readonly BatchRecords[][], count: number): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      const offsets = new Array<number>(count)
      const open = parts.reduce((sum, { length }) => sum + length, 0)
      const call: AppendCall = { offsets, open, written: false, failure: undefined, resolve, reject }
      for (const part of parts) {
        const name = nameOf(part[0]!)
        let queue = this.queues.get(name)
        if (queue === undefined) {
          queue = new PartitionQueue(part[0]!, this.identity)
          this.queues.set(name, queue)
        }
        for (const batch of part) queue.add(batch, call)
      }
      this.wake()
    })
  }

  /** Sends in the next turn, so that calls of the same turn share their batches. */
  private wake(): void {
    if (this.pumping) return
    this.pumping = true
    setImmediate(() => {
      this.pumping = false
      this.pump()
    })
  }

  private pump(): void {
    const byLeader = new Map<number, PartitionQueue[]>()
    for (const queue of this.queues.values()) {
      if (!queue.ready) continue
      const leader = this.cluster.knownLeader(queue)
      if (leader === undefined) this.search(queue)
      else if (this.busyLeaders.has(leader)) continue
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), queue])
    }
    for (const [leader, queues] of byLeader) void this.send(leader, queues)
  }

  private search(queue: PartitionQueue): void {
    queue.take(this.cluster.settings.clock.now()) // its time begins
    const found = this.cluster.leaderOf(queue).catch((error) => this.failed(queue, error))
    this.pause(queue, found)
  }

  private async send(leader: number, queues: readonly PartitionQueue[]): Promise<void> {
    this.busyLeaders.add(leader)
    const { clock, requestTimeoutMs } = this.cluster.settings
    const batches = queues.map((queue) => queue.take(clock.now()))
    const request = produce(batches, { transactionalId: null, timeoutMs: requestTimeoutMs, version: 9 })
    try {
      const produced = await this.cluster.send(leader, request, LANE)
      for (const queue of queues) this.settle(queue, produced)
    } catch (error) {
      for (const queue of queues) this.failed(queue, error as LogError)
    } finally {
      this.busyLeaders.delete(leader)
      this.wake()
    }
  }

  private settle(queue: PartitionQueue, produced: readonly ProducedBatch[]): void {
    const answer = produced.find(({ topic, partition }) => topic === queue.topic && partition === queue.partition)
    const what = `append to ${nameOf(queue)}`
    if (answer === undefined) this.failed(queue, unanswered(what, new Error('the answer does not speak of it')))
    else if (answer.errorCode === 0) queue.written(answer.baseOffset)
    else this.failed(queue, new KafkaRefusal(answer.errorCode, what, answer.message))
  }

  /** The same bytes again after a pause, or the end of the batch: then the partition goes on with a new producer id. */
  private failed(queue: PartitionQueue, error: LogError): void {
    const { clock } = this.cluster.settings
    if (isStale(error, 'leader')) this.cluster.forgetLeaders(queue.topic)
    queue.noteFailure(error)
    const late = clock.now() - queue.firstSentAt >= APPEND_LIMIT_MS
    if (error.retriable && !late && !this.cluster.isClosed) {
      this.pause(queue, clock.sleep(pauseMs(queue.failures)))
      return
    }
    queue.giveUp(error)
    const renewed = newIdentity(this.cluster).then(
      (identity) => queue.restart(identity),
      (failure) => queue.failAll(failure),
    )
    this.pause(queue, renewed)
  }

  /** Keeps the partition back until something has been found or time has passed. */
  private pause(queue: PartitionQueue, until: Promise<unknown>): void {
    queue.pauses++
    void until.finally(() => {
      queue.pauses--
      this.wake()
    })
  }
}

function newIdentity(cluster: KafkaCluster): Promise<ProducerIdentity> {
  return attempts(cluster.limits(OPEN_LIMIT_MS), () => cluster.sendToAny(initProducerId(null, 0), LANE))
}
