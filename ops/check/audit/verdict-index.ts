import type { SlotEpochKey, Verdict, VerdictReason } from '../../../schemas/types.ts'
import type { Log, PartitionBounds } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { scan } from '../../reading/scan.ts'
import type { Findings } from './report.ts'

/** The verdicts by the place of their submission: ten bytes each, so that 10^8 fit into memory. */
export interface VerdictIndex {
  /** Submissions that have a verdict. */
  readonly size: number
  /** undefined when there is none. */
  reasonAt(partition: number, offset: number): VerdictReason | undefined
  stageAt(partition: number, offset: number): string | undefined
  /** Block as of which it was decided. */
  blockAt(partition: number, offset: number): number | undefined
  /** Whether the verdict there is about this submission (by a hash of its names). */
  isAbout(partition: number, offset: number, identity: VerdictIdentity): boolean
}

export type VerdictIdentity = Pick<Verdict, 'submissionId' | 'slotId' | 'projectId' | 'snapshotCid'> & {
  readonly dataMarket: string
  readonly epochId: number
}

/**
 * Reads `verdicts`. Counts a second verdict for one submission as duplicated, one for no record as a mismatch.
 * @param bounds number of the partitions of `submissions`
 * @param verdictBounds ends of the partitions of `verdicts`: records that were written behind them are left out
 */
export async function readVerdicts(
  log: Log,
  topics: Topics,
  bounds: readonly PartitionBounds[],
  verdictBounds: readonly PartitionBounds[],
  findings: Findings,
): Promise<VerdictIndex> {
  const reasons: VerdictReason[] = []
  const codes = bounds.map(({ start, stable }) => new Uint8Array(Math.max(0, stable - start)))
  const stages: string[] = []
  const stageCodes = codes.map(({ length }) => new Uint8Array(length))
  const blocks = codes.map(({ length }) => new Uint32Array(length))
  const hashes = bounds.map(({ start, stable }) => new Int32Array(Math.max(0, stable - start)))
  const { verdicts } = topics
  let size = 0

  const record = (key: SlotEpochKey, verdict: Verdict, place: string): void => {
    const { partition, offset } = verdict.position
    findings.same(place, 'slot of the key', verdict.slotId, key.slotId)
    const at = offset - (bounds[partition]?.start ?? 0)
    if (at < 0) return // its submission has expired
    if (codes[partition]?.[at] === undefined)
      findings
        .of(undefined, 'submissions')
        .add('mismatches', place, `a verdict for submissions[${partition}] offset ${offset}, where nothing lies`)
    else if (codes[partition][at] !== 0)
      findings
        .of(undefined, 'submissions')
        .add(
          'duplicated',
          `submissions[${partition}] offset ${offset}`,
          `another verdict, ${verdict.reason}, at ${place}`,
        )
    else {
      const known = reasons.indexOf(verdict.reason)
      codes[partition][at] = 1 + (known >= 0 ? known : reasons.push(verdict.reason) - 1)
      const stage = stages.indexOf(verdict.stage)
      stageCodes[partition]![at] = stage >= 0 ? stage : stages.push(verdict.stage) - 1
      blocks[partition]![at] = verdict.blockNumber
      hashes[partition]![at] = hashOf({ ...verdict, dataMarket: key.dataMarket, epochId: key.epochId })
      size++
    }
  }

  for (const [partition, { stable }] of verdictBounds.entries())
    for await (const records of scan(
      log,
      { topic: verdicts.name, partition },
      { to: stable, tell: findings.unreadable },
    ))
      for (const { offset, key, value } of readRecords(verdicts, partition, records, findings.unreadable))
        if (value !== null) record(key, value, `verdicts[${partition}] offset ${offset}`)

  const indexOf = (partition: number, offset: number) => offset - bounds[partition]!.start
  return {
    size,
    reasonAt: (partition, offset) => reasons[codes[partition]![indexOf(partition, offset)]! - 1],
    stageAt: (partition, offset) => stages[stageCodes[partition]![indexOf(partition, offset)]!],
    blockAt: (partition, offset) => blocks[partition]![indexOf(partition, offset)],
    isAbout: (partition, offset, identity) => hashes[partition]![indexOf(partition, offset)] === hashOf(identity),
  }
}

/** FNV-1a over the names, enough to see a verdict that lies at the wrong place. */
function hashOf({ submissionId, slotId, projectId, snapshotCid, dataMarket, epochId }: VerdictIdentity): number {
  const text = `${submissionId}|${slotId}|${projectId}|${snapshotCid}|${dataMarket}|${epochId}`
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
