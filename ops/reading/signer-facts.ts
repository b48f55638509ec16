/** The signer's calls, as rows of `anchors` tell: the one place that says what is on its way, and what is in flight. */
import type { AnchorState } from '../../schemas/types.ts'
import { standingOfBatch } from './epoch-phases.ts'

export interface SignerFacts {
  /** The highest in the rows; null: none has one. */
  readonly nonce: number | null
  /** Batches and ending calls on their way, and those of them in flight. */
  readonly pending: number
  readonly inFlight: number
}

interface Row {
  readonly state: AnchorState
  readonly nonce: number | null
}

const isPending = ({ state }: Row): boolean => standingOfBatch(state) === 'under-way'

/** The transaction is sent and not final. */
export const isInFlight = ({ state }: Row): boolean => state === 'SENT' || state === 'MINED'

/** @param rows the newest of each batch and ending call; of those that are not on their way, the newest one will do */
export const signerFactsOf = (rows: readonly Row[]): SignerFacts => ({
  nonce: rows.reduce<number | null>((max, { nonce }) => (nonce === null ? max : Math.max(max ?? nonce, nonce)), null),
  pending: rows.filter(isPending).length,
  inFlight: rows.filter(isInFlight).length,
})
