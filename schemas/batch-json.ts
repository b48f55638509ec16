/**
 * The exact bytes of a batch: Go's encoding/json, compact, with each submission as a JSON string that holds its protojson
 * form (topology/shared/submission-text.ts). Source: submission-sequencer-finalizer (BatchSubmission); checked byte for byte against a
 * published batch.
 */
import { type Texts, writeTexts } from './framed-texts.ts'
import { quoteAll } from './go-json.ts'
import { TextBuffer } from './text-buffer.ts'

/** The contents in the order of their keys in the file. */
export interface BatchParts {
  /** As `quoteAll` makes them of some ids each. */
  readonly submissionIds: readonly string[]
  readonly submissions: readonly Texts[]
  readonly roothash: string
  readonly projectIds: readonly string[]
  readonly snapshotCids: readonly string[]
}

const ROOT_CHARACTERS = 66

/** @param bytesExpected expected size of the batch; it may be more or less */
export function batchJson(parts: BatchParts, bytesExpected: number): Buffer {
  const { submissionIds, submissions, roothash, projectIds, snapshotCids } = parts
  const out = new TextBuffer(bytesExpected)
  out.utf8(`{"submissionIDs":[${submissionIds.join()}],"submissions":[`)
  submissions.forEach((texts, i) => {
    if (i > 0) out.ascii(',')
    writeTexts(out, texts)
  })
  out.utf8(`],"roothash":"${roothash}","pids":[${quoteAll(projectIds)}],"cids":[${quoteAll(snapshotCids)}]}`)
  return out.take()
}

/** Bytes of a batch without projects; each element adds its own bytes and, but for the first of a list, a comma. */
export const EMPTY_BATCH_BYTES = batchJson(
  { submissionIds: [], submissions: [], roothash: 'x'.repeat(ROOT_CHARACTERS), projectIds: [], snapshotCids: [] },
  0,
).length
