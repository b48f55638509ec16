/** Votes that each slot adds to its day in one epoch, counted from the final verdicts on its submissions. */
import type { VerdictReason } from '../../../../schemas/types.ts'
import type { Decision } from '../entry.ts'

/** Votes of one slot. */
export interface Votes {
  /** One per project, whether it counts or not. */
  readonly accepted: number
  /** Accepted votes for the winner. */
  readonly counted: number
}

/** Slot → its votes; only slots that have some. */
export type Contribution = ReadonlyMap<number, Votes>

/** The words on a vote; whatever else is said of a submission makes none of it. */
const VOTES: readonly VerdictReason[] = ['COUNTED', 'OUTVOTED', 'NO_QUORUM', 'UNANCHORABLE']

export class ContributionBuilder {
  private readonly slots = new Map<number, { accepted: number; counted: number }>()

  take({ entry, reason }: Pick<Decision, 'entry' | 'reason'>): void {
    if (VOTES.includes(reason)) this.add(entry.submission.slotId, reason === 'COUNTED')
  }

  add(slotId: number, isCounted: boolean): void {
    const votes = this.slots.get(slotId) ?? { accepted: 0, counted: 0 }
    this.slots.set(slotId, votes)
    votes.accepted++
    if (isCounted) votes.counted++
  }

  get votes(): Contribution {
    return this.slots
  }
}
