/** Votes that each slot adds to its day in one epoch, counted from the final verdicts on its submissions. */
import { type ConsensusReason, isConsensusReason } from '../../../../topology/verdict.ts'
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

/** Whether a verdict of consensus makes its submission a vote of the day. The verdicts of other stages never do. */
const IS_VOTE = {
  DEADLINE_PASSED: false,
  UNKNOWN_HEADER: false,
  STALE_HEADER: false,
  ORPHANED_HEADER: false,
  SUPERSEDED: false,
  NO_QUORUM: true,
  UNANCHORABLE: true,
  OUTVOTED: true,
  COUNTED: true,
} as const satisfies Record<ConsensusReason, boolean>

export class ContributionBuilder {
  private readonly slots = new Map<number, { accepted: number; counted: number }>()

  take({ entry, reason }: Pick<Decision, 'entry' | 'reason'>): void {
    if (isConsensusReason(reason) && IS_VOTE[reason]) this.add(entry.submission.slotId, reason === 'COUNTED')
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
