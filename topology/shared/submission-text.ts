/**
 * The text of a submission as it stands in a batch: its protojson form of two-space indent, as a JSON string. Source:
 * google.golang.org/protobuf protojson.Format; checked byte for byte against a published batch. Its frame is what
 * schemas/framed-texts.ts makes it of again.
 */
import { SIGNATURE_BYTES } from '../../schemas/framed-texts.ts'
import { isPlain, quote } from '../../schemas/go-json.ts'
import type { Submission, TextFrame } from '../../schemas/types.ts'

/** Number of newest frames among which a vote's is looked for: votes of one project mostly have one of two CIDs. */
const FRAMES_COMPARED = 4

/** The frames of submissions, and for each submission which frame it has and its signature. */
export function frameTexts(submissions: readonly Submission[]) {
  const frames: TextFrame[] = []
  /** The newest frames, each with the submission that it was made of; none where it is a whole text. */
  const newest: { readonly number: number; readonly model: Submission | undefined }[] = []
  const signatures = Buffer.alloc(submissions.length * SIGNATURE_BYTES)
  const frameNumbers = submissions.map((submission, i): number => {
    const at = i * SIGNATURE_BYTES
    const isFramed = submission.slotId !== 0 && writeSignature(signatures, at, submission.signature)
    const known = isFramed && newest.find(({ model }) => model && differOnlyInSlotAndSignature(model, submission))
    if (known) return known.number
    const frame = isFramed ? frameOf(submission) : undefined
    if (!frame) signatures.fill(0, at, at + SIGNATURE_BYTES)
    newest.unshift({ number: frames.length, model: frame && submission })
    newest.length = Math.min(newest.length, FRAMES_COMPARED)
    return frames.push(frame ?? { middle: quote(submissionText(submission)), end: '' }) - 1
  })
  return { frames, frameNumbers, signatures }
}

/** False where the text is not to be had again from the bytes: other than 65 of them, capital letters, or no hex at all. */
const writeSignature = (into: Buffer, at: number, signature: string): boolean =>
  LOWER_SIGNATURE.test(signature) && into.write(signature, at, 'hex') === SIGNATURE_BYTES
const LOWER_SIGNATURE = /^[0-9a-f]{130}$/

const differOnlyInSlotAndSignature = (a: Submission, b: Submission): boolean =>
  a.deadline === b.deadline &&
  a.snapshotCid === b.snapshotCid &&
  a.epochId === b.epochId &&
  a.projectId === b.projectId &&
  a.header === b.header &&
  a.dataMarket === b.dataMarket &&
  a.nodeVersion === b.nodeVersion

/** The text around slot and signature; undefined when something is left out or would need escaping. */
function frameOf({
  deadline,
  snapshotCid,
  epochId,
  projectId,
  header,
  dataMarket,
  nodeVersion,
}: Submission): TextFrame | undefined {
  const isWhole = deadline && epochId && snapshotCid && projectId && header && dataMarket
  if (!isWhole || !isPlain(`${snapshotCid}${projectId}${header}${dataMarket}${nodeVersion ?? ''}`)) return undefined
  const version = nodeVersion === null ? '' : `,\\n  \\"nodeVersion\\": \\"${nodeVersion}\\"`
  return {
    middle: [
      `\\",\\n    \\"deadline\\": \\"${deadline}\\",\\n    \\"snapshotCid\\": \\"${snapshotCid}\\",\\n`,
      `    \\"epochId\\": \\"${epochId}\\",\\n    \\"projectId\\": \\"${projectId}\\"\\n  },\\n  \\"signature\\": \\"`,
    ].join(''),
    end: `\\",\\n  \\"header\\": \\"${header}\\",\\n  \\"dataMarket\\": \\"${dataMarket}\\"${version}\\n}"`,
  }
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
