import type { Submission, VerdictReason } from '../../schemas/types.ts'
import type { VerdictIdentity } from './ledger.ts'

/** An acknowledged submission on its way through the recomputation. */
export interface Entry {
  readonly partition: number
  readonly offset: number
  /** From the record's key, lower case. */
  readonly dataMarket: string
  readonly submission: Submission
  /** EIP-712 digest as hex: its identity. */
  readonly digest: string
  readonly signer: string
}

/** What the rules make of a submission, and from which offset of its partition on (its own, or a later marker's). */
export interface Decision {
  readonly entry: Entry
  readonly reason: VerdictReason
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

/** Order of arrival as the records themselves tell it: receivedAt, then submissionId. */
export function byArrival(a: Entry, b: Entry): number {
  const time = a.submission.receivedAt - b.submission.receivedAt
  if (time !== 0) return time
  return compareText(a.submission.submissionId, b.submission.submissionId)
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
