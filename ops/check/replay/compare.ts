/** Recomputed against recorded, and both against the chain. */
import { isDeepStrictEqual } from 'node:util'
import { cidVersionOf, computeCid } from '../../../connectors/ipfs/cid.ts'
import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import type { Anchor, Batch, EpochKey, Verdict } from '../../../schemas/types.ts'
import type { MarketRules } from '../../../topology/rules.ts'
import type { ChainReader } from '../audit/chain.ts'
import { floodAbove } from '../audit/quota.ts'
import type { ReplayInput } from './input.ts'
import { type Outcome, placeOf, type Recorded } from './outcome.ts'

export interface Difference {
  readonly where: string
  readonly what: string
  readonly recomputed: string
  readonly recorded: string
}

/** Characters of a value that are shown. */
const SHOWN_MAX = 200

export class Differences {
  readonly all: Difference[] = []

  same(where: string, what: string, recomputed: unknown, recorded: unknown): void {
    if (isDeepStrictEqual(recomputed, recorded)) return
    if (isRecord(recomputed) && isRecord(recorded))
      for (const name of new Set([...Object.keys(recomputed), ...Object.keys(recorded)]))
        this.same(where, what === '' ? name : `${what}.${name}`, recomputed[name], recorded[name])
    else this.all.push({ where, what, recomputed: shown(recomputed), recorded: shown(recorded) })
  }

