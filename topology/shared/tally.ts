/** Whose votes count in the day (decision 0039): written by `settle` from the same finalization as the verdicts. */
import type { EpochTally, ProjectFinalization } from '../../schemas/types.ts'
import { type ConsensusReason, isConsensusReason } from '../verdict.ts'

/** A vote with an accepted header is in the day, also where it counts for nothing. For SUPERSEDED another vote of its slot is. */
const IN_DAY = {
  COUNTED: 'counted',
  OUTVOTED: 'uncounted',
  NO_QUORUM: 'uncounted',
  UNANCHORABLE: 'uncounted',
  SUPERSEDED: 'absent',
  DEADLINE_PASSED: 'absent',
  UNKNOWN_HEADER: 'absent',
  STALE_HEADER: 'absent',
  ORPHANED_HEADER: 'absent',
} as const satisfies Record<ConsensusReason, 'counted' | 'uncounted' | 'absent'>

/** Votes of a slot in an epoch, or of an epoch in a day. */
export interface Votes {
  /** With an accepted header, one per project. */
  readonly accepted: number
  /** Votes for the winning CID among them. */
  readonly counted: number
}

/** Undefined when the part has no vote. */
export function tallyOf(talliedEpoch: number, part: ProjectFinalization): EpochTally | undefined {
  const { snapshotCid: winner, ballots, dropped } = part
  const counted = ballots.filter(({ snapshotCid }) => snapshotCid === winner).map(({ slotId }) => slotId)
  const outvoted = ballots.filter(({ snapshotCid }) => snapshotCid !== winner).map(({ slotId }) => slotId)
  const voted = dropped.filter(({ reason }) => isConsensusReason(reason) && IN_DAY[reason] === 'uncounted')
  const uncounted = [...outvoted, ...voted.map(({ slotId }) => slotId)]
  if (counted.length + uncounted.length === 0) return undefined
  return { talliedEpoch, counted, uncounted }
}

/** The votes of each slot, over all tallies of an epoch, in whatever order. */
export function votesBySlot(tallies: Iterable<EpochTally>): ReadonlyMap<number, Votes> {
  const slots = new Map<number, { accepted: number; counted: number }>()
  const add = (slotId: number, counted: number): void => {
    const votes = slots.get(slotId)
    if (votes) {
      votes.accepted++
      votes.counted += counted
    } else slots.set(slotId, { accepted: 1, counted })
  }
  for (const { counted, uncounted } of tallies) {
    for (const slotId of counted) add(slotId, 1)
    for (const slotId of uncounted) add(slotId, 0)
  }
  return slots
}
