/**
 * Votes are secret until their epoch is closed in the log: a node that knew the CIDs of others could copy them, and an owner that
 * votes last with several slots could decide. Before that a submission is told without its CID, and a refusal without values that
 * may tell it. docs/decisions/0025-votes-are-secret-until-the-close.md.
 */

import type { EpochKey, VerdictReason } from '../../../schemas/types.ts'
import type { EpochProgress } from '../../reading/epoch-progress.ts'
import type { WhyItem } from '../../reading/why.ts'
import type { SubmissionItem } from '../schema.ts'
import { keyOf } from '../view/keys.ts'
import { epochParts, TABLE } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { headsOf } from './heads.ts'

/** Reasons whose evidence holds nothing but slots, signers, epochs and blocks. Any other may quote the submission. */
const EVIDENCE_TELLS_NOTHING: ReadonlySet<VerdictReason> = new Set<VerdictReason>([
  'UNKNOWN_MARKET',
  'UNKNOWN_SLOT',
  'SLOT_MISMATCH',
  'SLOT_INACTIVE',
  'FLAGGED',
  'EPOCH_NOT_OPEN',
  'EPOCH_CLOSED',
  'EPOCH_TOO_FAR',
  'DEADLINE_PASSED',
  'UNKNOWN_HEADER',
  'STALE_HEADER',
  'ORPHANED_HEADER',
  'RATE_LIMITED',
  'SIMULATION',
])
/** Submissions for it are simulations: nothing is counted, and it never closes. */
const SIMULATIONS = 0

/** Whether votes in the epoch may still come: it is open, or may yet be released. A reorganisation may open it again. */
export function isVoteSecret(reader: ViewReader, key: EpochKey): boolean {
  if (key.epochId === SIMULATIONS) return false
  const row = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts(key)))
  if (row && (row.closeBlock !== null || row.releaseBlock !== null)) return row.closeBlock === null
  // epochs are released in order: one that a closed one has overtaken cannot come any more
  const { closed } = headsOf(reader, key.dataMarket)
  return key.epochId >= closed
}

/** The public part of a submission whose vote is secret. */
export function withoutVote({ verdict, ...item }: WhyItem): Omit<SubmissionItem, 'origin'> {
  const tells = verdict !== null && !EVIDENCE_TELLS_NOTHING.has(verdict.reason)
  const shown = tells ? { ...verdict, expected: null, actual: null } : verdict
  return { ...item, snapshotCid: null, verdict: shown }
}
