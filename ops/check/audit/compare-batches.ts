/** The batches and the summary of an epoch against what was recomputed; one batch in memory at a time. */
import type { Batch } from '../../../schemas/types.ts'
import { epochScope } from '../../../topology/topics.ts'
import { batchAt } from '../../reading/batch-at.ts'
import { cidsOf } from '../verify/cid.ts'
import type { EpochBatches } from './anchored.ts'
import type { ExpectedBatch, ExpectedBatches } from './batching.ts'
import { type EpochView, nameOf } from './chain-view.ts'
import type { EpochSources } from './epoch-sources.ts'
import type { Findings } from './report.ts'
import type { ProjectResult } from './tally.ts'

/** The facts of a recomputed batch that are kept to compare its anchor with. */
export interface BatchFacts extends Omit<ExpectedBatch, 'json' | 'submissionIds'> {
  /** Version 0 and version 1. */
  readonly cids: readonly string[]
}

export async function compareBatches(
  epoch: EpochView,
  expected: ExpectedBatches,
  results: readonly ProjectResult[],
  sources: EpochSources,
): Promise<readonly BatchFacts[]> {
  const scope = epochScope(epoch.dataMarket, epoch.epochId)
  const found = sources.batches.get(scope)
  const isWritten = found?.summary !== undefined
  if (isWritten) compareSummary(epoch, expected.count, results, found, sources.findings)
  else if (found || sources.stages.batched(scope))
    sources.findings.add('skipped', nameOf(epoch), 'it was closed, and has no summary in batches')
  return isWritten ? compareEach(epoch, expected, found, sources) : factsOf(expected)
}

function compareSummary(
  epoch: EpochView,
  batches: number,
  results: readonly ProjectResult[],
  found: EpochBatches,
  findings: Findings,
): void {
  const summary = found.summary!
  const same = (what: string, recomputed: unknown, there: unknown) =>
    findings.same(nameOf(epoch), `${what} in the summary`, recomputed, there)
  const won = results.filter(({ snapshotCid }) => snapshotCid !== '')
  const submissions = won.reduce((sum, { counted }) => sum + counted, 0)
  same('batches', batches, summary.batches)
  same('release block', epoch.releaseBlock, summary.releaseBlock)
  same('closing block', epoch.close!.blockNumber, summary.closeBlock)
  same('hash of the closing block', epoch.close!.blockHash, summary.closeBlockHash)
  same('projects', won.length, summary.projects)
  same('projects without a quorum', results.length - won.length, summary.projectsWithoutQuorum)
  same('submissions', submissions, summary.submissions)
}

async function compareEach(
  epoch: EpochView,
  expected: ExpectedBatches,
  found: EpochBatches,
  { log, topics, findings }: EpochSources,
): Promise<readonly BatchFacts[]> {
  const facts: BatchFacts[] = []
  const repeated = new Repeated(nameOf(epoch), findings)
  for (const batch of expected.batches()) {
    const index = facts.length
    const offset = found.offsets[index]
    const there = offset === undefined ? undefined : await batchAt(log, topics, offset)
    const where = `${nameOf(epoch)}, batch ${index}`
    repeated.expect(batch)
    if (there) {
      compareBatch(where, batch, there, expected.count, findings)
      repeated.take(there)
    } else findings.add('skipped', where, 'it is not in batches')
    facts.push(await factOf(batch))
  }
  for (const offset of found.offsets.slice(facts.length).filter((one) => one !== undefined)) {
    const there = await batchAt(log, topics, offset)
    findings.add('mismatches', `${nameOf(epoch)}, batch ${there?.batchIndex}`, 'no such batch should be there')
    if (there) repeated.take(there)
  }
  repeated.finish()
  return facts
}

async function factsOf(expected: ExpectedBatches): Promise<readonly BatchFacts[]> {
  const facts: BatchFacts[] = []
  for (const batch of expected.batches()) facts.push(await factOf(batch))
  return facts
}

async function factOf({ json, submissionIds: _, ...facts }: ExpectedBatch): Promise<BatchFacts> {
  const { v0, v1 } = await cidsOf(json)
  return { ...facts, cids: [v0, v1] }
}

/** Releases that did not yet take the gas from the lengths of texts wrote so much for each project. */
const FLAT_GAS_PER_PROJECT = 238_000

function compareBatch(where: string, expected: ExpectedBatch, found: Batch, count: number, findings: Findings): void {
  const same = (what: string, recomputed: unknown, there: unknown) => findings.same(where, what, recomputed, there)
  same('number of batches', count, found.batchCount)
  same('root over the submission ids', expected.roothash, found.roothash)
  same('root over the snapshot CIDs', expected.finalizedCidsRootHash, found.finalizedCidsRootHash)
  same('submissions', expected.submissionIds.length, found.submissions)
  const isFlat = found.gasEstimate === FLAT_GAS_PER_PROJECT * found.projectIds.length
  if (!isFlat) same('gas estimate', expected.gasEstimate, found.gasEstimate)
  same('leaves before', expected.leavesBefore, found.leavesBefore)
  same('projects', expected.projectIds.join(), found.projectIds.join())
  same('snapshot CIDs', expected.snapshotCids.join(), found.snapshotCids.join())
  compareBytes(where, expected.json, found.json, findings)
}

function compareBytes(where: string, expected: Uint8Array, found: Uint8Array, findings: Findings): void {
  const at = firstDifference(expected, found)
  const sizes = `its ${found.length} bytes differ from the ${expected.length} recomputed`
  if (at !== undefined) findings.add('mismatches', where, `${sizes}, first at byte ${at}`)
}

/** Finds a project in two batches, and a submission in more places than it should be. */
class Repeated {
  private readonly where: string
  private readonly findings: Findings
  private readonly projects = new Set<string>()
  /** Id → how often it stands in the batches beyond what was recomputed. Ids are not signed: two may have one. */
  private readonly surplus = new Map<string, number>()
  private readonly expected = new Set<string>()

  constructor(where: string, findings: Findings) {
    this.where = where
    this.findings = findings
  }

  expect({ submissionIds }: ExpectedBatch): void {
    for (const id of submissionIds) this.count(id, -1)
    for (const id of submissionIds) this.expected.add(id)
  }

  take({ projectIds, json }: Batch): void {
    for (const projectId of projectIds) {
      if (this.projects.has(projectId))
        this.findings.add('duplicated', this.where, `project ${projectId} stands in its batches twice`)
      this.projects.add(projectId)
    }
    for (const id of idsIn(json)) this.count(id, 1)
  }

  finish(): void {
    for (const [id, times] of this.surplus)
      if (times > 0 && this.expected.has(id))
        this.findings.add('duplicated', this.where, `submission ${id} is counted twice`)
  }

  private count(id: string, by: number): void {
    const times = (this.surplus.get(id) ?? 0) + by
    if (times === 0) this.surplus.delete(id)
    else this.surplus.set(id, times)
  }
}

function idsIn(json: Uint8Array): readonly string[] {
  try {
    const { submissionIDs } = JSON.parse(Buffer.from(json).toString('utf8')) as { submissionIDs?: unknown }
    return Array.isArray(submissionIDs) ? (submissionIDs as string[]) : []
  } catch {
    return []
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  if (Buffer.compare(a, b) === 0) return undefined
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}
