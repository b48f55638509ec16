/** A store as the storage meets it: the number of calls at once, how long it has, since when it fails, and which batches it lacks. */
import { doubling } from '../../streams/back-off.ts'
import type { Clock } from '../../streams/ports.ts'
import { createLimiter } from '../limiter.ts'
import { StoreError } from './batch-store.ts'
import type { BatchToKeep, Keeper } from './store.ts'

export interface LaneOptions {
  /** Batches given to it at once. */
  readonly atOnce: number
  /** Longest time of one attempt, and a second more for each MiB: it ends attempts of which a store has let go. */
  readonly attemptMs: number
  /** First and longest pause between two attempts at what it lacks. */
  readonly pauseMs: number
  readonly pauseMsMax: number
  /** Batches that it lacks and others hold, at most; with one more the oldest is left to the next check. */
  readonly lackingMax: number
}

export interface LaneObserver {
  /** Told of each attempt: why the store does not hold the batch, or undefined when it does. */
  tried?(store: string, failure: StoreError | undefined, elapsedMs: number): void
  /** The store fails, since when and for which reason; or it works again. Told when that changes. */
  changed?(store: string, trouble: StoreTrouble | undefined): void
  /** Batches that others hold and this store does not. */
  lacking?(store: string, batches: number): void
  /** The store holds a batch that it lacked before. */
  healed?(store: string, cid: string): void
  /** The store lacks a batch that is left to the next check. */
  leftOut?(store: string, cid: string): void
}

export interface StoreTrouble {
  /** Milliseconds since 1970. */
  readonly since: number
  readonly error: StoreError
}

/** A batch that is of use until the signal. */
export interface LaneBatch extends BatchToKeep {
  readonly signal: AbortSignal
}

export interface Lane {
  readonly keeper: Keeper
  /** Makes an attempt: why the store does not hold the batch, or undefined. Rejects with what reading the batch rejects with. */
  attempt(batch: LaneBatch): Promise<StoreError | undefined>
  /** Tries again in the background, one batch at a time, until the store holds it. */
  heal(batch: LaneBatch): void
  /** Resolves after the pause, when the store works again, or at the signal. */
  pause(ms: number, signal: AbortSignal): Promise<void>
  /** Resolves when nothing goes on in the background; after the signal. */
  ended(): Promise<void>
}

/** A MiB a second, as of requests. */
const BYTES_PER_MS = 1_049

interface LanePorts {
  readonly clock: Clock
  readonly observer: LaneObserver
  readonly signal: AbortSignal
}

export function createLane(keeper: Keeper, options: LaneOptions, ports: LanePorts): Lane {
  const { clock, signal } = ports
  const limited = createLimiter(options.atOnce)
  const standing = createStanding(keeper.name, ports)

  /** Times an attempt that has its place among the calls at once; the place is given back when the store lets go of the call. */
  const timed = async (
    batch: LaneBatch,
    until: AbortSignal,
    resolve: (failure: StoreError | undefined) => void,
  ): Promise<void> => {
    const bytes = keeper.isService ? NO_BYTES : await batch.bytes()
    const [over, done] = [new AbortController(), new AbortController()]
    const started = clock.now()
    const ms = options.attemptMs + Math.ceil(bytes.length / BYTES_PER_MS)
    const end = (failure: StoreError | undefined): void => {
      if (done.signal.aborted || until.aborted) return
      done.abort()
      standing.conclude(failure, clock.now() - started)
      resolve(failure)
    }
    void clock.sleep(ms, AbortSignal.any([done.signal, until])).then(() => {
      over.abort()
      end(new StoreError('UNAVAILABLE', `${keeper.name}: not done within ${ms} ms`))
    })
    end(await keeper.keep(batch, bytes, { signal: AbortSignal.any([until, over.signal]) }))
    done.abort()
  }

  const attempt = (batch: LaneBatch): Promise<StoreError | undefined> =>
    new Promise((resolve, reject) => {
      const until = AbortSignal.any([signal, batch.signal])
      const stop = (): void => resolve(new StoreError('UNAVAILABLE', `${keeper.name}: not waited for any more`))
      if (until.aborted) return stop()
      until.addEventListener('abort', stop, { once: true })
      limited(async () => (until.aborted ? undefined : timed(batch, until, resolve))).catch(reject)
    })

  const pause = (ms: number, until: AbortSignal): Promise<void> =>
    clock.sleep(ms, AbortSignal.any([signal, until, standing.works]))

  const healing = createHealing({ name: keeper.name, options, attempt, pause }, ports)
  return { keeper, attempt, pause, heal: healing.add, ended: healing.ended }
}

/** Whether the store works, by the newest attempt. */
function createStanding(name: string, { clock, observer }: LanePorts) {
  let trouble: StoreTrouble | undefined
  let works = new AbortController()
  return {
    /** Aborted when an attempt succeeds: whatever waits for the store goes on. */
    get works() {
      return works.signal
    },
    conclude(failure: StoreError | undefined, elapsedMs: number): void {
      observer.tried?.(name, failure, elapsedMs)
      if (failure?.code === 'PENDING') return // it has taken the request, and works on it
      const before = trouble
      trouble = failure && { since: before?.since ?? clock.now(), error: failure }
      if (!failure) {
        works.abort()
        works = new AbortController()
      }
      if (before?.error.message !== trouble?.error.message) observer.changed?.(name, trouble)
    },
  }
}

interface Healer extends Pick<Lane, 'attempt' | 'pause'> {
  readonly name: string
  readonly options: LaneOptions
}

/** The batches that the store lacks and others hold. One batch at a time; a batch that the store does not take goes to the end. */
function createHealing({ name, options, attempt, pause }: Healer, { observer, signal }: LanePorts) {
  const lacking: LaneBatch[] = []
  let worker: Promise<void> | undefined
  const pauseMs = doubling({ firstMs: options.pauseMs, mostMs: options.pauseMsMax })
  const work = async (): Promise<void> => {
    for (let failures = 0; lacking.length > 0 && !signal.aborted; ) {
      const batch = lacking.shift()!
      if (!batch.signal.aborted) {
        const failure = await attempt(batch).catch((error: unknown) => error as Error)
        if (failure === undefined) {
          failures = 0
          observer.healed?.(name, batch.cid)
        } else if ((failure as { retriable?: unknown }).retriable === true) {
          lacking.push(batch)
          await pause(pauseMs(++failures), signal)
        } else observer.leftOut?.(name, batch.cid) // nobody has its bytes any more
      }
      observer.lacking?.(name, lacking.length)
    }
    worker = undefined
  }
  return {
    add(batch: LaneBatch): void {
      if (lacking.some(({ cid }) => cid === batch.cid)) return
      if (lacking.length >= options.lackingMax) observer.leftOut?.(name, lacking.shift()!.cid)
      lacking.push(batch)
      observer.lacking?.(name, lacking.length)
      worker ??= work()
    },
    ended: async () => worker,
  }
}

const NO_BYTES = new Uint8Array()
