/** Keeps batches in `required` of several stores, and in the others when they can. */
import { type BackOff, doubling, repeated } from '../../streams/back-off.ts'
import type { Clock } from '../../streams/ports.ts'
import { createLimiter } from '../limiter.ts'
import type { StoreError } from './batch-store.ts'
import { type CidVersion, computeCid } from './cid.ts'
import { createLane, type Lane, type LaneBatch, type LaneObserver, type LaneOptions } from './lane.ts'
import type { Keeper } from './store.ts'

export interface StorageOptions extends Partial<LaneOptions> {
  readonly version: CidVersion
  /** Stores that are given the bytes, at least 1, and services that are not. */
  readonly keepers: readonly Keeper[]
  /** Stores that must hold a batch before it is anchored; services do not count. */
  readonly required: number
  /** First and longest pause before a store is tried again while too few hold the batch. */
  readonly retryMs?: number
  readonly retryMsMax?: number
}

type StorageSettings = StorageOptions & Required<Pick<StorageOptions, keyof typeof STORAGE_DEFAULTS>>

export const STORAGE_DEFAULTS = {
  atOnce: 4,
  attemptMs: 90_000, // writing and reading back have 30 s each
  pauseMs: 1_000,
  pauseMsMax: 60_000,
  lackingMax: 1_000,
  retryMs: 250,
  retryMsMax: 5_000,
} as const

export interface StorageObserver extends LaneObserver {
  /** A store does not hold a batch that too few hold; it is tried again after the pause. */
  retried?(store: string, failure: StoreError, retryInMs: number): void
}

type Limiter = ReturnType<typeof createLimiter>

/** Reads a batch in one piece. */
export type ReadBatch = () => Promise<Uint8Array>

/** The state of a batch that is being stored. */
export interface Keeping {
  /** Resolves with its CID once enough stores hold it. Rejects with what reading it rejects with for good. */
  readonly held: Promise<string>
  /** A store was tried without success. */
  readonly failing: boolean
  /** How many hold it, and why the others do not. */
  describe(): string
  /** Nobody needs it any more. */
  drop(): void
}

export interface BatchStorage {
  /**
   * Begins to keep a batch, or goes on with it when the id is known. Each store has attempts of its own, without end: only
   * the caller knows until when it makes sense. When enough hold the batch the others go on in the background.
   * @param signal ends it
   */
  keep(id: string, read: ReadBatch, signal: AbortSignal): Keeping
  /** A further batch for the background: the store lacks a batch that others hold. Unknown names are passed over. */
  heal(store: string, cid: string, read: ReadBatch, signal: AbortSignal): void
  close(): Promise<void>
}

export function createStorage(
  options: StorageOptions,
  { clock, observer = {} }: { readonly clock: Clock; readonly observer?: StorageObserver },
): BatchStorage {
  const settings: StorageSettings = { ...STORAGE_DEFAULTS, ...options }
  const { keepers, required } = settings
  const counting = keepers.filter(({ isService }) => !isService).length
  if (!(required >= 1 && required <= counting))
    throw new RangeError(`${required} stores must hold a batch, but there are ${counting}`)
  const abort = new AbortController()
  const lanes = keepers.map((keeper) => createLane(keeper, settings, { clock, observer, signal: abort.signal }))
  const reading = createLimiter(settings.atOnce)
  const open = new Map<string, Keeping>()
  const underWay = new Set<Promise<unknown>>()

  return {
    keep(id, read, signal) {
      const known = open.get(id)
      if (known) return known
      const until = AbortSignal.any([abort.signal, signal])
      const keeping = startKeeping(settings, { lanes, reading, clock, observer, read, signal: until })
      open.set(id, keeping)
      const ended = keeping.ended.finally(() => {
        underWay.delete(ended)
        if (open.get(id) === keeping) open.delete(id)
      })
      underWay.add(ended)
      return keeping
    },
    heal(store, cid, read, signal) {
      lanes.find(({ keeper }) => keeper.name === store)?.heal({ cid, bytes: read, signal })
    },
    async close() {
      abort.abort()
      await Promise.all([...underWay, ...lanes.map((lane) => lane.ended())])
    },
  }
}

