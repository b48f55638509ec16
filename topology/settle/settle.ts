/** Writes the verdicts of a closed epoch, off the path from the close to the batch (decision 0006), and what its votes add to the day. */
import type {
  Ballot,
  DroppedSubmission,
  EpochKey,
  EpochMarker,
  EpochTally,
  MarketKey,
  ProjectFinalization,
  SlotEpochKey,
  Verdict,
  VerdictReason,
} from '../../schemas/types.ts'
import type { ProcessorSupplier } from '../../streams/processor.ts'
import { marketRulesLookup, type ProtocolRules } from '../rules.ts'
import { tallyOf } from '../shared/tally.ts'
import { type ConsensusReason, type Evidence, isConsensusReason } from '../verdict.ts'

export type SettleOutputs = {
  readonly verdicts: readonly [SlotEpochKey, Verdict]
  readonly tallies: readonly [MarketKey, EpochTally, EpochMarker]
}

export const settleEpoch =
  (rules: ProtocolRules): ProcessorSupplier<EpochKey, ProjectFinalization, SettleOutputs, EpochMarker> =>
  (context) => {
    const { verdicts, tallies } = context.outputs
    const rulesOf = marketRulesLookup(rules)
    return {
      process({ dataMarket, epochId }, part) {
        for (const verdict of verdictsOf(part)) verdicts.send({ dataMarket, epochId, slotId: verdict.slotId }, verdict)
        const tally = rulesOf(dataMarket).rewards === 'off' ? undefined : tallyOf(epochId, part)
        if (tally) tallies.send({ dataMarket }, tally)
        return undefined
      },
      onMarker(marker) {
        tallies.sendMarker(marker)
        return undefined
      },
    }
  }

/** One verdict for every admitted submission of the project. */
export function verdictsOf(project: ProjectFinalization): Verdict[] {
  const { snapshotCid: winner, votes, voters } = project
  const result = `${winner} with ${votes} of ${voters} votes`
  return [
    ...project.ballots.map((ballot) =>
      ballot.snapshotCid === winner
        ? verdict(project, ballot, 'COUNTED', { rule: RULES.COUNTED, expected: winner, actual: result })
        : verdict(project, ballot, 'OUTVOTED', { rule: RULES.OUTVOTED, expected: result, actual: ballot.snapshotCid }),
    ),
    ...project.dropped.map((one) => verdict(project, one, one.reason, { ...one, rule: ruleOf(one) })),
  ]
}

const verdict = (
  { projectId, closeBlock }: ProjectFinalization,
  { position, submissionId, slotId, snapshotCid }: Ballot | DroppedSubmission,
  reason: VerdictReason,
  { rule, expected, actual }: Evidence,
): Verdict => ({
  position,
  submissionId,
  slotId,
  projectId,
  snapshotCid,
  reason,
  stage: 'consensus',
  rule,
  expected,
  actual,
  blockNumber: closeBlock,
})

const RULES = {
  COUNTED: 'the CID is the one that most slots reported',
  OUTVOTED: 'the CID is the one that most slots reported',
  SUPERSEDED: 'of the submissions of a slot for a project the one with the highest deadline stands',
  NO_QUORUM: 'enough slots agree on one CID',
  UNANCHORABLE: 'the project by itself fits a transaction',
  DEADLINE_PASSED: 'the deadline is not over when the submission comes',
  UNKNOWN_HEADER: 'the header is a known block before the epoch closes',
  STALE_HEADER: 'the header is not older than the release of the epoch',
  ORPHANED_HEADER: 'the header is on the chain when the epoch closes',
} as const satisfies Record<ConsensusReason, string>

const ruleOf = ({ reason }: DroppedSubmission): string => (isConsensusReason(reason) ? RULES[reason] : reason)
