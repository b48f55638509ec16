/** The verdict on a submission against the one that was recomputed. */
import type { VerdictReason } from '../../../schemas/types.ts'
import { type Decision, identityOf, placeOf } from './entry.ts'
import type { Findings } from './report.ts'
import type { VerdictIndex } from './verdict-index.ts'

/**
 * @param isDue the stages are past it
 * @returns whether the verdict is still to come
 */
export function compareVerdict(
  decision: Decision,
  isDue: boolean,
  verdicts: VerdictIndex,
  findings: Findings,
): boolean {
  const { entry, reason } = decision
  const found = verdicts.reasonAt(entry.partition, entry.offset)
  if (found === undefined && !isDue) return true
  if (found !== undefined) compareFound(decision, found, verdicts, findings)
  else {
    const judged = findings.of(entry.submission.receivedAt, 'verdicts', 'slots', 'markets')
    judged.add('lost', placeOf(entry), `no verdict; recomputed ${reason}`)
  }
  return false
}

function compareFound(
  { entry, reason, or, stage, block }: Decision,
  found: VerdictReason,
  verdicts: VerdictIndex,
  findings: Findings,
): void {
  const { partition, offset } = entry
  const at = entry.submission.receivedAt
  const place = placeOf(entry)
  const [foundStage, foundBlock] = [verdicts.stageAt(partition, offset), verdicts.blockAt(partition, offset)]
  if (found !== reason && !or?.includes(found))
    findings.of(at, 'submissions', 'slots', 'markets').same(place, 'verdict', reason, found)
  else if (stage !== undefined && foundStage !== stage) findings.same(place, 'stage of the verdict', stage, foundStage)
  else if (block !== undefined && foundBlock !== block) findings.same(place, 'block of the verdict', block, foundBlock)
  else if (!verdicts.isAbout(partition, offset, identityOf(entry)))
    findings.of(at, 'submissions').add('mismatches', place, `its verdict ${found} names another submission`)
}
