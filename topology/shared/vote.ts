/**
 * An admitted submission as `consensus` keeps it until the close: an epoch may have a million. Fields that votes have in common
 * are one object for all of them, so that the close has little to compare. The changelog has submissions, so a restored vote is
 * as it was.
 */
import { hash } from 'node:crypto'
import { SIGNATURE_BYTES } from '../../schemas/framed-texts.ts'
import type { LogPosition, Submission } from '../../schemas/types.ts'
import type { Serde } from '../../streams/serde.ts'

export interface Vote {
  readonly position: LogPosition
  readonly submissionId: string
  readonly slotId: number
  readonly receivedAt: number
  readonly headerBlock: number
  readonly contested: boolean
  /** Where it is packed a character of latin1 for each of its bytes; else as sent. */
  readonly signature: string
  readonly isPacked: boolean
  /** The submissionId as a leaf of the batch's tree, a character of latin1 for each of its `LEAF_BYTES`. */
  readonly leaf: string
  readonly content: VoteContent
}

export const LEAF_BYTES = 32

/** Everything that stands in a vote's text beside slot and signature. */
export type VoteContent = Pick<
  Submission,
  'deadline' | 'snapshotCid' | 'epochId' | 'projectId' | 'header' | 'dataMarket' | 'nodeVersion'
>

/** @param content the one of another vote that is made alike */
export function voteOf(submission: Submission, content: VoteContent = contentOf(submission)): Vote {
  const { position, submissionId, slotId, receivedAt, headerBlock, contested, signature } = submission
  const isPacked = LOWER_SIGNATURE.test(signature)
  return {
    position: position!,
    submissionId,
    slotId,
    receivedAt,
    headerBlock,
    contested,
    signature: isPacked ? Buffer.from(signature, 'hex').toString('latin1') : signature,
    isPacked,
    leaf: hash('sha256', submissionId, 'binary'),
    content,
  }
}

/** Only a text of this form is to be had again from the bytes. */
const LOWER_SIGNATURE = new RegExp(`^[0-9a-f]{${2 * SIGNATURE_BYTES}}$`)

/** As it was sent. */
export const signatureOf = ({ signature, isPacked }: Vote): string =>
  isPacked ? Buffer.from(signature, 'latin1').toString('hex') : signature

/** Without digest and signer, which are the key of a vote. */
export function submissionOf(vote: Vote): Submission {
  const { position, submissionId, slotId, receivedAt, headerBlock, contested, content } = vote
  const { deadline, snapshotCid, epochId, projectId, header, dataMarket, nodeVersion } = content
  return {
    submissionId,
    slotId,
    deadline,
    snapshotCid,
    epochId,
    projectId,
    signature: signatureOf(vote),
    header,
    dataMarket,
    nodeVersion,
    receivedAt,
    position,
    digest: NOTHING,
    fullNode: false,
    signer: '',
    headerBlock,
    contested,
  }
}

const NOTHING = Buffer.alloc(0)

/** Votes as the submissions that they were. */
export const voteSerde = ({ encode, decode }: Serde<Submission>): Serde<Vote> => ({
  encode: (vote) => encode(submissionOf(vote)),
  decode: (bytes) => voteOf(decode(bytes)),
})

/** Contents of votes for a project among which one of the next vote is looked for: mostly there are two, one for each CID. */
const CONTENTS_COMPARED = 4

/** Finds the content that a vote shares with those before it. Votes that a store restored have one each. */
export function createVoteContents() {
  const byScope = new Map<string, Map<string, VoteContent[]>>()
  return {
    of(scope: string, submission: Submission): VoteContent {
      const projects = byScope.get(scope) ?? new Map<string, VoteContent[]>()
      if (projects.size === 0) byScope.set(scope, projects)
      const newest = projects.get(submission.projectId)
      const known = newest && findContent(newest, submission)
      if (known) return known
      const content = contentOf(submission)
      if (newest === undefined) projects.set(content.projectId, [content])
      else {
        newest.unshift(content)
        newest.length = Math.min(newest.length, CONTENTS_COMPARED)
      }
      return content
    },
    forget: (scope: string): void => void byScope.delete(scope),
  }
}

function findContent(contents: readonly VoteContent[], submission: Submission): VoteContent | undefined {
  for (let at = 0; at < contents.length; at++) if (isSameContent(contents[at]!, submission)) return contents[at]
  return undefined
}

export const isSameContent = (a: VoteContent, b: VoteContent): boolean =>
  a.deadline === b.deadline &&
  a.snapshotCid === b.snapshotCid &&
  a.epochId === b.epochId &&
  a.projectId === b.projectId &&
  a.header === b.header &&
  a.dataMarket === b.dataMarket &&
  a.nodeVersion === b.nodeVersion

function contentOf(submission: Submission): VoteContent {
  const { deadline, snapshotCid, epochId, projectId, header, dataMarket, nodeVersion } = submission
  return { deadline, snapshotCid, epochId, projectId, header, dataMarket, nodeVersion }
}
