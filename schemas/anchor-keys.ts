/** Whom anchoring is about: batches by their index from 0, and three kinds that are none. */
import type { AnchorKey } from './types.ts'

/** The index under which the call stands that ends an epoch's batches. */
export const END_OF_BATCHES = -1

/** The index of a nonce that nobody has; its key has the signer in place of the market, and the nonce of the epoch. */
export const NONCE_ONLY = -2

type Indexed = Pick<AnchorKey, 'batchIndex'>

export const isBatch = ({ batchIndex }: Indexed): boolean => batchIndex >= 0

export const isEnding = ({ batchIndex }: Indexed): boolean => batchIndex === END_OF_BATCHES

export const isNonceOnly = ({ batchIndex }: AnchorKey): boolean => batchIndex === NONCE_ONLY

export const nonceKey = (signer: string, nonce: number): AnchorKey => ({
  dataMarket: signer,
  epochId: nonce,
  batchIndex: NONCE_ONLY,
})

/** The index of the first payout of a CLOSE; further ones lie below it. */
const FIRST_PAYOUT = -3

export const isPayout = ({ batchIndex }: AnchorKey): boolean => batchIndex <= FIRST_PAYOUT

/** @param epochId id of the epoch whose CLOSE wrote the payout */
export const payoutKey = (dataMarket: string, epochId: number, number: number): AnchorKey => ({
  dataMarket,
  epochId,
  batchIndex: FIRST_PAYOUT - number,
})

/** Among the payouts of its CLOSE. */
export const payoutNumberOf = ({ batchIndex }: AnchorKey): number => FIRST_PAYOUT - batchIndex

/**
 * Gas of a transaction to oneself that uses up a nonce. A transfer takes 21,000 on most chains; on a rollup the data is paid in gas as
 * well. Only what is used costs.
 */
export const FILLER_GAS = 100_000

/** No account has sent so many transactions: a node that counts more answers oddly, and a record that tells of more is not followed. */
export const NONCE_MAX = 2 ** 32