  /** Where two byte strings part. */
  sameBytes(where: string, recomputed: Uint8Array, recorded: Uint8Array): void {
    const [a, b] = [Buffer.from(recomputed), Buffer.from(recorded)]
    if (a.equals(b)) return
    let at = 0
    while (at < a.length && a[at] === b[at]) at++
    const around = (bytes: Buffer) => bytes.subarray(Math.max(0, at - 20), at + 60).toString('utf8')
    this.all.push({ where, what: `bytes from ${at} on`, recomputed: around(a), recorded: around(b) })
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}

/** The CIDs of batches in the versions in which they were anchored. */
const cidsOf = (batches: Outcome['batches'], anchors: Recorded['anchors']): Promise<string[]> =>
  Promise.all(batches.map(({ json }, index) => computeCid(json, cidVersionOf(anchors.get(index)!.cid))))

/** @returns verdicts that are still to come: of submissions behind the close, which a running sequencer may not have reached */
export function compareVerdicts(
  input: ReplayInput,
  recomputed: Outcome['verdicts'],
  recorded: Outcome['verdicts'],
  market: MarketRules,
  differences: Differences,
): number {
  const floods = floodsIn(recomputed, market)
  const late = placesBehindClose(input)
  let pending = 0
  for (const place of new Set([...recomputed.keys(), ...recorded.keys()])) {
    const [mine, theirs] = [recomputed.get(place), recorded.get(place)]
    if (!theirs && late.has(place)) pending++
    else if (mine && theirs && isCopyInFlood(mine, theirs, floods)) continue
    else differences.same(place, mine && theirs ? '' : 'verdict', mine ?? undefined, theirs ?? undefined)
  }
  return pending
}

/** Slots of which an owner signed so much that nothing of it counts: what it is made of is not told apart (decision 0003). */
function floodsIn(verdicts: Outcome['verdicts'], market: MarketRules): ReadonlySet<number> {
  const refused = new Map<number, number>()
  for (const { slotId, reason } of verdicts.values())
    if (reason === 'RATE_LIMITED') refused.set(slotId, (refused.get(slotId) ?? 0) + 1)
  const signedMax = floodAbove(market.perSlotPerEpoch, market)
  return new Set([...refused].filter(([, count]) => count > signedMax).map(([slotId]) => slotId))
}

const isCopyInFlood = (mine: Verdict, theirs: Verdict, floods: ReadonlySet<number>): boolean =>
  floods.has(mine.slotId) && [mine, theirs].every(({ reason }) => reason === 'DUPLICATE' || reason === 'RATE_LIMITED')

export function compareFinalizations(
  recomputed: Outcome['finalizations'],
  recorded: Outcome['finalizations'],
  differences: Differences,
): void {
  for (const id of new Set([...recomputed.keys(), ...recorded.keys()])) {
    const [mine, theirs] = [recomputed.get(id), recorded.get(id)]
    const { projectId, part, parts } = (mine ?? theirs)!
    const where = `project ${projectId}${parts > 1 ? `, part ${part}` : ''}`
    if (!mine || !theirs) differences.same(where, 'finalization', mine?.snapshotCid, theirs?.snapshotCid)
    else {
      const { texts: a, leaves: _, ...own } = mine
      const { texts: b, leaves: __, ...other } = theirs // leaves are those of its ids
      differences.same(where, '', own, other)
      differences.sameBytes(`${where}, its submissions`, a, b)
    }
  }
}

/** @returns whether the log has the tallies of the epoch still */
export function compareTallies(recomputed: Outcome, recorded: Recorded, differences: Differences): boolean {
  if (!recorded.hasTallies) return false
  const [mine, theirs] = [recomputed.votes.votes, recorded.votes.votes]
  for (const slotId of new Set([...mine.keys(), ...theirs.keys()]))
    differences.same(`what slot ${slotId} adds to the day`, '', mine.get(slotId), theirs.get(slotId))
  return true
}

export async function compareBatches(recomputed: Outcome, recorded: Recorded, differences: Differences): Promise<void> {
  differences.same('summary', '', { ...recomputed.summary }, { ...recorded.summary })
  differences.same('the epoch', 'batches', recomputed.batches.length, recorded.batches.length)
  for (const [index, batch] of recomputed.batches.entries()) {
    const where = `batch ${index}`
    const there = recorded.batches[index]
    if (!there) continue
    const { json: a, ...own } = batch
    const { json: b, ...other } = there
    differences.same(where, '', own, other)
    differences.sameBytes(where, a, b)
    await compareAnchor(where, batch, recorded.anchors.get(index), differences)
  }
}

async function compareAnchor(
  where: string,
  batch: Batch,
  anchor: Anchor | undefined,
  differences: Differences,
): Promise<void> {
  if (!anchor?.cid) return // not stored yet
  const cid = await computeCid(batch.json, cidVersionOf(anchor.cid))
  const { roothash, finalizedCidsRootHash } = batch
  const mine = { cid, roothash, finalizedCidsRootHash }
  const theirs = { cid: anchor.cid, roothash: anchor.roothash, finalizedCidsRootHash: anchor.finalizedCidsRootHash }
  differences.same(`${where}, its anchor`, '', mine, theirs)
}

function placesBehindClose({ partitions, close }: ReplayInput): ReadonlySet<string> {
  const places = new Set<string>()
  for (const [partition, pieces] of partitions.entries()) {
    const closed = pieces.findIndex(({ tick }) => tick?.kind === 'CLOSE' && tick.blockHash === close.blockHash)
    for (const { record } of pieces.slice(closed)) places.add(placeOf({ partition, offset: record.offset }))
  }
  return places
}

/** @returns whether everything is anchored for good, so that the chain could be compared */
export async function compareChain(
  chain: ChainReader,
  { dataMarket, epochId }: EpochKey,
  { batches }: Outcome,
  { anchors }: Recorded,
  differences: Differences,
): Promise<boolean> {
  const isFinal = (index: number) => anchors.get(index)?.state === 'FINAL'
  if (!batches.every((_, index) => isFinal(index))) return false
  const cids = await cidsOf(batches, anchors)
  const kept = await chain.batchCids(dataMarket, epochId)
  differences.same('the contract', 'batches of the epoch', [...cids].sort(), [...kept].sort())
  for (const [index, cid] of cids.entries()) {
    const root = await chain.sequencerRoot(dataMarket, cid)
    differences.same('the contract', `root of batch ${index}`, batches[index]!.finalizedCidsRootHash, root)
  }
  if (isFinal(END_OF_BATCHES))
    differences.same('the contract', 'completed', true, await chain.completed(dataMarket, epochId))
  return true
}
