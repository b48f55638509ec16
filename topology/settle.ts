/** Writes the verdicts of a closed epoch, off the path from the close to the batch (decision 0006). */
import type {
  DroppedSubmission,
  EpochKey,
  ProjectFinalization,
  SlotEpochKey,
  Verdict,
  VerdictReason,
} from '../schemas/types.ts'
import type { ProcessorSupplier } from '../streams/processor.ts'
import type { FinalizationEvent } from './topics.ts'

export type SettleOutputs = { readonly verdicts: readonly [SlotEpochKey, Verdict] }

export const settleEpoch = (): ProcessorSupplier<EpochKey, FinalizationEvent, SettleOutputs> => (context) => ({
  process({ dataMarket, epochId }, value) {
    for (const verdict of verdictsOf(value as ProjectFinalization))
      context.outputs.verdicts.send({ dataMarket, epochId, slotId: verdict.slotId }, verdict)
    return undefined
  },
})

/** One verdict for every admitted submission of the project. */
export function verdictsOf(project: ProjectFinalization): Verdict[] {
  const { projectId, snapshotCid: winner, votes, voters, closeBlock } = project
  const settled = (
    submission: Settled,
    reason: VerdictReason,
    rule: string,
    expected: string,
    actual: string,
  ): Verdict => {
    const { position, submissionId, slotId, snapshotCid } = submission
    const stage = 'consensus'
    return {
      position: position!,
      submissionId,
      slotId,
      projectId,
      snapshotCid,
      reason,
      stage,
      rule,
      expected,
      actual,
      blockNumber: closeBlock,
    }
  }
  const share = `${winner} with ${votes} of ${voters} votes`
  return [
    ...project.counted.map((s) => settled(s, 'COUNTED', RULES.COUNTED, winner, share)),
    ...project.outvoted.map((s) => settled(s, 'OUTVOTED', RULES.OUTVOTED, share, s.snapshotCid)),
    ...project.dropped.map((s) => settled(s, s.reason, ruleOf(s), s.expected, s.actual)),
  ]
}

type Settled = Pick<DroppedSubmission, 'submissionId' | 'slotId' | 'snapshotCid'> & {
  readonly position: DroppedSubmission['position'] | null
}

const RULES = {
  COUNTED: 'the CID is the one that most slots reported',
  OUTVOTED: 'the CID is the one that most slots reported',
  SUPERSEDED: 'of the submissions of a slot for a project the one with the highest deadline stands',
  NO_QUORUM: 'enough slots agree on one CID',
  ORPHANED_HEADER: 'the header is on the chain when the epoch closes',
} as const satisfies Partial<Record<VerdictReason, string>>

const ruleOf = ({ reason }: DroppedSubmission): string =>
  reason in RULES ? RULES[reason as keyof typeof RULES] : reason
