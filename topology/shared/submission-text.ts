/**
 * The text of a submission as it stands in a batch: its protojson form of two-space indent, as a JSON string. Source:
 * google.golang.org/protobuf protojson.Format; checked byte for byte against a published batch. Its frame is what
 * schemas/framed-texts.ts makes it of again.
 */
import { isPlain } from '../../schemas/go-json.ts'
import type { Submission, TextFrame } from '../../schemas/types.ts'
import type { VoteContent } from './vote.ts'

/** The text around slot and signature; undefined when something is left out or would need escaping. */
export function frameOf({
  deadline,
  snapshotCid,
  epochId,
  projectId,
  header,
  dataMarket,
  nodeVersion,
}: VoteContent): TextFrame | undefined {
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
