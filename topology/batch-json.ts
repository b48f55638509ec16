/**
 * The exact bytes of a batch. Outer: Go's encoding/json, compact, with <, >, &, U+2028 and U+2029 escaped. Inner: each
 * submission as a JSON string that holds its protojson form of two-space indent. Source: submission-sequencer-finalizer
 * (BatchSubmission), google.golang.org/protobuf protojson.Format; checked byte for byte against a published batch.
 */
import type { Submission } from '../schemas/types.ts'

/** The contents in the order of their keys in the file. */
export interface BatchTexts {
  /** Each already a JSON string: see `quote` and `quotedSubmission`. */
  readonly submissionIds: readonly string[]
  readonly submissions: readonly string[]
  /** Plain. */
  readonly roothash: string
  readonly projectIds: readonly string[]
  readonly snapshotCids: readonly string[]
}

const ROOT_CHARACTERS = 66

export const batchJson = ({ submissionIds, submissions, roothash, projectIds, snapshotCids }: BatchTexts): string =>
  `{"submissionIDs":[${submissionIds.join()}],"submissions":[${submissions.join()}],"roothash":"${roothash}",` +
  `"pids":[${projectIds.join()}],"cids":[${snapshotCids.join()}]}`

/** Bytes of a batch without projects; each element adds its own bytes and, but for the first of a list, a comma. */
export const EMPTY_BATCH_BYTES = batchJson({
  submissionIds: [],
  submissions: [],
  roothash: 'x'.repeat(ROOT_CHARACTERS),
  projectIds: [],
  snapshotCids: [],
}).length

/** Nothing that either encoding changes: printable ASCII without quotation mark, backslash, <, > and &. */
const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/

/** A JSON string as Go writes it. */
export const quote = (text: string): string => (PLAIN.test(text) ? `"${text}"` : escapeHtml(JSON.stringify(text)))

const escapeHtml = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A submission as it stands in the batch: its protojson text, quoted once more. */
export function quotedSubmission(submission: Submission): string {
  const { slotId, deadline, snapshotCid, epochId, projectId, signature, header, dataMarket, nodeVersion } = submission
  const isPlain = PLAIN.test(`${snapshotCid}${projectId}${signature}${header}${dataMarket}${nodeVersion ?? ''}`)
  const isWhole = slotId && deadline && epochId && snapshotCid && projectId && signature && header && dataMarket
  // Nearly every submission: nothing to escape, nothing left out. Quoting by hand is 3 times as fast.
  if (!isPlain || !isWhole) return quote(submissionText(submission))
  const version = nodeVersion === null ? '' : `,\\n  \\"nodeVersion\\": \\"${nodeVersion}\\"`
  return (
    `"{\\n  \\"request\\": {\\n    \\"slotId\\": \\"${slotId}\\",\\n    \\"deadline\\": \\"${deadline}\\",\\n` +
    `    \\"snapshotCid\\": \\"${snapshotCid}\\",\\n    \\"epochId\\": \\"${epochId}\\",\\n` +
    `    \\"projectId\\": \\"${projectId}\\"\\n  },\\n  \\"signature\\": \\"${signature}\\",\\n` +
    `  \\"header\\": \\"${header}\\",\\n  \\"dataMarket\\": \\"${dataMarket}\\"${version}\\n}"`
  )
}

/** protojson.Format: field order of the message, uint64 as strings, zero and empty fields left out, a set optional kept. */
export function submissionText(submission: Submission): string {
  const { slotId, deadline, snapshotCid, epochId, projectId, signature, header, dataMarket, nodeVersion } = submission
  const request = {
    ...(slotId && { slotId: `${slotId}` }),
    ...(deadline && { deadline: `${deadline}` }),
    ...(snapshotCid && { snapshotCid }),
    ...(epochId && { epochId: `${epochId}` }),
    ...(projectId && { projectId }),
  }
  const message = {
    request,
    ...(signature && { signature }),
    ...(header && { header }),
    ...(dataMarket && { dataMarket }),
    ...(nodeVersion !== null && { nodeVersion }),
  }
  return JSON.stringify(message, null, 2)
}
