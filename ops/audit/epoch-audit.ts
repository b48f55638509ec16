/** One closed epoch: everything recomputed, and compared with the verdicts, batches, anchors and the contract. */
import type { Anchor, Batch } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import type { MarketRules } from '../../topology/rules.ts'
import { epochScope, type Topics } from '../../topology/topics.ts'
import { cidsOf } from '../verify/cid.ts'
import type { Keccak } from '../verify/keccak.ts'
import { type EpochBatches, readBatchAt } from './anchored.ts'
import { type ExpectedBatch, expectedBatches } from './batching.ts'
import type { ChainReader } from './chain.ts'
import type { EpochView } from './chain-view.ts'
import type { Decision, Entry } from './entry.ts'
import { applyQuota } from './quota.ts'
import type { Findings } from './report.ts'
import type { Stages } from './stages.ts'
import { type ProjectResult, tallyProject } from './tally.ts'

export interface EpochSources {
  readonly log: Log
  readonly topics: Topics
  readonly stages: Stages
  readonly batches: ReadonlyMap<string, EpochBatches>
  readonly anchors: ReadonlyMap<string, ReadonlyMap<number, Anchor>>
  readonly chain: ChainReader | undefined
  readonly keccak: Keccak
  readonly findings: Findings
}

export interface EpochOutcome {
  readonly decisions: readonly Decision[]
  readonly anchored: boolean
  /** The contract's state was compared. */
  readonly onChain: boolean
}

const ENDING = -1
const ADMITTED_LATE: readonly Anchor['state'][] = ['LATE', 'FAILED']

/** @param valid the epoch's valid submissions, those of one project in the order of the log */
export async function auditEpoch(
  epoch: EpochView,
  valid: readonly Entry[],
  rules: MarketRules,
  sources: EpochSources,
): Promise<EpochOutcome> {
  const { decisions, admitted } = admitAll(valid, rules)
  const results = [...groupBy(admitted, ({ submission }) => submission.projectId)].map(([projectId, entries]) =>
    tallyProject(projectId, entries, epoch.close!, rules, sources.keccak),
  )
  const expected = expectedBatches(results, rules, sources.keccak)
  const cids = await Promise.all(expected.map(({ json }) => cidsOf(json)))
  await compareBatches(epoch, expected, results, sources)
  const anchored = compareAnchors(
    epoch,
    expected,
    cids.map(({ v0, v1 }) => [v0, v1]),
    sources,
  )
  const onChain = anchored && sources.chain !== undefined
  if (onChain)
    await compareChain(
      epoch,
      expected,
      cids.map(({ v0, v1 }) => [v0, v1]),
      sources,
    )
  return { decisions: [...decisions, ...results.flatMap((result) => result.decisions)], anchored, onChain }
}

/** Quota per slot. Also for an epoch that is open still: what it decides is final. */
export function admitAll(valid: readonly Entry[], rules: MarketRules): { decisions: Decision[]; admitted: Entry[] } {
  const quotas = [...groupBy(valid, ({ submission }) => submission.slotId).values()].map((entries) =>
    applyQuota(entries, rules),
  )
  return {
    decisions: quotas.flatMap(({ decisions }) => decisions),
    admitted: quotas.flatMap(({ admitted }) => admitted),
  }
}

function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): ReadonlyMap<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}

async function compareBatches(
  epoch: EpochView,
  expected: readonly ExpectedBatch[],
  results: readonly ProjectResult[],
  sources: EpochSources,
): Promise<void> {
  const { findings, stages } = sources
  const scope = epochScope(epoch.dataMarket, epoch.epochId)
  const where = nameOf(epoch)
  const found = sources.batches.get(scope)
  if (!found?.summary) {
    if (found || stages.batched(scope)) findings.add('skipped', where, 'it was closed, and has no summary in batches')
    return
  }
  const { summary } = found
  findings.same(where, 'batches in the summary', expected.length, summary.batches)
  findings.same(where, 'release block in the summary', epoch.releaseBlock, summary.releaseBlock)
  findings.same(where, 'closing block in the summary', epoch.close!.blockNumber, summary.closeBlock)
  findings.same(where, 'hash of the closing block in the summary', epoch.close!.blockHash, summary.closeBlockHash)
  const won = results.filter(({ snapshotCid }) => snapshotCid !== '')
  findings.same(where, 'projects in the summary', won.length, summary.projects)
  findings.same(
    where,
    'projects without a quorum in the summary',
    results.length - won.length,
    summary.projectsWithoutQuorum,
  )
  const counted = won.reduce((sum, result) => sum + result.counted, 0)
  findings.same(where, 'submissions in the summary', counted, summary.submissions)

  const read: Batch[] = []
  for (let index = 0; index < Math.max(expected.length, found.offsets.length); index++) {
    const batch = await readBatchAt(sources.log, sources.topics, found.offsets[index])
    if (batch) read.push(batch)
    compareBatch(`${where}, batch ${index}`, expected[index], batch, expected.length, findings)
  }
  findRepeated(where, read, expected, findings)
}

