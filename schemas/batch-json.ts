/**
 * The exact bytes of a batch: Go's encoding/json, compact, with each submission as a JSON string that holds its protojson
 * form (topology/shared/submission-text.ts). Source: submission-sequencer-finalizer (BatchSubmission); checked byte for byte
 * against a published batch.
 */
import { writeTexts } from './framed-texts.ts'
import { quoteAll } from './go-json.ts'
import { TextBuffer } from './text-buffer.ts'
import type { Batch } from './types.ts'

/** Everything that the bytes are made of. */
export type BatchContent = Pick<Batch, 'texts' | 'roothash' | 'projectIds' | 'snapshotCids'>

const ROOT_CHARACTERS = 66

/** @param bytesExpected expected size of the batch; it may be more or less */
export function batchJson({ texts, roothash, projectIds, snapshotCids }: BatchContent, bytesExpected: number): Buffer {
  const out = new TextBuffer(bytesExpected)
  out.ascii('{"submissionIDs":[')
  for (const [i, { submissionIds }] of texts.entries()) {
    if (i > 0) out.ascii(',')
    out.utf8(submissionIds)
  }
  out.ascii('],"submissions":[')
  for (const [i, some] of texts.entries()) {
    if (i > 0) out.ascii(',')
    writeTexts(out, some)
  }
  out.utf8(`],"roothash":"${roothash}","pids":[${quoteAll(projectIds)}],"cids":[${quoteAll(snapshotCids)}]}`)
  return out.take()
}

/** Bytes of a batch without projects; each element adds its own bytes and, but for the first of a list, a comma. */
export const EMPTY_BATCH_BYTES = batchJson(
  { texts: [], roothash: 'x'.repeat(ROOT_CHARACTERS), projectIds: [], snapshotCids: [] },
  0,
).length
