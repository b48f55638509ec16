/** Where batches are kept. Content-addressed, so every call can be repeated. */
export interface BatchStore {
  /** For messages and metric labels; unique among the stores of one process. */
  readonly name: string
  /** Resolves with the CID that the store gave the bytes, once they are durable (and pinned). */
  put(bytes: Uint8Array, options?: StoreCallOptions): Promise<string>
  /** The bytes of a CID. Rejects with `NOT_FOUND` when the store does not have them. */
  get(cid: string, options?: StoreCallOptions): Promise<Uint8Array>
}

/**
 * Longest batch that is read back, so that nobody's file fills the memory. Above the batch of 100,000 votes for one project
 * with the longest texts of the default rules (320 MB), and below the longest text that Node has (2^29 - 24 characters).
 */
export const BATCH_BYTES_MAX = 500 * 1024 * 1024

export interface StoreCallOptions {
  readonly signal?: AbortSignal
}

/**
 * - `CID_MISMATCH`: the store gave the bytes another CID than they have, or gave back other bytes.
 * - `UNAVAILABLE`: down, too slow, cut off, or overloaded. `DISK_FULL`, `READ_ONLY`: the file store cannot write.
 * - `REFUSED`: the store answered that it will not take the request. `CORRUPT`: a block does not hash to its name.
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

export class StoreError extends Error {
  readonly code: StoreErrorCode
  /** The same call may succeed later without anyone changing the configuration. */
  readonly retriable: boolean
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
    this.code = code
    this.retriable = code === 'UNAVAILABLE' || code === 'DISK_FULL' || code === 'READ_ONLY' || code === 'NOT_FOUND'
  }
}
