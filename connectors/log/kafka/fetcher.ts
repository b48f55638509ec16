import {
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  LogError,
  type PartitionBounds,
  type TopicPartition,
} from '../../../streams/ports.ts'
import type { KafkaCluster } from './cluster.ts'
import { closedError, expectNoError, isStale, KafkaRefusal } from './errors.ts'
import { Ask, type KnownBounds, waitFor } from './fetch-ask.ts'
import { asLogError, damagedAt, notGiven, truncated } from './fetch-errors.ts'
import { FetchLanes } from './fetch-lanes.ts'
import { fetchRequest, fetchVersion, type PartitionAnswer } from './fetch-request.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { readCommitted } from './read-committed.ts'

const OFFSET_OUT_OF_RANGE = 1
/** Positions that may be asked for at the same time. */
const ASKS_MAX = 10_000
/** How long an answer that nobody has come for is kept. */
const KEPT_MS = 5_000
/** A damaged batch is looked at again so often. */
const DAMAGED_AGAIN_MS = 1_000
/** Between two attempts of the same call, when a broker failed or answered early without news. */
const PAUSE_MS = 50
/** Attempts of a call that does not wait: a leader that moved is found with the second one. */
const ATTEMPTS_MIN = 2

/** The part of the cluster that a fetch needs. */
export type FetchCluster = Pick<
  KafkaCluster,
  'settings' | 'versions' | 'topicId' | 'lossOf' | 'knownLeader' | 'leaderEpoch' | 'leaderOf' | 'forgetLeaders' | 'send'
>

/**
 * Reads committed records from the leaders of partitions. A call answers as soon as one leader has news; what the others
 * have been asked stays asked, and the next call for the same position takes its answer over. So an idle broker delays
 * nobody, and a call that ends early (its signal was aborted) costs no second request.
 */
export class Fetcher {
  private readonly cluster: FetchCluster
  private readonly boundsOf: (partitions: readonly TopicPartition[]) => Promise<readonly PartitionBounds[]>
  private readonly lanes = new FetchLanes()
  /** By position: those on their way, and those with news that nobody has taken yet. */
  private readonly asks = new Map<string, Ask>()
  private readonly known = new Map<string, KnownBounds>()
  /** By partition: why it could not be read last, until it can. */
  private readonly failing = new Map<string, LogError | undefined>()
  /** Leader epochs of the records that were read, for a committer of positions too. */
  readonly epochs = new LeaderEpochs()
  private sweptAtMs = 0
  private closed = false

  constructor(
    cluster: FetchCluster,
    boundsOf: (partitions: readonly TopicPartition[]) => Promise<readonly PartitionBounds[]>,
  ) {
    this.cluster = cluster
    this.boundsOf = boundsOf
  }

  /**
   * As the port says. A leader that moves or is not there is looked for until the time is up; partitions that can be read
   * are answered meanwhile.
   * @throws LogError the error of a partition: at once when it is for good (`UNKNOWN_TOPIC`, `TRUNCATED`, …), else when no
   *   partition has news and the time is up
   */
  async fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<FetchedPartition[]> {
    const { clock } = this.cluster.settings
    const waits = options.maxWaitMs > 0 && !options.signal?.aborted
    const deadline = clock.now() + (waits ? options.maxWaitMs : 0)
    this.sweep()
    // Never hidden by news of other partitions: a reader of several would take itself for one that follows all.
    for (const { topic } of positions) {
      const loss = this.cluster.lossOf(topic)
      if (loss) throw loss
    }
    for (let attempt = 1; ; attempt++) {
      if (this.closed) throw closedError()
      const leftMs = Math.max(0, deadline - clock.now())
      const asks = this.ask(positions, waits, leftMs, options.maxBytesPerPartition)
      await this.outcomes(asks, waits, leftMs, options.signal)
      const fatal = asks.find(({ failedForGood }) => failedForGood)
      if (fatal) throw fatal.failure
      const isAborted = waits && options.signal?.aborted
      if (isAborted || asks.some(({ hasNews }) => hasNews)) return this.claim(asks)
      const failed = asks.find(({ failure }) => failure !== undefined)
      if (clock.now() >= deadline && !(failed && attempt < ATTEMPTS_MIN)) {
        if (failed) throw failed.failure
        return this.claim(asks)
      }
      await clock.sleep(PAUSE_MS, options.signal)
    }
  }

  /** Told of bounds that somebody was told of: a fetch below them must find something. */
  note({ topic, partition }: TopicPartition, bounds: PartitionBounds): void {
    this.known.set(`${topic}/${partition}`, bounds)
  }

