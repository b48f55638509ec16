/** The verdict on a submission against the one that was recomputed. */
import { type Decision, identityOf, placeOf } from './entry.ts'
import type { Findings } from './report.ts'
import type { VerdictIndex } from './verdict-index.ts'

/**
 * @param isDue the stages are past it
 * @returns whether the verdict is still to come
 */
export function compareVerdict(
  { entry, reason, or, stage, block }: Decision,
  isDue: boolean,
  verdicts: VerdictIndex,
  findings: Findings,
): boolean {
  const { partition, offset } = entry
  const at = entry.submission.receivedAt
  const place = placeOf(entry)
  const found = verdicts.reasonAt(partition, offset)
  const [foundStage, foundBlock] = [verdicts.stageAt(partition, offset), verdicts.blockAt(partition, offset)]
  if (found === undefined && !isDue) return true
  if (found === undefined)
    findings.of(at, 'verdicts', 'slots', 'markets').add('lost', place, `no verdict; recomputed ${reason}`)
  else if (found !== reason && found !== or)
    findings.of(at, 'submissions', 'slots', 'markets').same(place, 'verdict', reason, found)
  else if (stage !== undefined && foundStage !== stage) findings.same(place, 'stage of the verdict', stage, foundStage)
  else if (block !== undefined && foundBlock !== block) findings.same(place, 'block of the verdict', block, foundBlock)
  else if (!verdicts.isAbout(partition, offset, identityOf(entry)))
    findings.of(at, 'submissions').add('mismatches', place, `its verdict ${found} names another submission`)
  return false
}
