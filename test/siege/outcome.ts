/** What became of it all, from the log itself: the verdicts of the honest, the audit, and every batch verified. */
import { existsSync, readFileSync } from 'node:fs'
import type { BatchSummary } from '../../ops/api/schema.ts'
import type { AuditReport } from '../../ops/check/audit/report.ts'
import { readBatch } from '../../ops/check/verify/source.ts'
import { verifyBatch } from '../../ops/check/verify/verify.ts'
import { openLog } from '../../ops/ground/open-log.ts'
import { scanTopic } from '../../ops/reading/scan.ts'
import { slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import { runSequencer } from '../ops/run-sequencer.ts'
import type { HonestLine } from './messages.ts'
import type { Target } from './target.ts'
import type { Place } from './world.ts'

export interface HonestOutcome {
  readonly sent: number
  readonly counted: number
  /** Of those that were not counted: for epochs that were over before the attack began. */
  readonly lostInPeace: number
  /** Verdict, or NONE, → how many honest submissions have it instead. */
  readonly others: Readonly<Record<string, number>>
  /** The first of those. */
  readonly examples: readonly string[]
  /** Final verdicts of everybody, by reason. */
  readonly verdicts: Readonly<Record<string, number>>
}

const EXAMPLES_MAX = 10

/**
 * @param isJudged whether a submission's epoch is one that must be over
 * @param isOfPeace whether it was over before the attack began
 */
export async function honestOutcome(
  target: Target,
  ledgers: readonly string[],
  isJudged: (line: HonestLine) => boolean,
  isOfPeace: (line: HonestLine) => boolean,
): Promise<HonestOutcome> {
  const lines = ledgers.flatMap(readLines).filter(isJudged)
  const reasons = new Map(lines.map(({ submissionId }) => [submissionId, new Set<string>()]))
  const verdicts: Record<string, number> = {}
  const { log, topics, close } = await openLog(target.log)
  try {
    for await (const { records } of scanTopic(log, topics.verdicts))
      for (const { value } of records) {
        const { submissionId, reason } = topics.verdicts.value.decode(value!)
        verdicts[reason] = (verdicts[reason] ?? 0) + 1
        reasons.get(submissionId)?.add(reason)
      }
  } finally {
    await close()
  }
  const others: Record<string, number> = {}
  const examples: string[] = []
  let lostInPeace = 0
  for (const line of lines) {
    const { submissionId, slotId, epochId } = line
    const of = reasons.get(submissionId)!
    if (of.has('COUNTED')) continue
    const reason = [...of].join('+') || 'NONE'
    others[reason] = (others[reason] ?? 0) + 1
    if (isOfPeace(line)) lostInPeace++
    if (examples.length < EXAMPLES_MAX) examples.push(`slot ${slotId}, epoch ${epochId}: ${reason}`)
  }
  const lost = Object.values(others).reduce((sum, n) => sum + n, 0)
  return { sent: lines.length, counted: lines.length - lost, lostInPeace, others, examples, verdicts }
}

const readLines = (file: string): HonestLine[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as HonestLine)
    : []

/** The report of `sequencer audit`, or what it said instead. */
export async function auditOf({ auditArgs }: Target): Promise<AuditReport | string> {
  const { stdout, stderr, exitCode } = await runSequencer(['audit', ...auditArgs, '--json'])
  return stdout === '' ? `exit ${exitCode}: ${stderr.slice(-1_000)}` : (JSON.parse(stdout) as AuditReport)
}

export interface VerifyOutcome {
  readonly batches: number
  /** What is wrong with which batch. */
  readonly problems: readonly string[]
}

/** Every stored batch, with the owners of all slots, in the order of its epoch's tree. */
export async function verifyAll(
  target: Target,
  place: Place,
  batches: readonly BatchSummary[],
): Promise<VerifyOutcome> {
  const slots = new Map(
    Array.from({ length: place.honest + place.spare }, (_, i) => [i + 1, slotWallet(place.seed, i + 1).address]),
  )
  const { chainId, protocolState } = place
  const problems: string[] = []
  const stored = batches.filter(({ cid }) => cid !== '')
  for (const { dataMarket, epochId, batchIndex, cid } of stored) {
    const where = `epoch ${epochId} of ${dataMarket.slice(0, 8)}, batch ${batchIndex}`
    try {
      const earlier = stored
        .filter((one) => one.dataMarket === dataMarket && one.epochId === epochId && one.batchIndex < batchIndex)
        .sort((a, b) => a.batchIndex - b.batchIndex)
      const bytesOf = async (one: string) => (await readBatch(one, { blocks: [target.blocks] })).bytes
      const previous = await Promise.all(earlier.map(({ cid: one }) => bytesOf(one)))
      const report = await verifyBatch(await bytesOf(cid), {
        slots,
        domain: { chainId, protocolState },
        previous,
        expectedCid: cid,
      })
      const { unchecked } = report.signatures
      if (unchecked > 0) problems.push(`${where}: ${unchecked} signatures could not be checked`)
      for (const { code, where: at, message } of report.problems) problems.push(`${where}, ${at}: ${code} ${message}`)
    } catch (error) {
      problems.push(`${where}: ${(error as Error).message}`)
    }
  }
  return { batches: stored.length, problems }
}
