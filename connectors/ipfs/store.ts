import { type BatchStore, StoreError } from './batch-store.ts'
import { type CidVersion, computeCid } from './cid.ts'

export interface StoreBatchOptions {
  readonly version: CidVersion
  /** Stores that must hold the batch, at least 1. The others are tried too, and their failures only reported. */
  readonly storesRequired: number
  readonly signal?: AbortSignal
  /** Told of each store: why it does not hold the batch, or undefined when it does. */
  readonly tried?: (store: string, failure: StoreError | undefined, elapsedMs: number) => void
}

export interface StoredBatch {
  readonly cid: string
  /** Names of the stores that hold the batch, read back and compared. */
  readonly storedIn: readonly string[]
  readonly failures: readonly { readonly store: string; readonly error: StoreError }[]
}

/**
 * Puts a batch into every store, compares the CID that each gives with the one computed here beforehand, and reads the
 * bytes back. A store that gives another CID has not stored the batch: its CID is never returned. Can be repeated.
 * @throws StoreError when fewer than `storesRequired` hold it; `CID_MISMATCH` if that is why, else the first failure
 */
export async function storeBatch(
  bytes: Uint8Array,
  stores: readonly BatchStore[],
  options: StoreBatchOptions,
): Promise<StoredBatch> {
  const { storesRequired } = options
  if (!(storesRequired >= 1 && storesRequired <= stores.length))
    throw new RangeError(`storesRequired is ${storesRequired}, but there are ${stores.length} stores`)
  const cid = await computeCid(bytes, options.version)
  const errors = await Promise.all(
    stores.map(async (store) => {
      const started = performance.now()
      const failure = await storeIn(store, bytes, cid, options.signal)
      options.tried?.(store.name, failure, performance.now() - started)
      return failure
    }),
  )
  const storedIn = stores.filter((_, i) => errors[i] === undefined).map(({ name }) => name)
  const failures = stores.flatMap(({ name }, i) => (errors[i] ? [{ store: name, error: errors[i] }] : []))
  if (storedIn.length < storesRequired)
    throw failures.find(({ error }) => error.code === 'CID_MISMATCH')?.error ?? failures[0]!.error
  return { cid, storedIn, failures }
}

async function storeIn(
  store: BatchStore,
  bytes: Uint8Array,
  cid: string,
  signal: AbortSignal | undefined,
): Promise<StoreError | undefined> {
  const call = signal ? { signal } : {}
  try {
    const given = await store.put(bytes, call)
    if (given !== cid)
      return new StoreError('CID_MISMATCH', `${store.name} gave the batch CID ${given}, but its CID is ${cid}`)
    const read = await store.get(cid, call)
    if (Buffer.compare(read, bytes) !== 0)
      return new StoreError('CID_MISMATCH', `${store.name} gave back other bytes for ${cid}`)
    return undefined
  } catch (error) {
    return error instanceof StoreError ? error : new StoreError('UNAVAILABLE', `${store.name}: ${error}`, error)
  }
}