  async close(): Promise<void> {
    this.closed = true
    for (const ask of [...this.asks.values()]) this.settle(ask, closedError())
  }

  /** The asks of earlier attempts and of other calls, and new asks for the other positions. */
  private ask(positions: readonly FetchPosition[], waits: boolean, waitMs: number, maxBytes: number): Ask[] {
    if (this.asks.size + positions.length > ASKS_MAX)
      throw new LogError('TOO_MANY_FETCHES', `more than ${ASKS_MAX} positions are asked for`, { retriable: true })
    const fresh: Ask[] = []
    const now = this.cluster.settings.clock.now()
    const asks = positions.map((position) => {
      const ask = new Ask(position)
      const found = this.asks.get(ask.key)
      // A request on its way may be so for long: a caller that does not wait asks anew.
      if (found && (found.settled || waits) && !found.isDamagedSince(now - DAMAGED_AGAIN_MS)) return found
      this.asks.set(ask.key, ask)
      fresh.push(ask)
      return ask
    })
    void this.send(fresh, waitMs, maxBytes)
    return asks
  }

  private async send(asks: readonly Ask[], waitMs: number, maxBytes: number): Promise<void> {
    const lost = this.sendToLeaders(asks, (ask) => this.cluster.knownLeader(ask), waitMs, maxBytes)
    if (lost.length === 0) return
    const found = new Map<Ask, number>()
    const search = async (ask: Ask): Promise<void> => {
      found.set(ask, await this.cluster.leaderOf(ask))
    }
    await Promise.all(lost.map((ask) => search(ask).catch((error) => this.settle(ask, asLogError(error)))))
    this.sendToLeaders([...found.keys()], (ask) => found.get(ask), waitMs, maxBytes)
  }

  /** @returns those without a leader */
  private sendToLeaders(
    asks: readonly Ask[],
    leaderOf: (ask: Ask) => number | undefined,
    waitMs: number,
    maxBytes: number,
  ): Ask[] {
    const byLeader = new Map<number, Ask[]>()
    const lost: Ask[] = []
    for (const ask of asks) {
      const leader = leaderOf(ask)
      if (leader === undefined) lost.push(ask)
      else if (byLeader.has(leader)) byLeader.get(leader)!.push(ask)
      else byLeader.set(leader, [ask])
    }
    for (const [leader, those] of byLeader) void this.sendTo(leader, those, waitMs, maxBytes)
    return lost
  }

  /** Sends one request. Settles each of the asks, whatever happens. */
  private async sendTo(nodeId: number, asks: readonly Ask[], maxWaitMs: number, maxBytes: number): Promise<void> {
    const asked = new Map<string, Ask>()
    const again: Ask[] = [] // another position of the same partition
    for (const ask of this.lanes.inTurn(asks)) {
      if (asked.has(ask.name)) again.push(ask)
      else asked.set(ask.name, ask)
    }
    if (again.length > 0) void this.sendTo(nodeId, again, maxWaitMs, maxBytes)
    try {
      const answers = await this.exchange(nodeId, [...asked.values()], maxWaitMs, maxBytes)
      const served = answers.filter(({ records }) => records.length > 0)
      this.lanes.serve(served.map(({ topic, partition }) => `${topic}/${partition}`))
      for (const answer of answers) {
        const ask = asked.get(`${answer.topic}/${answer.partition}`)
        if (ask === undefined) continue
        asked.delete(ask.name)
        this.accept(ask, answer, served.length > 0)
      }
    } catch (error) {
      for (const ask of asked.values()) this.fail(ask, asLogError(error))
    }
    // A broker over its quota answers without partitions.
    for (const ask of asked.values()) {
      const known = this.known.get(ask.name)
      this.settle(ask, known && known.stable > ask.offset ? notGiven(ask) : ask.nothingNew(known))
    }
  }

  private async exchange(nodeId: number, asks: readonly Ask[], maxWaitMs: number, maxBytesPerPartition: number) {
    const { settings, versions } = this.cluster
    for (const ask of asks) {
      ask.topicId = this.cluster.topicId(ask.topic)
      ask.leaderEpoch = this.cluster.leaderEpoch(ask)
      ask.lastEpoch = this.epochs.before(ask)
    }
    const request = fetchRequest(fetchVersion(versions.newest, asks), asks, { maxWaitMs, maxBytesPerPartition })
    const lane = this.lanes.take(nodeId)
    try {
      const answer = await this.cluster.send(nodeId, request, lane, maxWaitMs + settings.requestTimeoutMs)
      expectNoError(answer.errorCode, `fetch from broker ${nodeId}`)
      return answer.partitions
    } finally {
      this.lanes.release(nodeId, lane)
    }
  }

