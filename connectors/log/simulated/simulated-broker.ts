import {
  type Burst,
  type CommitOutcome,
  type CommittedOffset,
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  LogError,
  type TopicPartition,
} from '../../../streams/ports.ts'
import { baseOffsetsOf, type LogCore, type Producer, type Staged } from '../core/core.ts'
import { hasNews } from '../core/long-poll.ts'
import type { Faults } from './faults.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { ScheduledEvent, SimulatedClock } from './simulated-clock.ts'

/** A transaction whose records are written and hold the last stable offset back until it ends. */
export interface OpenTransaction {
  readonly producer: Producer
  readonly staged: Staged
  readonly offsets: Burst['offsets']
  readonly timer: ScheduledEvent
  ended: boolean
}

/** The far side of the simulated log: one for all instances. Everything here happens at one moment, in some step. */
export class SimulatedBroker {
  readonly core: LogCore
  readonly clock: SimulatedClock
  readonly random: SeededRandom
  faults: Faults
  private readonly open = new Map<string, OpenTransaction>()
  /** Group, topic and partition → its offset before the last commit. */
  private readonly overwritten = new Map<string, CommittedOffset | undefined>()

  constructor(core: LogCore, clock: SimulatedClock, random: SeededRandom, faults: Faults) {
    this.core = core
    this.clock = clock
    this.random = random
    this.faults = faults
  }

  latency(): number {
    return this.random.next() * this.faults.latencyMsMax
  }

  /** @throws LogError now and then */
  admit(): void {
    if (!this.random.chance(this.faults.refusedRequest)) return
    throw new LogError('UNAVAILABLE', 'the log is not available (simulated)', { retriable: true })
  }

  /** Fences older writers and aborts what they left open. */
  openProducer(id: string): Producer {
    const left = this.open.get(id)
    if (left) this.end(left, 'aborted')
    return this.core.openProducer(id)
  }

  /** Writes a burst's records, not yet visible. @returns the open transaction, or the outcome when there is none */
  begin(producer: Producer, burst: Burst): OpenTransaction | CommitOutcome {
    try {
      this.core.checkBurst(burst)
    } catch (cause) {
      return { outcome: 'aborted', cause }
    }
    if (this.core.isFenced(producer, burst)) return { outcome: 'fenced' }
    const left = this.open.get(producer.id)
    if (left) return { outcome: 'aborted', cause: stillOpen(producer.id) }
    const staged = this.core.stage(burst.records, true)
    const timer = this.clock.schedule(this.faults.transactionTimeoutMs, `time out ${producer.id}`, () =>
      this.timeOut(transaction),
    )
    const transaction: OpenTransaction = { producer, staged, offsets: burst.offsets, timer, ended: false }
    this.open.set(producer.id, transaction)
    return transaction
  }

  /** Ends a transaction, unless it has ended already. */
  end(transaction: OpenTransaction, how: 'committed' | 'aborted'): CommitOutcome {
    if (!transaction.ended) {
      transaction.ended = true
      transaction.timer.cancelled = true
      this.open.delete(transaction.producer.id)
      if (how === 'committed') this.keepOverwritten(transaction.offsets)
      this.core.conclude(transaction.staged, how, transaction.offsets)
      if (how === 'committed') return { outcome: 'committed', baseOffsets: baseOffsetsOf(transaction.staged) }
    }
    const fenced = this.core.isFenced(transaction.producer, { records: [] })
    return { outcome: fenced ? 'fenced' : 'aborted' }
  }

  committedOffset(group: string, at: TopicPartition): CommittedOffset | undefined {
    const key = offsetKey(group, at)
    if (this.overwritten.has(key) && this.random.chance(this.faults.staleOffset)) return this.overwritten.get(key)
    return this.core.committedOffset(group, at)
  }

  private keepOverwritten(offsets: Burst['offsets']): void {
    for (const at of offsets?.commits ?? [])
      this.overwritten.set(offsetKey(offsets!.group, at), this.core.committedOffset(offsets!.group, at))
  }

  /** Answers when there is something, when the time is up, or when `cancel` (returned) is called. */
  fetch(
    positions: readonly FetchPosition[],
    options: FetchOptions,
    answer: (fetched: FetchedPartition[]) => void,
  ): () => void {
    let done = false
    let stops: (() => void)[] = []
    const look = (last: boolean): void => {
      if (done) return
      for (const stop of stops) stop()
      const fetched = positions.map((position) => {
        return this.core.partition(position).read(position.offset, options.maxBytesPerPartition)
      })
      if (last || hasNews(fetched, positions)) {
        done = true
        timer.cancelled = true
        answer(fetched)
        return
      }
      const again = once(() => this.clock.schedule(0, 'look again', () => look(false)))
      stops = positions.map((position) => this.core.partition(position).onMoved(again))
    }
    const timer = this.clock.schedule(Math.max(0, options.maxWaitMs), 'fetch times out', () => look(true))
    look(options.maxWaitMs <= 0)
    return () => look(true)
  }

  /** As Kafka: the epoch goes up, so that the writer which was too slow cannot go on. */
  private timeOut(transaction: OpenTransaction): void {
    this.end(transaction, 'aborted')
    this.core.openProducer(transaction.producer.id)
  }
}

const offsetKey = (group: string, { topic, partition }: TopicPartition): string => `${group} ${topic}/${partition}`

function once(action: () => void): () => void {
  let called = false
  return () => {
    if (called) return
    called = true
    action()
  }
}

function stillOpen(id: string): LogError {
  return new LogError(
    'CONCURRENT_TRANSACTION',
    `${id} has a transaction open: open a new writer after an unknown outcome`,
  )
}
