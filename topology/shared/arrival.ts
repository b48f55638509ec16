/**
 * The order of arrival as the records themselves tell it, the same in any interleaving. The sender chooses submissionId, and
 * several may arrive within a millisecond: every sort by it adds a last criterion of the signed content, so that no two
 * submissions are ever equal.
 */
import type { Submission } from '../../schemas/types.ts'

export type Arrival = Pick<Submission, 'receivedAt' | 'submissionId'>

export const byArrival = (a: Arrival, b: Arrival): number =>
  a.receivedAt - b.receivedAt || byText(a.submissionId, b.submissionId)

/** By UTF-16 units. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
