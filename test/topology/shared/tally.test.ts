/** Each reason of consensus counts in the day as the stage says, and as the audit says. */
import { expect, test } from 'vitest'
import { ContributionBuilder } from '../../../ops/check/audit/days/contribution.ts'
import type { Decision } from '../../../ops/check/audit/entry.ts'
import type { Ballot, DroppedSubmission, ProjectFinalization } from '../../../schemas/types.ts'
import { tallyOf, votesBySlot } from '../../../topology/shared/tally.ts'
import { CONSENSUS_REASONS, type ConsensusReason } from '../../../topology/verdict.ts'

const SLOT = 7
const WINNER = 'winner'
const IN_DAY: Partial<Record<ConsensusReason, { accepted: number; counted: number }>> = {
  COUNTED: { accepted: 1, counted: 1 },
  OUTVOTED: { accepted: 1, counted: 0 },
  NO_QUORUM: { accepted: 1, counted: 0 },
  UNANCHORABLE: { accepted: 1, counted: 0 },
}

test.each(CONSENSUS_REASONS)(
  'behavior: %s counts in the day as decision 0039 says, for the ledger and for the audit',
  (reason) => {
    const tally = tallyOf(3, finalizationWith(reason))
    expect(tally && votesBySlot([tally]).get(SLOT)).toEqual(IN_DAY[reason])

    const twin = new ContributionBuilder()
    twin.take({ entry: { submission: { slotId: SLOT } }, reason } as Decision)
    expect(twin.votes.get(SLOT)).toEqual(IN_DAY[reason])
  },
)

/** One vote of the slot, with the reason that consensus gives to it. */
function finalizationWith(reason: ConsensusReason): ProjectFinalization {
  const vote = { position: { partition: 0, offset: 1 }, submissionId: 'a', slotId: SLOT }
  const ballots: Ballot[] = []
  const dropped: DroppedSubmission[] = []
  if (reason === 'COUNTED') ballots.push({ ...vote, snapshotCid: WINNER, frame: 0 })
  else if (reason === 'OUTVOTED') ballots.push({ ...vote, snapshotCid: 'another', frame: 0 })
  else dropped.push({ ...vote, snapshotCid: WINNER, reason, expected: '', actual: '' })
  return {
    projectId: 'p',
    snapshotCid: ballots.length > 0 ? WINNER : '',
    votes: 1,
    voters: 1,
    closeBlock: 9,
    ballots,
    texts: new Uint8Array(),
    frames: [],
    signatures: new Uint8Array(),
    leaves: new Uint8Array(),
    dropped,
    equivocations: [],
    part: 0,
    parts: 1,
    candidates: [],
  }
}
