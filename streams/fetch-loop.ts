import { type Clock, type FetchedPartition, type FetchPosition, type Log, PositionLostError } from './ports.ts'
import { retried } from './retry.ts'
import type { Signal } from './signal.ts'
import { Trouble } from './trouble.ts'

/** A reader of the log: a task that processes records, or a standby that only keeps state. */
export interface Reader {
  /** Whether the fetch under way asks for its positions. */
  asked: boolean
  /** True when the next fetch should ask for this reader. */
  readonly hungry: boolean
  positionsToFetch(): FetchPosition[]
  /** @returns false when the position is not in the log, and the reader must be opened again */
  accept(askedFrom: number, fetched: FetchedPartition): boolean
}

export interface FetchLoopOptions {
  readonly log: Log
  readonly clock: Clock
  /** The readers that run now. */
  readonly readers: () => readonly Reader[]
  readonly reopen: (reader: Reader) => void
  readonly refuse: (reader: Reader, cause: PositionLostError) => void
  /** Raised after each answer; waited for while nobody wants anything. */
  readonly news: Signal
  readonly stop: AbortSignal
}

/** Longest wait for a first record, and for somebody who wants one. */
const WAIT_MS = 500
const FETCH_BYTES = 1024 * 1024

/** One fetch at a time for all readers. */
export class FetchLoop {
  /** The reason why it cannot read. */
  readonly trouble: Trouble
  private readonly options: FetchLoopOptions
  private poll = new AbortController()

  constructor(options: FetchLoopOptions) {
    this.options = options
    this.trouble = new Trouble(options.clock)
  }

  /** Ends the wait of the fetch under way, so that the next one asks for what is wanted now. */
  interrupt(): void {
    this.poll.abort('wanted') // without a reason it makes an error, with its stack
  }

  async run(): Promise<void> {
    const { readers, news, stop } = this.options
    while (!stop.aborted) {
      this.poll = new AbortController()
      const all = readers()
      for (const reader of all) reader.asked = reader.hungry
      const hungry = all.filter(({ asked }) => asked)
      if (hungry.length === 0) await news.wait(WAIT_MS)
      else await this.fetchFor(hungry)
    }
  }

  private async fetchFor(readers: readonly Reader[]): Promise<void> {
    const { log, clock, reopen, refuse, news, stop } = this.options
    const asked = readers.flatMap((reader) => reader.positionsToFetch().map((position) => ({ reader, position })))
    const positions = asked.map(({ position }) => position)
    const fetch = () =>
      log.fetch(positions, { maxWaitMs: WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal: this.poll.signal })
    const fetched = await retried(clock, stop, fetch, this.trouble).catch((error) => {
      if (stop.aborted) return []
      if (!(error instanceof PositionLostError)) throw error
      for (const { reader, position } of asked) if (concerns(error, position)) refuse(reader, error)
      return []
    })
    for (const [at, answer] of fetched.entries()) {
      const { reader, position } = asked[at]!
      try {
        if (!reader.accept(position.offset, answer)) reopen(reader)
      } catch (error) {
        if (!(error instanceof PositionLostError)) throw error
        refuse(reader, error)
      }
    }
    news.raise()
  }
}

const concerns = (error: PositionLostError, { topic, partition }: FetchPosition): boolean =>
  topic === error.topic && (error.partition === undefined || partition === error.partition)
