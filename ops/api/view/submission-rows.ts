/** The rows of submissions and verdicts, and the keys that lead to them. */
import type { EpochKey, LogPosition, Submission, Verdict } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { ViewCommit } from './commit.ts'
import { keyOf, number } from './keys.ts'
import { originOf, signatureId } from './origin.ts'
import {
  bytesOf,
  fromJson,
  indexKeys,
  json,
  NOTHING,
  type SubmissionRow,
  submissionParts,
  TABLE,
  timed,
} from './rows.ts'

interface Place {
  readonly key: EpochKey
  readonly position: LogPosition
  /** Time of the record, ms. */
  readonly time: number
}

/** Stores a submission that is in the log. */
export function putSubmission(commit: ViewCommit, topics: Topics, submission: Submission, place: Place): void {
  const { submissionId, projectId, snapshotCid, receivedAt, slotId } = submission
  const { key, position, time } = place
  const signature = signatureId(submission)
  const mark = keyOf(TABLE.signatures, number(slotId), signature)
  const copy = commit.get(mark) !== undefined
  if (!copy) commit.put(mark, NOTHING)
  const row = { submissionId, projectId, snapshotCid, receivedAt, time, signature, copy }
  const parts = submissionParts(key, slotId, position)
  const found = commit.get(keyOf(TABLE.verdicts, ...parts)) // partitions are read side by side, so it may be there first
  putRow(commit, parts, row, found && topics.verdicts.value.decode(bytesOf(found)))
}

export const hasSubmission = (commit: ViewCommit, { slotId }: Verdict, { key, position }: Place): boolean =>
  commit.get(keyOf(TABLE.submissions, ...submissionParts(key, slotId, position))) !== undefined

export function putVerdict(
  commit: ViewCommit,
  bytes: Uint8Array,
  verdict: Verdict,
  { key, position, time }: Place,
): void {
  const parts = submissionParts(key, verdict.slotId, position)
  commit.put(keyOf(TABLE.verdicts, ...parts), timed(time, bytes))
  const found = commit.get(keyOf(TABLE.submissions, ...parts))
  if (found) moveRow(commit, parts, fromJson<SubmissionRow>(found), verdict)
}

/**
 * Stores a submission that is gone from the log, so nothing but its verdict leads to it. A submission that was read before stays
 * as it is.
 */
export function putFromVerdict(commit: ViewCommit, verdict: Verdict, { key, position, time }: Place): void {
  const { submissionId, projectId, snapshotCid, slotId } = verdict
  const parts = submissionParts(key, slotId, position)
  if (commit.get(keyOf(TABLE.submissions, ...parts))) return
  const row = { submissionId, projectId, snapshotCid, receivedAt: null, time, signature: null, copy: false }
  putRow(commit, parts, row, verdict)
}

function putRow(commit: ViewCommit, parts: string[], row: SubmissionRow, verdict: Verdict | undefined): void {
  const origin = originOf(verdict?.reason, row.copy)
  commit.put(keyOf(TABLE.submissions, ...parts), json(row))
  commit.put(keyOf(TABLE.submissionIds, row.submissionId.toLowerCase(), ...parts), NOTHING)
  for (const key of indexKeys(parts, origin, row)) commit.put(key, NOTHING)
  commit.kept(origin, 1)
}

/** The verdict shows whose it is. */
function moveRow(commit: ViewCommit, parts: string[], row: SubmissionRow, { reason }: Verdict): void {
  const [before, after] = [originOf(undefined, row.copy), originOf(reason, row.copy)]
  if (before === after) return
  for (const key of indexKeys(parts, before, row)) commit.del(key)
  for (const key of indexKeys(parts, after, row)) commit.put(key, NOTHING)
  commit.kept(before, -1)
  commit.kept(after, 1)
}
