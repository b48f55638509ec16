import type { AnchorCall, AnchorKey, AnchorStep, Attestation } from '../schemas/types.ts'
import type { Serde } from '../streams/serde.ts'
import { keyValueStore, scopedStore } from '../streams/store.ts'

/**
 * Where a batch (or the ending call) is. WAITING is only the ending call's, until the batches are settled. QUEUED: ready,
 * but `noncesInFlightMax` are in flight. FINAL, LATE and FAILED stay.
 */
export type AnchorPhase =
  | 'WAITING'
  | 'STORING'
  | 'PREPARING'
  | 'QUEUED'
  | 'SIGNING'
  | 'SENDING'
  | 'MINED'
  | 'FINAL'
  | 'LATE'
  | 'FAILED'

/** Fees and gas for one transaction; wei as decimals. */
export interface Quote {
  readonly gasLimit: number
  readonly maxFeePerGas: string
  readonly maxPriorityFeePerGas: string
}

/** All that the FSM knows of one key of `anchors`. Values are replaced, never changed. */
export interface AnchorProgress {
  readonly key: AnchorKey
  readonly phase: AnchorPhase
  /** The intent in force: its step and call, and its number from 1 (0: none yet). Results that name another are stale. */
  readonly step: AnchorStep
  readonly call: AnchorCall
  readonly attempt: number
  readonly delayMs: number
  /** Failures so far that count against `retriesMax`. */
  readonly retries: number
  readonly batchOffset: number
  /** The ending call: how many batches the epoch has. */
  readonly batches: number
  readonly cid: string
  readonly roothash: string
  readonly finalizedCidsRootHash: string
  readonly signer: string
  /** The signer's next nonce on the chain, as of the dry run. */
  readonly chainNonce: number
  /** The nonce assigned, -1 while none is. */
  readonly nonce: number
  readonly quote: Quote
  readonly rawTransactions: readonly string[]
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly error: string
  readonly attestations: readonly Attestation[]
  readonly attested: boolean
  readonly diverged: boolean
}

/** Who is in flight, and the ends of the queue behind: first and next free number. */
export interface NonceWindow {
  readonly inFlight: readonly string[]
  readonly first: number
  readonly next: number
}

export const anchorStores = {
  /** By epoch scope, then batchIndex. An epoch goes when all of it is done. */
  progress: scopedStore('anchor-progress', json<AnchorProgress>()),
  /** Signer → the next nonce that was never assigned. */
  nonces: keyValueStore('anchor-nonces', json<number>()),
  /** One row, `window`. */
  window: keyValueStore('anchor-window', json<NonceWindow>()),
  /** Number in the queue → key as text. */
  queue: keyValueStore('anchor-queue', json<AnchorKey>()),
}

function json<T>(): Serde<T> {
  return {
    encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as T,
  }
}
