/**
 * Whose a submission is. Anybody may send one that names a slot, or send again what its owner signed, as often as he likes and
 * with another header. So submissions that only claim a slot are listed apart, where they displace none of the owner's.
 */
import { createHash } from 'node:crypto'
import type { Submission, VerdictReason } from '../../../schemas/types.ts'

export const ORIGINS = ['OWNER', 'UNPROVEN'] as const
export type Origin = (typeof ORIGINS)[number]
export const ORIGIN_HELP =
  'OWNER: the owner of the slot signed it, or it has no verdict yet. UNPROVEN: refused before that was known, or a copy.'

/**
 * Whether a verdict shows that the owner signed the submission. UNPROVEN: it is given before that is known, or for a copy. COPIES_TOO: it
 * is given behind the check of the owner, and to copies as well. ONCE: it is given after the search for copies, to one of them.
 */
const PROOF: Readonly<Record<VerdictReason, 'UNPROVEN' | 'COPIES_TOO' | 'ONCE'>> = {
  UNKNOWN: 'UNPROVEN',
  MALFORMED: 'UNPROVEN',
  OVERSIZE: 'UNPROVEN',
  UNKNOWN_MARKET: 'UNPROVEN',
  FOREIGN_PROJECT: 'UNPROVEN',
  BAD_SIGNATURE: 'UNPROVEN',
  UNKNOWN_SLOT: 'UNPROVEN',
  SLOT_MISMATCH: 'UNPROVEN',
  DUPLICATE: 'UNPROVEN',
  SLOT_INACTIVE: 'COPIES_TOO',
  FLAGGED: 'COPIES_TOO',
  EPOCH_NOT_OPEN: 'COPIES_TOO',
  EPOCH_CLOSED: 'COPIES_TOO',
  EPOCH_TOO_FAR: 'COPIES_TOO',
  DEADLINE_PASSED: 'COPIES_TOO',
  UNKNOWN_HEADER: 'COPIES_TOO',
  STALE_HEADER: 'COPIES_TOO',
  ORPHANED_HEADER: 'COPIES_TOO',
  SIMULATION: 'COPIES_TOO',
  RATE_LIMITED: 'ONCE',
  SUPERSEDED: 'ONCE',
  WRONG_DATA_SOURCE: 'ONCE',
  NO_QUORUM: 'ONCE',
  UNANCHORABLE: 'ONCE',
  OUTVOTED: 'ONCE',
  COUNTED: 'ONCE',
}

/** @param reason reason of the verdict, when there is one */
export function originOf(reason: VerdictReason | undefined, isCopy: boolean): Origin {
  if (reason !== undefined && PROOF[reason] === 'ONCE') return 'OWNER'
  return !isCopy && (reason === undefined || PROOF[reason] === 'COPIES_TOO') ? 'OWNER' : 'UNPROVEN'
}

const HEX_CHARS = 32

/** The same for every copy of a submission: nobody but its signer can make another signature of it. */
export const signatureId = ({ signature }: Submission): string =>
  createHash('sha256').update(signature.toLowerCase()).digest('hex').slice(0, HEX_CHARS)
