export type ProblemCode =
  | 'LENGTHS_DIFFER'
  | 'ROOT_MISMATCH'
  | 'UNREADABLE_SUBMISSION'
  | 'BAD_SIGNATURE'
  | 'SLOT_MISMATCH'
  | 'SLOT_VOTES_TWICE'
  | 'DUPLICATE_SUBMISSION'
  | 'DUPLICATE_PROJECT'
  | 'UNKNOWN_PROJECT'
  | 'PROJECT_WITHOUT_SUBMISSION'
  | 'WRONG_WINNER'
  | 'EPOCHS_DIFFER'
  | 'MARKETS_DIFFER'
  | 'CID_MISMATCH'
  | 'EMPTY_BATCH'
  | 'NOT_ANCHORED'

export type NoteCode = 'TIE_UNDECIDED' | 'ID_REUSED' | 'NOT_CANONICAL' | 'LATER_BATCH'

export interface Finding<Code extends string> {
  readonly code: Code
  /** The place in the batch, e.g. `submissions[3]` or `pids[0]`. */
  readonly where: string
  readonly message: string
}
export type Problem = Finding<ProblemCode>
export type Note = Finding<NoteCode>

/**
 * A part that was not checked, for want of a fact that only the caller has. `DOMAIN`: no signature. `OWNERS`: whether signers own
 * their slots. `TIES`: which of several CIDs with equal votes wins. `CID`: whether the bytes have the CID that a caller named.
 * `CHAIN`: whether the contract keeps the batch.
 */
export interface Unchecked {
  readonly code: 'DOMAIN' | 'OWNERS' | 'TIES' | 'CID' | 'CHAIN'
  /** The meaning of the part, and the option that lets it be checked. */
  readonly message: string
}

export interface VerifyReport {
  /** No problem was found in what was checked. Notes do not count. */
  readonly ok: boolean
  /** CIDs of the canonical bytes. */
  readonly cid: string
  readonly cidV1: string
  readonly roothash: { readonly stated: string; readonly computed: string; readonly ok: boolean }
  /** The root that the contract should have for this batch. */
  readonly finalizedCidsRootHash: string
  readonly epochId: number | null
  /** As the first submission names it, lower case; no signature covers it. */
  readonly dataMarket: string | null
  readonly submissions: number
  readonly projects: number
  /** `unchecked`: no domain was given, or no owner for the slot. */
  readonly signatures: { readonly valid: number; readonly invalid: number; readonly unchecked: number }
  readonly problems: readonly Problem[]
  readonly notes: readonly Note[]
  readonly unchecked: readonly Unchecked[]
}
