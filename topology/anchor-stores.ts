import type { Codec } from '../schemas/codec.ts'
import type { AnchorKey, AnchorProgress, NonceWindow, PaymentKey, SignerNonce } from '../schemas/types.ts'
import { keyValueStore, scopedStore } from '../streams/store.ts'

export type AnchorStores = ReturnType<typeof anchorStores>

/** The state of the anchor stage. */
export const anchorStores = (codec: Codec) => ({
  /** By epoch scope, then batchIndex: the state of each batch. An epoch goes when all of it is done. */
  progress: scopedStore('anchor-progress', codec.serde<AnchorProgress>('anchor-progress-changelog-value')),
  /** By signer: its next nonce; a row per account that has signed. */
  nonces: keyValueStore('anchor-nonces', codec.serde<SignerNonce>('anchor-nonces-changelog-value')),
  /** One row, `window`: `noncesInFlightMax` keys in flight, and one payout per market that waits. */
  window: keyValueStore('anchor-window', codec.serde<NonceWindow>('anchor-window-changelog-value')),
  /** By the number in the queue: calls of `progress` that wait for a nonce. */
  queue: keyValueStore('anchor-queue', codec.serde<AnchorKey>('anchor-queue-changelog-value')),
  /** By market and day, then epoch and number: rows of `payments`; of as many days of a market as `daysKept` says. */
  payments: scopedStore('payment-rows', codec.serde<PaymentKey>('payment-rows-changelog-value')),
})
