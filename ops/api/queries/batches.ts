/** Batches and their way to the chain. */

import { orNull } from '../../../schemas/none.ts'
import type { Anchor, AnchorKey } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { batchAt } from '../../reading/batch-at.ts'
import type { BatchStanding } from '../../reading/epoch-phases.ts'
import { isInFlight, signerFactsOf } from '../../reading/signer-facts.ts'
import type { AnchorItem, BatchDetail, BatchSummary, Page, Signer } from '../schema.ts'
import { keyOf, partsOf, prefixOf } from '../view/keys.ts'
import { anchorParts, type BatchRow, bytesOf, epochParts, fromJson, TABLE, timeOf } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { type PageQuery, pageOf } from './page.ts'

interface Filter {
  readonly market?: string | undefined
  readonly epoch?: number | undefined
}

/** Newest epoch first; within an epoch the last batch first. */
export function listBatches(reader: ViewReader, topics: Topics, page: PageQuery, filter: Filter) {
  const prefix = prefixFor(TABLE.batches, filter)
  return pageOf(reader, { prefix, page, newestFirst: true }, (key, row) =>
    batchSummary(reader, topics, anchorKeyOf(partsOf(key).slice(1)), fromJson<BatchRow>(row)),
  )
}

const prefixFor = (table: string, { market, epoch }: Filter): string =>
  market === undefined
    ? prefixOf(table)
    : epoch === undefined
      ? prefixOf(table, market)
      : prefixOf(table, ...epochParts({ dataMarket: market, epochId: epoch }))

const anchorKeyOf = ([dataMarket, epochId, index]: readonly string[]): AnchorKey => ({
  dataMarket: dataMarket!,
  epochId: Number(epochId),
  batchIndex: Number(index) - 1,
})

function anchorOf(reader: ViewReader, topics: Topics, key: AnchorKey): Anchor | undefined {
  const row = reader.get(keyOf(TABLE.anchors, ...anchorParts(key)))
  return row && topics.anchors.value.decode(bytesOf(row))
}

function batchSummary(reader: ViewReader, topics: Topics, key: AnchorKey, row: BatchRow): BatchSummary {
  const { projectIds, snapshotCids: _, offset: __, ...fields } = row
  const { state = 'UNKNOWN', cid = '', transactionHash = '', blockNumber = 0 } = anchorOf(reader, topics, key) ?? {}
  return { ...key, ...fields, projects: projectIds.length, state, cid, transactionHash, blockNumber }
}

/** The place of a batch; undefined for a CID that is none of ours. */
async function findBatch(reader: ViewReader, cid: string): Promise<AnchorKey | undefined> {
  const [found] = await reader.range({ prefix: prefixOf(TABLE.batchCids, cid), limit: 1 })
  return found && anchorKeyOf(partsOf(found[0]).slice(2))
}

export async function batchDetail(reader: ViewReader, topics: Topics, cid: string): Promise<BatchDetail | undefined> {
  const key = await findBatch(reader, cid)
  const row = key && reader.getJson<BatchRow>(keyOf(TABLE.batches, ...anchorParts(key)))
  const anchor = key && anchorOf(reader, topics, key)
  if (!row || !anchor) return undefined
  const { attestations, attested, diverged, error } = anchor
  const contents = row.projectIds.map((projectId, i) => ({ projectId, snapshotCid: row.snapshotCids[i]! }))
  return {
    ...batchSummary(reader, topics, key, row),
    contents,
    attestations: [...attestations],
    attested,
    diverged,
    error,
  }
}

/** The exact bytes that were stored; undefined when they are no longer in the log. */
export async function batchContent(
  reader: ViewReader,
  log: Log,
  topics: Topics,
  cid: string,
): Promise<Buffer | undefined> {
  const key = await findBatch(reader, cid)
  const row = key && reader.getJson<BatchRow>(keyOf(TABLE.batches, ...anchorParts(key)))
  if (!row) return undefined
  const batch = await batchAt(log, topics, row.offset)
  return batch && Buffer.from(batch.json)
}

/** Newest epoch first; the ending call of an epoch (index -1) comes after its batches. */
export function listAnchors(
  reader: ViewReader,
  topics: Topics,
  page: PageQuery,
  { standing, market }: { readonly standing?: BatchStanding | undefined; readonly market?: string | undefined },
): Promise<Page<AnchorItem>> {
  const table = standing === undefined ? [TABLE.anchors] : [TABLE.anchorsByStanding, standing]
  const prefix = prefixOf(...table, ...(market === undefined ? [] : [market]))
  return pageOf(reader, { prefix, page, newestFirst: true }, (key) =>
    anchorItem(reader, topics, anchorKeyOf(partsOf(key).slice(table.length))),
  )
}

export function anchorItem(reader: ViewReader, topics: Topics, key: AnchorKey): AnchorItem | undefined {
  const row = reader.get(keyOf(TABLE.anchors, ...anchorParts(key)))
  if (!row) return undefined
  const anchor = topics.anchors.value.decode(bytesOf(row))
  const { state, cid, nonce, attempts, transactionHash, blockNumber, error, attested, diverged, reorgs } = anchor
  const attestations = [...anchor.attestations]
  const sent = { nonce: orNull(nonce), attempts, transactionHash, blockNumber, error }
  return { ...key, state, cid, ...sent, attestations, attested, diverged, reorgs, changedAt: timeOf(row) }
}

/** Pending anchors looked at for the signer; as many transactions in flight as there can be are a fraction of it. */
const PENDING_MAX = 1_000

/** As far as the anchors tell: the signer's balance and nonce on the chain are the chain's. */
export async function signerOf(reader: ViewReader, topics: Topics): Promise<Signer> {
  const queue = await reader.range({ prefix: prefixOf(TABLE.anchorsByStanding, 'under-way'), limit: PENDING_MAX })
  const pending = queue.flatMap(([key]) => anchorItem(reader, topics, anchorKeyOf(partsOf(key).slice(2))) ?? [])
  const [newest] = (await listAnchors(reader, topics, { limit: 1 }, { standing: 'final' })).items
  return { ...signerFactsOf(newest ? [...pending, newest] : pending), inFlight: pending.filter(isInFlight) }
}
