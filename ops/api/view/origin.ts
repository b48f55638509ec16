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

/** Given behind the check of the owner, to copies too. */
const SIGNED: ReadonlySet<VerdictReason> = new Set<VerdictReason>([
  'SLOT_INACTIVE',
  'FLAGGED',
  'EPOCH_NOT_OPEN',
  'EPOCH_CLOSED',
  'EPOCH_TOO_FAR',
  'DEADLINE_PASSED',
  'UNKNOWN_HEADER',
  'STALE_HEADER',
  'ORPHANED_HEADER',
  'SIMULATION',
])
/** Verdicts that are given after the search for copies, so only one of the copies has such a verdict. */
const SIGNED_ONCE: ReadonlySet<VerdictReason> = new Set<VerdictReason>([
  'RATE_LIMITED',
  'SUPERSEDED',
  'WRONG_DATA_SOURCE',
  'NO_QUORUM',
  'OUTVOTED',
  'COUNTED',
])

/** @param reason reason of the verdict, when there is one */
export function originOf(reason: VerdictReason | undefined, isCopy: boolean): Origin {
  if (reason !== undefined && SIGNED_ONCE.has(reason)) return 'OWNER'
  return !isCopy && (reason === undefined || SIGNED.has(reason)) ? 'OWNER' : 'UNPROVEN'
}

const HEX_CHARS = 32

/** The same for every copy of a submission: nobody but its signer can make another signature of it. */
export const signatureId = ({ signature }: Submission): string =>
  createHash('sha256').update(signature.toLowerCase()).digest('hex').slice(0, HEX_CHARS)