  /** @param full whether there are bytes in the answer, so that there may have been no room for these */
  private accept(ask: Ask, answer: PartitionAnswer, full: boolean): void {
    const { errorCode, lastStableOffset: stable, logStartOffset: start, highWatermark: end } = answer
    if (errorCode === OFFSET_OUT_OF_RANGE) {
      void this.consultBounds(ask, errorCode)
      return
    }
    if (errorCode !== 0) {
      this.fail(ask, new KafkaRefusal(errorCode, `fetch of ${ask.name}`))
      return
    }
    if (answer.divergence) {
      this.settle(ask, truncated(ask, `those from ${answer.divergence.endOffset} on`))
      return
    }
    const { topic, partition, offset, name } = ask
    const knownStable = Math.max(stable, this.known.get(name)?.stable ?? stable)
    this.known.set(name, { start, stable: knownStable, end })
    try {
      const { records, next, leaderEpochs, damaged } = readCommitted(answer.records, answer.abortedTransactions, offset)
      this.epochs.read(ask, next, leaderEpochs)
      if (damaged && next <= offset)
        this.settle(ask, ask.damagedBy(damagedAt(ask, damaged.error), damaged.next, { stable, start }))
      else if (next <= offset && offset < knownStable && !full) void this.consultBounds(ask)
      else this.settle(ask, { topic, partition, records, next, stable, start, end, outOfRange: false })
    } catch (cause) {
      const { code, message } = asLogError(cause)
      this.settle(ask, new LogError(code, `${name}, fetched from offset ${offset}: ${message}`, { cause }))
    }
  }

  /**
   * A broker says of an offset out of range that it is, not what the range is; and one that has just become the leader may
   * give nothing where there are records, until it has heard from the other replicas how far they are. It answers for its
   * bounds only then (KIP-207), so a committed record is never taken for one that is not there.
   */
  private async consultBounds(ask: Ask, errorCode = 0): Promise<void> {
    const { topic, partition, offset, name } = ask
    try {
      const [bounds] = await this.boundsOf([ask])
      const { start, stable } = bounds!
      this.known.set(name, { start, stable })
      if (offset < start || offset > stable)
        this.settle(ask, { topic, partition, records: [], next: offset, stable, start, outOfRange: true })
      // A leader that has never heard of the epoch says out of range of any offset.
      else if (errorCode === OFFSET_OUT_OF_RANGE && ask.lastEpoch >= 0) this.settle(ask, truncated(ask, 'some'))
      else if (offset === stable) this.settle(ask, ask.nothingNew(bounds))
      else this.settle(ask, notGiven(ask))
    } catch (error) {
      this.settle(ask, asLogError(error))
    }
  }

  /** The former leader of the partition may not lead it any more. */
  private fail(ask: Ask, error: LogError): void {
    if (isStale(error, 'leader')) this.cluster.forgetLeaders(ask.topic)
    this.settle(ask, error)
  }

  private settle(ask: Ask, outcome: FetchedPartition | LogError): void {
    this.failing.set(ask.name, outcome instanceof LogError ? outcome : undefined)
    ask.settle(outcome, this.cluster.settings.clock.now())
    if (!ask.staysTrue) this.forget(ask)
  }

  private outcomes(asks: readonly Ask[], waits: boolean, maxWaitMs: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.cluster.settings
    const isAnswered = (): boolean => asks.every(({ settled }) => settled)
    if (!waits) return waitFor(asks, { clock, enough: isAnswered })
    const enough = (): boolean => asks.some((ask) => ask.hasNews || ask.failure !== undefined) || isAnswered()
    return waitFor(asks, { clock, enough, maxWaitMs, signal })
  }

  private claim(asks: readonly Ask[]): FetchedPartition[] {
    return asks.map((ask) => {
      if (ask.settled && !ask.answer?.damaged) this.forget(ask)
      return ask.answer ?? ask.nothingNew(this.known.get(ask.name), this.failing.get(ask.name))
    })
  }

  private forget(ask: Ask): void {
    if (this.asks.get(ask.key) === ask) this.asks.delete(ask.key)
  }

  /** Drops the answers whose callers went elsewhere. */
  private sweep(): void {
    const now = this.cluster.settings.clock.now()
    if (now < this.sweptAtMs + KEPT_MS) return
    this.sweptAtMs = now
    for (const ask of this.asks.values()) if (ask.settled && ask.settledAtMs + KEPT_MS < now) this.forget(ask)
  }
}
