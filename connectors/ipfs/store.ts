import { type BatchStore, type PinService, type StoreCallOptions, StoreError } from './batch-store.ts'
import { cidVersionOf } from './cid.ts'

/** A batch with its CID by our own computation. */
export interface BatchToKeep {
  readonly cid: string
  /** In one piece; read anew for each use, since batches are large and waiting for a store may take long. */
  bytes(): Promise<Uint8Array>
}

/** Either kind of place that keeps batches, and the one thing that is asked of both. */
export interface Keeper extends Pick<BatchStore, 'name' | 'has' | 'remove'> {
  /** A service that is not given the bytes: it counts for nothing, since nobody but itself says that it has a batch. */
  readonly isService: boolean
  /** The giver does not matter: bytes that it gives are compared with the CID. */
  readonly get: BatchStore['get'] | undefined
  /** Resolves when it holds the batch, else with why not; never rejects but with what `bytes` rejects with. */
  keep(batch: BatchToKeep, bytes: Uint8Array, options?: StoreCallOptions): Promise<StoreError | undefined>
}

/** A store to which the bytes are given, and which gives them back. */
export const keeperOf = (store: BatchStore): Keeper => ({
  ...store,
  isService: false,
  keep: ({ cid }, bytes, call) => storeIn(store, bytes, cid, call),
})

export const serviceKeeperOf = (service: PinService): Keeper => ({
  ...service,
  isService: true,
  get: undefined,
  keep: ({ cid }, _bytes, call) =>
    service.pin(cid, call).then(
      () => undefined,
      (error: unknown) => storeErrorOf(service.name, error),
    ),
})

/**
 * Puts a batch into a store, compares the CID that it gives with the one computed beforehand, and reads the bytes back. A
 * store that gives another CID has not stored the batch: its CID is never used. Can be repeated.
 * @returns why the store does not hold the batch; undefined when it does
 */
export async function storeIn(
  store: BatchStore,
  bytes: Uint8Array,
  cid: string,
  { signal }: StoreCallOptions = {},
): Promise<StoreError | undefined> {
  try {
    const given = await store.put(bytes, { signal, version: cidVersionOf(cid) })
    if (given !== cid)
      return new StoreError('CID_MISMATCH', `${store.name} gave the batch CID ${given}, but its CID is ${cid}`)
    const read = await store.get(cid, { signal, bytesMax: bytes.length })
    if (Buffer.compare(read, bytes) !== 0)
      return new StoreError('CID_MISMATCH', `${store.name} gave back other bytes for ${cid}`)
    return undefined
  } catch (error) {
    return storeErrorOf(store.name, error)
  }
}

export const storeErrorOf = (name: string, error: unknown): StoreError =>
  error instanceof StoreError ? error : new StoreError('UNAVAILABLE', `${name}: ${error}`, error)