interface KeepingPorts {
  readonly lanes: readonly Lane[]
  /** Batches that are read at once to know their CIDs. */
  readonly reading: Limiter
  readonly clock: Clock
  readonly observer: StorageObserver
  readonly read: ReadBatch
  readonly signal: AbortSignal
}

function startKeeping(
  { required, version, retryMs, retryMsMax }: StorageSettings,
  { lanes, reading, clock, observer, read, signal }: KeepingPorts,
): Keeping & { readonly ended: Promise<void> } {
  const bytes = readTogether(read)
  const dropped = new AbortController()
  const enough = new AbortController()
  const until = AbortSignal.any([signal, dropped.signal])
  const holding = new Set<Lane>()
  const failures = new Map<Lane, StoreError>()
  const counting = lanes.filter(({ keeper }) => !keeper.isService)
  let conclude: { resolve(cid: string): void; reject(error: unknown): void }
  const held = new Promise<string>((resolve, reject) => {
    conclude = { resolve, reject }
  })
  held.catch(() => {}) // the caller may have gone

  const pauseMs = doubling({ firstMs: retryMs, mostMs: retryMsMax })

  const fill = async (lane: Lane, batch: LaneBatch): Promise<void> => {
    for (let tries = 1; !until.aborted; tries++) {
      const failure = await lane.attempt(batch).catch(retriableOf)
      if (failure === undefined) {
        holding.add(lane)
        failures.delete(lane)
        if (holding.size < required) return
        conclude.resolve(batch.cid)
        return enough.abort()
      }
      failures.set(lane, failure)
      if (enough.signal.aborted) break
      const ms = pauseMs(tries)
      if (!until.aborted) observer.retried?.(lane.keeper.name, failure, ms)
      await lane.pause(ms, AbortSignal.any([until, enough.signal]))
      if (enough.signal.aborted) break
    }
    if (!until.aborted) lane.heal(batch)
  }

  const run = async (): Promise<void> => {
    const cid = await identify(bytes, version, { reading, clock, until, pauseMs })
    const batch = { cid, bytes, signal: until }
    await Promise.all(counting.map((lane) => fill(lane, batch)))
    for (const lane of lanes) if (lane.keeper.isService && !until.aborted) lane.heal(batch)
  }

  return {
    held,
    get failing() {
      return failures.size > 0
    },
    describe: () => wordsOf(counting, holding, failures, required),
    drop: () => dropped.abort(),
    ended: run().catch((error: unknown) => {
      dropped.abort()
      conclude.reject(error)
    }),
  }
}

const isRetriable = (error: unknown): error is StoreError => (error as { retriable?: unknown }).retriable === true

/** @throws the error when it does not pass */
function retriableOf(error: unknown): StoreError {
  if (!isRetriable(error)) throw error
  return error
}

interface IdentifyPorts {
  readonly reading: Limiter
  readonly clock: Clock
  readonly until: AbortSignal
  readonly pauseMs: BackOff
}

/** Reads the batch once to know its CID; a log that is away is waited for. */
async function identify(
  bytes: ReadBatch,
  version: CidVersion,
  { reading, clock, until, pauseMs }: IdentifyPorts,
): Promise<string> {
  return await repeated({ clock, signal: until, pauseMs, mayPass: isRetriable }, () =>
    reading(async () => {
      until.throwIfAborted()
      return computeCid(await bytes(), version)
    }),
  )
}

function wordsOf(
  lanes: readonly Lane[],
  holding: ReadonlySet<Lane>,
  failures: ReadonlyMap<Lane, StoreError>,
  required: number,
): string {
  const missing = lanes.filter((lane) => !holding.has(lane))
  const reasons = missing.map((lane) => {
    const failure = failures.get(lane)
    return failure ? `${failure.message} (${failure.code})` : `${lane.keeper.name}: no answer yet`
  })
  return `${holding.size} of ${lanes.length} stores hold the batch, and ${required} must: ${reasons.join('; ')}`
}

/** Stores that are given a batch at the same time share its bytes; afterwards nobody keeps them. */
function readTogether(read: ReadBatch): ReadBatch {
  let shared: WeakRef<Uint8Array> | undefined
  let reading: Promise<Uint8Array> | undefined
  return async () => {
    const bytes = shared?.deref()
    if (bytes) return bytes
    reading ??= read().finally(() => {
      reading = undefined
    })
    const now = await reading
    shared = new WeakRef(now)
    return now
  }
}
