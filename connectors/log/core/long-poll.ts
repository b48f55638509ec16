import {
  type Clock,
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  LogError,
} from '../../../streams/ports.ts'
import type { LogCore } from './core.ts'

/** Fetches of one log that may wait at the same time. */
const WAITING_FETCHES_MAX = 10_000

/**
 * Fetches that wait. A fetch is answered when a record, a moved position or an error is there, when its time is up, when
 * its signal is aborted (with what there is), and rejected with `CLOSED` when the log closes.
 */
export class LongPoll {
  private readonly core: LogCore
  private readonly clock: Clock
  private waiting = 0
  private closed = false

  constructor(core: LogCore, clock: Clock) {
    this.core = core
    this.clock = clock
  }

  /** @param read answers the positions with what is there now */
  async fetch(
    read: () => FetchedPartition[] | Promise<FetchedPartition[]>,
    positions: readonly FetchPosition[],
    options: FetchOptions,
  ): Promise<FetchedPartition[]> {
    const deadline = options.maxWaitMs > 0 ? this.clock.now() + options.maxWaitMs : 0
    for (;;) {
      if (this.closed) throw closedError()
      const found = read()
      const answer = found instanceof Promise ? await found : found
      if (hasNews(answer, positions) || options.maxWaitMs <= 0 || options.signal?.aborted) return answer
      const leftMs = deadline - this.clock.now()
      if (leftMs <= 0) return answer
      await this.moved(positions, answer, leftMs, options.signal)
    }
  }

  close(): void {
    this.closed = true
    this.core.wakeAll()
  }

  private async moved(
    positions: readonly FetchPosition[],
    answer: readonly FetchedPartition[],
    ms: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const partitions = positions.map((position) => this.core.partition(position))
    // A read that had to wait for storage may be overtaken: look again at once instead of sleeping on old news.
    if (partitions.some((partition, at) => partition.stable !== answer[at]!.stable)) return
    if (this.waiting >= WAITING_FETCHES_MAX) {
      throw new LogError('TOO_MANY_FETCHES', `${WAITING_FETCHES_MAX} fetches wait already`, { retriable: true })
    }
    const timer = new AbortController()
    const stops = partitions.map((partition) => partition.onMoved(() => timer.abort('moved'))) // a reason, or each makes an error
    const stop = (): void => timer.abort('stopped')
    signal?.addEventListener('abort', stop, { once: true })
    this.waiting++
    try {
      await this.clock.sleep(ms, timer.signal)
    } finally {
      this.waiting--
      signal?.removeEventListener('abort', stop)
      for (const stopWaiting of stops) stopWaiting()
    }
  }
}

export function closedError(): LogError {
  return new LogError('CLOSED', 'the log is closed')
}

export function hasNews(answer: readonly FetchedPartition[], positions: readonly FetchPosition[]): boolean {
  for (let at = 0; at < answer.length; at++) {
    const { records, next, outOfRange } = answer[at]!
    if (records.length > 0 || outOfRange || next > positions[at]!.offset) return true
  }
  return false
}