function compareBatch(
  where: string,
  expected: ExpectedBatch | undefined,
  found: Batch | undefined,
  count: number,
  findings: Findings,
): void {
  if (!found) findings.add('skipped', where, 'it is not in batches')
  else if (!expected) findings.add('mismatches', where, 'no such batch should be there')
  if (!found || !expected) return
  findings.same(where, 'number of batches', count, found.batchCount)
  findings.same(where, 'root over the submission ids', expected.roothash, found.roothash)
  findings.same(where, 'root over the snapshot CIDs', expected.finalizedCidsRootHash, found.finalizedCidsRootHash)
  findings.same(where, 'submissions', expected.submissions.length, found.submissions)
  findings.same(where, 'gas estimate', expected.gasEstimate, found.gasEstimate)
  findings.same(where, 'leaves before', expected.leavesBefore, found.leavesBefore)
  findings.same(where, 'projects', expected.projectIds.join(), found.projectIds.join())
  findings.same(where, 'snapshot CIDs', expected.snapshotCids.join(), found.snapshotCids.join())
  if (!expected.json.equals(found.json))
    findings.add(
      'mismatches',
      where,
      `its ${found.json.length} bytes differ from the ${expected.json.length} recomputed, first at byte ${firstDifference(expected.json, found.json)}`,
    )
}

/** A project in two batches, or a submission in more places than it should be. */
function findRepeated(
  where: string,
  batches: readonly Batch[],
  expected: readonly ExpectedBatch[],
  findings: Findings,
): void {
  const projects = new Set<string>()
  for (const { projectIds } of batches)
    for (const projectId of projectIds) {
      if (projects.has(projectId)) findings.add('duplicated', where, `project ${projectId} stands in its batches twice`)
      projects.add(projectId)
    }
  // ids are not signed, so two submissions may have one: more than the recomputed number is what is wrong
  const times = new Map<string, number>()
  for (const { submissions } of expected)
    for (const { submission } of submissions)
      times.set(submission.submissionId, (times.get(submission.submissionId) ?? 0) + 1)
  for (const { json } of batches)
    for (const id of idsIn(json)) {
      const left = times.get(id)
      if (left === 0) findings.add('duplicated', where, `submission ${id} is counted twice`)
      else if (left !== undefined) times.set(id, left - 1)
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

/** @returns whether every batch and the ending call are final */
function compareAnchors(
  epoch: EpochView,
  expected: readonly ExpectedBatch[],
  cids: readonly (readonly string[])[],
  sources: EpochSources,
): boolean {
  const { findings, stages } = sources
  const scope = epochScope(epoch.dataMarket, epoch.epochId)
  const rows = sources.anchors.get(scope) ?? new Map<number, Anchor>()
  const offsets = sources.batches.get(scope)?.offsets ?? []
  for (const [index, batch] of expected.entries()) {
    const where = `${nameOf(epoch)}, anchor of batch ${index}`
    const row = rows.get(index)
    const offset = offsets[index]
    if (!row) {
      if (offset !== undefined && stages.planned(offset)) findings.add('skipped', where, 'it was never planned')
      continue
    }
    if (ADMITTED_LATE.includes(row.state)) findings.add('skipped', where, `it is ${row.state} for good: ${row.error}`)
    if (row.cid !== '' && !cids[index]!.includes(row.cid))
      findings.same(where, 'CID', cids[index]!.join(' or '), row.cid)
    findings.same(where, 'root over the submission ids', batch.roothash, row.roothash)
    findings.same(where, 'root over the snapshot CIDs', batch.finalizedCidsRootHash, row.finalizedCidsRootHash)
    if (offset !== undefined) findings.same(where, 'offset of the batch', offset, row.batchOffset)
  }
  for (const index of rows.keys())
    if (index !== ENDING && index >= expected.length)
      findings.add('mismatches', `${nameOf(epoch)}, anchor of batch ${index}`, 'no such batch should be there')
  const indexes = [...expected.keys(), ENDING]
  return indexes.every((index) => rows.get(index)?.state === 'FINAL')
}

async function compareChain(
  epoch: EpochView,
  expected: readonly ExpectedBatch[],
  cids: readonly (readonly string[])[],
  sources: EpochSources,
): Promise<void> {
  const { findings } = sources
  const chain = sources.chain!
  const { dataMarket, epochId } = epoch
  const where = `${nameOf(epoch)} on the chain`
  const kept = await chain.batchCids(dataMarket, epochId)
  for (const cid of new Set(kept.filter((cid, index) => kept.indexOf(cid) !== index)))
    findings.add('duplicated', where, `batch ${cid} was anchored twice`)
  for (const cid of kept)
    if (!cids.some((either) => either.includes(cid)))
      findings.add('mismatches', where, `batch ${cid} is not one of ours`)
  if (!(await chain.completed(dataMarket, epochId)))
    findings.add('skipped', where, 'endBatchSubmissions was not called')
  for (const [index, batch] of expected.entries()) {
    const cid = kept.find((candidate) => cids[index]!.includes(candidate))
    if (cid === undefined) {
      findings.add('skipped', `${where}, batch ${index}`, `the contract has no batch ${cids[index]!.join(' or ')}`)
      continue
    }
    findings.same(
      `${where}, batch ${index}`,
      'root',
      batch.finalizedCidsRootHash,
      await chain.sequencerRoot(dataMarket, cid),
    )
    for (const [at, projectId] of batch.projectIds.entries())
      findings.same(
        `${where}, project ${projectId}`,
        'CID',
        batch.snapshotCids[at],
        await chain.snapshotCid(dataMarket, projectId, epochId),
      )
  }
}

export const nameOf = ({ dataMarket, epochId }: EpochView): string => `epoch ${epochId} of ${dataMarket}`

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}
