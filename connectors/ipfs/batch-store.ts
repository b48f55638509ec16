import type { CidVersion } from './cid.ts'

/** A store of batches. Content-addressed, so every call can be repeated. */
export interface BatchStore {
  /** For messages and metric labels; unique among the stores of one process. */
  readonly name: string
  /** Resolves with the CID that the store gave the bytes, once they are durable (and pinned). */
  put(bytes: Uint8Array, options?: PutOptions): Promise<string>
  /** The bytes of a CID. Rejects with `NOT_FOUND` when the store does not have them. */
  get(cid: string, options?: ReadOptions): Promise<Uint8Array>
  /** Whether the store has a batch and keeps it: the cheap question, without its bytes. */
  has(cid: string, options?: StoreCallOptions): Promise<boolean>
  /**
   * Lets go of a batch; one that it does not have is let go of already.
   * @param kept batches of the store that stay: none of their blocks goes
   */
  remove(cid: string, kept: readonly string[], options?: StoreCallOptions): Promise<void>
}

/** A service that fetches a batch from another store by its CID and keeps it. It never gets the bytes from us. */
export interface PinService extends Pick<BatchStore, 'name' | 'has' | 'remove'> {
  /** Resolves once it is pinned. Rejects with `PENDING` while the service fetches it: call again later. */
  pin(cid: string, options?: StoreCallOptions): Promise<void>
}

/**
 * Longest batch that is read back, so that nobody's file fills the memory. Above the batch of 100,000 votes for one project
 * with the longest texts of the default rules (320 MB), and below the longest text that Node has (2^29 - 24 characters).
 */
export const BATCH_BYTES_MAX = 500 * 1024 * 1024

export interface StoreCallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface PutOptions extends StoreCallOptions {
  /** Version of the CID; the store's when absent. */
  readonly version?: CidVersion
}

export interface ReadOptions extends StoreCallOptions {
  /** More is `TOO_LARGE`; the bound of the store when absent. */
  readonly bytesMax?: number
}

/**
 * - `CID_MISMATCH`: the store gave the bytes another CID than they have, or gave back other bytes.
 * - `UNAVAILABLE`: down, too slow, cut off, or overloaded. `DISK_FULL`, `READ_ONLY`: the file store cannot write.
 * - `REFUSED`: the store answered that it will not take the request. `CORRUPT`: a block does not hash to its name.
 * - `BAD_ANSWER`: it answered with something else than its interface says, a page of a proxy for instance.
 * - `PENDING`: a pinning service has taken the request and is not done. `PIN_FAILED`: it gave up.
 */
export type StoreErrorCode =
  | 'CID_MISMATCH'
  | 'UNAVAILABLE'
  | 'DISK_FULL'
  | 'READ_ONLY'
  | 'REFUSED'
  | 'CORRUPT'
  | 'NOT_FOUND'
  | 'TOO_LARGE'
  | 'BAD_ANSWER'
  | 'PENDING'
  | 'PIN_FAILED'

/** A store's trouble. None is final: whatever a store says now, it may say something else in a minute. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  readonly retriable = true
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
    this.code = code
  }
}
