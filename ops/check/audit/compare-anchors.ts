/** The batches of an epoch on the chain: the rows of `anchors`, and the contract itself. */
import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import type { Anchor } from '../../../schemas/types.ts'
import { epochScope } from '../../../topology/topics.ts'
import { compareHistory, compareTransaction, historyName } from './anchor-history.ts'
import type { ChainReader } from './chain.ts'
import { type EpochView, nameOf } from './chain-view.ts'
import type { BatchFacts } from './compare-batches.ts'
import type { EpochSources } from './epoch-sources.ts'
import type { Findings } from './report.ts'

const LOST_FOR_GOOD: readonly Anchor['state'][] = ['LATE', 'FAILED']
const DECIDED: readonly Anchor['state'][] = ['FINAL', ...LOST_FOR_GOOD]

/** @returns whether every batch and the ending call are final */
export async function compareAnchors(
  epoch: EpochView,
  batches: readonly BatchFacts[],
  sources: EpochSources,
): Promise<boolean> {
  const scope = epochScope(epoch.dataMarket, epoch.epochId)
  const rows = sources.anchors.get(scope) ?? new Map<number, Anchor>()
  compareEachBatch(epoch, batches, rows, sources)
  await compareRows(epoch, rows, sources)
  for (const index of rows.keys())
    if (index !== END_OF_BATCHES && index >= batches.length)
      sources.findings.add('mismatches', placeOf(epoch, index), 'no such batch should be there')
  const states = [...batches.keys(), END_OF_BATCHES].map((index) => rows.get(index)?.state)
  epoch.isDecided = states.every((state) => state !== undefined && DECIDED.includes(state))
  return states.every((state) => state === 'FINAL')
}

function compareEachBatch(
  epoch: EpochView,
  batches: readonly BatchFacts[],
  rows: ReadonlyMap<number, Anchor>,
  { batches: written, stages, findings }: EpochSources,
): void {
  const offsets = written.get(epochScope(epoch.dataMarket, epoch.epochId))?.offsets ?? []
  for (const [index, batch] of batches.entries()) {
    const where = placeOf(epoch, index)
    const row = rows.get(index)
    const offset = offsets[index]
    if (row) compareAnchor(where, batch, offset, row, findings)
    else if (offset !== undefined && stages.planned(offset)) findings.add('skipped', where, 'it was never planned')
  }
}

async function compareRows(
  epoch: EpochView,
  rows: ReadonlyMap<number, Anchor>,
  { histories, chain, findings }: EpochSources,
): Promise<void> {
  const { dataMarket, epochId } = epoch
  // the ending takes steps of its own when the chain goes back behind a batch
  const wentBack = [...rows.values()].some(({ reorgs }) => reorgs > 0)
  const asked: Promise<void>[] = []
  for (const [index, row] of rows) {
    const isEnding = index === END_OF_BATCHES
    const where = placeOf(epoch, index)
    const history = histories.get(historyName({ dataMarket, epochId, batchIndex: index }))
    compareHistory(where, row, history, !(isEnding && wentBack), findings)
    if (isEnding) compareEnding(where, row, findings)
    if (chain) asked.push(compareTransaction(where, row, chain, findings))
  }
  await Promise.all(asked)
}

/** Calls that will never be on the chain. Each is told by itself: its row says so, whatever became of other topics. */
export function tellLost(epoch: EpochView, { anchors, findings }: EpochSources): void {
  for (const [index, { state, error }] of anchors.get(epochScope(epoch.dataMarket, epoch.epochId)) ?? [])
    if (LOST_FOR_GOOD.includes(state))
      findings.add('skipped', placeOf(epoch, index), `it is ${state} for good: ${error}`)
}

const placeOf = (epoch: EpochView, index: number): string =>
  `${nameOf(epoch)}, ${index === END_OF_BATCHES ? 'the ending call' : `anchor of batch ${index}`}`

/** The call that ends an epoch is of no batch. */
function compareEnding(where: string, row: Anchor, findings: Findings): void {
  findings.same(where, 'CID', '', row.cid)
  findings.same(where, 'roots', '', row.roothash + row.finalizedCidsRootHash)
  findings.same(where, 'offset of the batch', -1, row.batchOffset)
}

function compareAnchor(
  where: string,
  batch: BatchFacts,
  offset: number | undefined,
  row: Anchor,
  findings: Findings,
): void {
  if (row.cid !== '' && !batch.cids.includes(row.cid)) findings.same(where, 'CID', batch.cids.join(' or '), row.cid)
  findings.same(where, 'root over the submission ids', batch.roothash, row.roothash)
  findings.same(where, 'root over the snapshot CIDs', batch.finalizedCidsRootHash, row.finalizedCidsRootHash)
  if (offset !== undefined) findings.same(where, 'offset of the batch', offset, row.batchOffset)
}

/** Calls that go to the node as one request; alone, each would wait for others first (10 ms). */
const CALLS_AT_ONCE = 50

export async function compareChain(
  epoch: EpochView,
  batches: readonly BatchFacts[],
  chain: ChainReader,
  findings: Findings,
): Promise<void> {
  const { dataMarket, epochId } = epoch
  const where = `${nameOf(epoch)} on the chain`
  const kept = await chain.batchCids(dataMarket, epochId)
  compareKeptCids(where, kept, batches, findings)
  if (!(await chain.completed(dataMarket, epochId)))
    findings.add('skipped', where, 'endBatchSubmissions was not called')
  for (const [index, batch] of batches.entries()) {
    const cid = kept.find((candidate) => batch.cids.includes(candidate))
    if (cid === undefined)
      findings.add('skipped', `${where}, batch ${index}`, `the contract has no batch ${batch.cids.join(' or ')}`)
    else await compareKept(`${where}, batch ${index}`, { epoch, cid, batch }, chain, findings)
  }
}

function compareKeptCids(
  where: string,
  kept: readonly string[],
  batches: readonly BatchFacts[],
  findings: Findings,
): void {
  for (const cid of new Set(kept.filter((cid, index) => kept.indexOf(cid) !== index)))
    findings.add('duplicated', where, `batch ${cid} was anchored twice`)
  for (const cid of kept)
    if (!batches.some(({ cids }) => cids.includes(cid)))
      findings.add('mismatches', where, `batch ${cid} is not one of ours`)
}

/** A batch of ours that the contract has under this CID. */
interface KeptBatch {
  readonly epoch: EpochView
  readonly cid: string
  readonly batch: BatchFacts
}

async function compareKept(
  where: string,
  { epoch: { dataMarket, epochId }, cid, batch }: KeptBatch,
  chain: ChainReader,
  findings: Findings,
): Promise<void> {
  findings.same(where, 'root', batch.finalizedCidsRootHash, await chain.sequencerRoot(dataMarket, cid))
  for (let from = 0; from < batch.projectIds.length; from += CALLS_AT_ONCE) {
    const asked = batch.projectIds.slice(from, from + CALLS_AT_ONCE)
    const kept = await Promise.all(asked.map((projectId) => chain.snapshotCid(dataMarket, projectId, epochId)))
    for (const [at, projectId] of asked.entries())
      findings.same(where, `CID of ${projectId}`, batch.snapshotCids[from + at], kept[at])
  }
}
