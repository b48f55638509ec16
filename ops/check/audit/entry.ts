import type { Submission, VerdictReason } from '../../../schemas/types.ts'
import type { VerdictIdentity } from './verdict-index.ts'

/** The fields that decide something or go into a batch. */
export type KeptSubmission = Omit<
  Submission,
  'position' | 'digest' | 'fullNode' | 'signer' | 'headerBlock' | 'contested'
>

/** An acknowledged submission on its way through the recomputation. */
export interface Entry {
  readonly partition: number
  readonly offset: number
  /** From the record's key, lower case. */
  readonly dataMarket: string
  readonly submission: KeptSubmission
  /** EIP-712 digest as hex: its identity. */
  readonly digest: string
  readonly signer: string
  /** Number of the block that the header named when it was found valid; undefined while no such block was known. */
  readonly headerBlock?: number
  /** The log no longer tells whether the block that the header names was known, and which number it had. */
  readonly headerExpired?: true
  /** The same message came with another header: neither is signed, and neither is judged. */
  contested?: boolean
  /** Ms since 1970: when it came, by the log's time; of one that waits for its epoch. */
  arrivedAt?: number
  /** The slot was not the signer's when the submission came; of one that waits. */
  readonly stranger?: boolean
}

/** The decision of the rules about a submission. */
export interface Decision {
  readonly entry: Entry
  readonly reason: VerdictReason
  /** Other reasons that are as right. */
  readonly or?: readonly VerdictReason[]
  /** Which stage has to say so, and as of which block, where that follows from the rules. */
  readonly stage?: string
  readonly block?: number
}

export const identityOf = ({ dataMarket, submission }: Entry): VerdictIdentity => ({
  dataMarket,
  epochId: submission.epochId,
  submissionId: submission.submissionId,
  slotId: submission.slotId,
  projectId: submission.projectId,
  snapshotCid: submission.snapshotCid,
})

export const placeOf = ({ partition, offset }: Entry): string => `submissions[${partition}] offset ${offset}`

/** Order of arrival as the records themselves tell it: receivedAt, then submissionId, and the digest where both are equal. */
export function byArrival(a: Entry, b: Entry): number {
  const time = a.submission.receivedAt - b.submission.receivedAt
  if (time !== 0) return time
  return compareText(a.submission.submissionId, b.submission.submissionId) || compareText(a.digest, b.digest)
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Copies entries for keeping: texts that recur (project, CID, block, market) are held once, which halves the memory of an
 * epoch with a million submissions. A keeper for each epoch.
 */
export function createKeeper(): (entry: Entry) => Entry {
  const texts = new Map<string, string>()
  const shared = (text: string): string => {
    const known = texts.get(text)
    if (known !== undefined) return known
    texts.set(text, text)
    return text
  }
  return ({ partition, offset, dataMarket, submission, digest, signer, headerBlock, headerExpired, contested }) => ({
    partition,
    offset,
    dataMarket: shared(dataMarket),
    submission: {
      submissionId: submission.submissionId,
      slotId: submission.slotId,
      deadline: submission.deadline,
      snapshotCid: shared(submission.snapshotCid),
      epochId: submission.epochId,
      projectId: shared(submission.projectId),
      signature: submission.signature,
      header: shared(submission.header),
      dataMarket: shared(submission.dataMarket),
      nodeVersion: submission.nodeVersion === null ? null : shared(submission.nodeVersion),
      receivedAt: submission.receivedAt,
    },
    digest,
    signer: shared(signer),
    ...(headerBlock !== undefined && { headerBlock }),
    ...(headerExpired && { headerExpired }),
    ...(contested && { contested }),
  })
}
