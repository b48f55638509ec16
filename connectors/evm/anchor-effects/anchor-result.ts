import { NONE } from '../../../schemas/none.ts'
import type { AnchorIntent, AnchorOutcome, AnchorResult } from '../../../schemas/types.ts'
import { Conclusion } from '../errors.ts'

/** The answer to an intent; what is not given has its default. */
export const resultOf = (
  { step, attempt, cid }: Pick<AnchorIntent, 'step' | 'attempt' | 'cid'>,
  outcome: AnchorOutcome,
  fields: Partial<AnchorResult> = {},
): AnchorResult => ({
  step,
  attempt,
  outcome,
  cid,
  signer: '',
  nonce: NONE,
  gasLimit: 0,
  maxFeePerGas: '0',
  maxPriorityFeePerGas: '0',
  rawTransaction: '',
  transactionHash: '',
  blockNumber: NONE,
  blockHash: '',
  attestation: null,
  payout: null,
  ...fields,
  error: (fields.error ?? '').slice(0, ERROR_CHARACTERS_MAX),
})

/** Length of a node's or a store's words; the row of an anchor keeps them. */
const ERROR_CHARACTERS_MAX = 1_000

/** Thrown when nothing is definite yet, to look again later: that ends an attempt like an outage does. */
export class NotYet extends Conclusion {}

/** The same, where each look takes so many questions that the next is put off like that after an outage. */
export class NotForLong extends NotYet {}
