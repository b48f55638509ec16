import type { Clock, FetchedPartition, FetchPosition, LogError, PartitionBounds } from '../../../streams/ports.ts'

/** The bounds of a partition, as the last answer has them. */
export interface KnownBounds extends PartitionBounds {
  readonly end?: number
}

/** A position that is asked of its leader, and what came of it. Callers that ask for the same one share it. */
export class Ask implements FetchPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Name of its partition. */
  readonly name: string
  /** Key of its position. */
  readonly key: string
  /** The leader epoch as told to the leader, and that of the record before the offset; -1 when it is not known. */
  leaderEpoch = -1
  lastEpoch = -1
  topicId: string | undefined
  answer: FetchedPartition | undefined
  failure: LogError | undefined
  settledAtMs = 0
  private readonly waiting = new Set<() => void>()

  constructor({ topic, partition, offset }: FetchPosition) {
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.name = `${topic}/${partition}`
    this.key = `${topic}/${partition}@${offset}`
  }

  get settled(): boolean {
    return this.answer !== undefined || this.failure !== undefined
  }

  /** True when the caller must see the answer: it moves the position, or says that there is no such position. */
  get hasNews(): boolean {
    return this.answer !== undefined && (this.movesOn || this.answer.outOfRange)
  }

  /** Whether the answer moves the position: such an answer stays true for later callers. */
  get movesOn(): boolean {
    return this.answer !== undefined && this.answer.next > this.offset
  }

  /** Whether the answer holds for later callers, too. */
  get staysTrue(): boolean {
    return this.movesOn || this.answer?.damaged !== undefined
  }

  /** True when a damaged batch was found before a moment. */
  isDamagedSince(ms: number): boolean {
    return this.answer?.damaged !== undefined && this.settledAtMs <= ms
  }

  get failedForGood(): boolean {
    return this.failure !== undefined && !this.failure.retriable
  }

  /** Takes the first outcome only. */
  settle(outcome: FetchedPartition | LogError, nowMs: number): void {
    if (this.settled) return
    if (outcome instanceof Error) this.failure = outcome
    else this.answer = outcome
    this.settledAtMs = nowMs
    for (const look of this.waiting) look()
  }

  onSettled(look: () => void): () => void {
    this.waiting.add(look)
    return () => this.waiting.delete(look)
  }

  /** The answer when none has come: nothing new, and the failure before. */
  nothingNew(known: KnownBounds | undefined, failure?: LogError): FetchedPartition {
    const { topic, partition, offset } = this
    const bounds = known ?? { start: 0, stable: offset }
    const nothing = { topic, partition, records: [], next: offset, ...bounds, outOfRange: false }
    return failure ? { ...nothing, failure } : nothing
  }

  /** The bytes at the offset are not the bytes that were written there. @param next where a reader that passes over it goes on */
  damagedBy(failure: LogError, next: number, bounds: PartitionBounds): FetchedPartition {
    return { ...this.nothingNew(bounds, failure), damaged: { next } }
  }
}

export interface AskWait {
  readonly clock: Clock
  /** Looked at after each outcome. */
  readonly enough: () => boolean
  readonly maxWaitMs?: number
  readonly signal?: AbortSignal | undefined
}

/** Resolves when it is enough, the time is up, or the signal is aborted. */
export function waitFor(asks: readonly Ask[], { clock, enough, maxWaitMs, signal }: AskWait): Promise<void> {
  return new Promise((resolve) => {
    const timer = new AbortController()
    const finish = (): void => {
      for (const stop of stops) stop()
      signal?.removeEventListener('abort', finish)
      timer.abort('done') // without a reason it makes an error, with its stack
      resolve()
    }
    const look = (): void => {
      if (enough()) finish()
    }
    const stops = asks.filter(({ settled }) => !settled).map((ask) => ask.onSettled(look))
    if (signal?.aborted || enough()) return finish()
    signal?.addEventListener('abort', finish, { once: true })
    if (maxWaitMs !== undefined) void clock.sleep(maxWaitMs, timer.signal).then(finish)
  })
}
