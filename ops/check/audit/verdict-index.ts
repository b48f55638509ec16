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
  const index = createIndex(bounds)
  const { verdicts } = topics
  const ofSubmissions = findings.of(undefined, 'submissions')
  const record = (key: SlotEpochKey, verdict: Verdict, place: string): void => {
    const { partition, offset } = verdict.position
    findings.same(place, 'slot of the key', verdict.slotId, key.slotId)
    const where = `submissions[${partition}] offset ${offset}`
    const put = index.put(key, verdict)
    if (put === 'nowhere') ofSubmissions.add('mismatches', place, `a verdict for ${where}, where nothing lies`)
    if (put === 'again') ofSubmissions.add('duplicated', where, `another verdict, ${verdict.reason}, at ${place}`)
  }
  for (const [partition, { stable }] of verdictBounds.entries())
    for await (const records of scan(
      log,
      { topic: verdicts.name, partition },
      { to: stable, tell: findings.unreadable },
    ))
      for (const { offset, key, value } of readRecords(verdicts, partition, records, findings.unreadable))
        if (value !== null) record(key, value, `verdicts[${partition}] offset ${offset}`)
  return index
}

/** The packed rows, a column of each kind for each partition of `submissions`. */
function createIndex(bounds: readonly PartitionBounds[]) {
  const lengths = bounds.map(({ start, stable }) => Math.max(0, stable - start))
  const reasons: VerdictReason[] = []
  const stages: string[] = []
  const codes = lengths.map((length) => new Uint8Array(length))
  const stageCodes = lengths.map((length) => new Uint8Array(length))
  const blocks = lengths.map((length) => new Uint32Array(length))
  const hashes = lengths.map((length) => new Int32Array(length))
  const indexOf = (partition: number, offset: number): number => offset - (bounds[partition]?.start ?? 0)
  let size = 0
  const index: VerdictIndex = {
    get size() {
      return size
    },
    reasonAt: (partition, offset) => reasons[codes[partition]![indexOf(partition, offset)]! - 1],
    stageAt: (partition, offset) => stages[stageCodes[partition]![indexOf(partition, offset)]!],
    blockAt: (partition, offset) => blocks[partition]![indexOf(partition, offset)],
    isAbout: (partition, offset, identity) => hashes[partition]![indexOf(partition, offset)] === hashOf(identity),
  }
  return Object.assign(index, {
    /** Says of a verdict that has no place why: its submission has expired, none lies there, or one has it already. */
    put(key: SlotEpochKey, verdict: Verdict): 'expired' | 'nowhere' | 'again' | 'there' {
      const { partition, offset } = verdict.position
      const at = indexOf(partition, offset)
      const code = codes[partition]?.[at]
      if (at < 0) return 'expired'
      if (code === undefined) return 'nowhere'
      if (code !== 0) return 'again'
      codes[partition]![at] = 1 + numberOf(reasons, verdict.reason)
      stageCodes[partition]![at] = numberOf(stages, verdict.stage)
      blocks[partition]![at] = verdict.blockNumber
      hashes[partition]![at] = hashOf({ ...verdict, dataMarket: key.dataMarket, epochId: key.epochId })
      size++
      return 'there'
    },
  })
}

/** The place of a word in the list; one that is new goes to its end. */
function numberOf<T>(words: T[], word: T): number {
  const known = words.indexOf(word)
  return known >= 0 ? known : words.push(word) - 1
}

/** FNV-1a over the names, enough to see a verdict that lies at the wrong place. */
function hashOf({ submissionId, slotId, projectId, snapshotCid, dataMarket, epochId }: VerdictIdentity): number {
  const text = `${submissionId}|${slotId}|${projectId}|${snapshotCid}|${dataMarket}|${epochId}`
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
