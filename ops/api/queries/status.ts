/** The markets, what became of epochs that went wrong, and how the process is. */

import { systemClock } from '../../../connectors/system-clock.ts'
import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import type { EpochKey } from '../../../schemas/types.ts'
import { HELD_MS } from '../../../streams/held-back.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../../../topology/rules.ts'
import type { Topics } from '../../../topology/topics.ts'
import { isServed } from '../../reading/known-markets.ts'
import type { Asked } from '../asked.ts'
import type { Gap, HealthAnswer, Market, Page } from '../schema.ts'
import { CHAIN_HEAD, type ChainHead } from '../view/commit.ts'
import { phaseOfRow } from '../view/epoch-row.ts'
import { keyOf, partsOf, prefixOf } from '../view/keys.ts'
import {
  EMPTY_HEADS,
  type EpochRow,
  epochParts,
  fromJson,
  type Heads,
  MARKETS,
  type MarketsRow,
  TABLE,
  type Unsettled,
} from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { anchorItem } from './batches.ts'
import { type PageQuery, pageOf } from './page.ts'

const headsOf = (reader: ViewReader, dataMarket: string): Heads =>
  reader.getJson<Heads>(keyOf(TABLE.heads, dataMarket)) ?? EMPTY_HEADS
const headEpoch = (reader: ViewReader, dataMarket: string): number | null =>
  headsOf(reader, dataMarket).released || null

const marketsRow = (reader: ViewReader): MarketsRow => reader.getJson<MarketsRow>(MARKETS) ?? {}

/** Configured ones, and those that have epochs or were added at run time, also when they were removed since. */
export function marketsSeen(reader: ViewReader, rules: ProtocolRules): readonly MarketRules[] {
  const all = new Set([...rules.markets.map(({ dataMarket }) => dataMarket), ...Object.keys(marketsRow(reader))])
  return [...all].map((dataMarket) => rulesOfMarket(rules, dataMarket))
}

export function listMarkets(reader: ViewReader, rules: ProtocolRules): Page<Market> {
  const rows = marketsRow(reader)
  const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  const items = marketsSeen(reader, rules).map((market) => {
    const { dataMarket, chainId, protocolState, windowUnit, perSlotPerEpoch } = market
    const { votesMin, shareMin, batchProjectsMax, tree } = market
    const limits = { windowUnit, perSlotPerEpoch, votesMin, shareMin, batchProjectsMax, tree }
    const row = rows[dataMarket]
    const served = isServed(row, configured.has(dataMarket))
    const sinceBlock = row === undefined || row.serving === 'CONFIGURED' ? null : row.sinceBlock
    return {
      dataMarket,
      served,
      sinceBlock,
      chainId,
      protocolState,
      ...limits,
      headEpoch: headEpoch(reader, dataMarket),
    }
  })
  return { items, next: null }
}

/** Epochs that a later one has overtaken, that failed, or that were never released. Newest first. */
export function listGaps(reader: ViewReader, topics: Topics, page: PageQuery, market?: string): Promise<Page<Gap>> {
  const prefix = market === undefined ? prefixOf(TABLE.unsettled) : prefixOf(TABLE.unsettled, market)
  return pageOf(reader, { prefix, page, newestFirst: true }, (key, row) => {
    const [, dataMarket, epochId] = partsOf(key)
    return gapOf(reader, topics, { dataMarket: dataMarket!, epochId: Number(epochId) }, fromJson<Unsettled>(row))
  })
}

function gapOf(reader: ViewReader, topics: Topics, key: EpochKey, row: Unsettled): Gap | undefined {
  return row.last === undefined ? stuckOf(reader, topics, key) : notReleased(key, row.last, row)
}

function notReleased(key: EpochKey, lastEpochId: number, { before, skippedInBlock }: Unsettled): Gap {
  const after = `epoch ${before} was released after epoch ${key.epochId - 1}`
  if (skippedInBlock === undefined) return { ...key, lastEpochId, cause: 'NOT_RELEASED', detail: after }
  const detail = `${after}, in block ${skippedInBlock}, as the market’s owner chose`
  return { ...key, lastEpochId, cause: 'SKIPPED_BY_OWNER', detail }
}

function stuckOf(reader: ViewReader, topics: Topics, key: EpochKey): Gap | undefined {
  const row = reader.getJson<EpochRow>(keyOf(TABLE.epochs, ...epochParts(key)))
  const found = row && causeOf(row, key.epochId, headsOf(reader, key.dataMarket))
  if (!found) return undefined
  const [cause, detail] = found
  return { ...key, lastEpochId: key.epochId, cause, detail: detail || errorsOf(reader, topics, key, row) }
}

/** The rule that an epoch on its way breaks; undefined for one that is merely not done yet. */
function causeOf(row: EpochRow, epochId: number, heads: Heads): [Gap['cause'], string] | undefined {
  if (phaseOfRow(row) === 'FAILED')
    return [Object.values(row.anchors).some(({ state }) => state === 'LATE') ? 'LATE' : 'FAILED', '']
  if (row.closeBlock === null)
    return epochId < heads.closed ? ['NOT_CLOSED', `epoch ${heads.closed} is closed, this one is not`] : undefined
  if (row.batches === null)
    return epochId < heads.batched
      ? ['NOT_BATCHED', `epoch ${heads.batched} has its batches, this one has none`]
      : undefined
  return epochId < heads.final ? ['NOT_ANCHORED', ''] : undefined
}

/** What the anchors of the epoch say last. */
function errorsOf(reader: ViewReader, topics: Topics, key: EpochKey, row: EpochRow): string {
  const words = Object.keys(row.anchors).flatMap((index) => {
    const anchor = anchorItem(reader, topics, { ...key, batchIndex: Number(index) })
    if (!anchor || anchor.state === 'FINAL') return []
    const name = anchor.batchIndex === END_OF_BATCHES ? 'the ending call' : `batch ${anchor.batchIndex}`
    return [`${name} is ${anchor.state}${anchor.error && `: ${anchor.error}`}`]
  })
  return words.join('; ')
}

/** Stuck epochs that are named; the list of gaps has all. */
const STUCK_MAX = 20

export async function healthOf({ reader, topics, rules, health, stages, held, view }: Asked): Promise<HealthAnswer> {
  const report = health.report()
  const ofMarkets = marketsSeen(reader, rules).map(async ({ dataMarket }) => {
    const { items } = await listGaps(reader, topics, { limit: STUCK_MAX }, dataMarket)
    const stuck = items.filter(({ cause }) => cause !== 'NOT_RELEASED' && cause !== 'SKIPPED_BY_OWNER')
    return { dataMarket, headEpoch: headEpoch(reader, dataMarket), stuck }
  })
  return {
    ready: report.ready,
    roles: { ...report.roles },
    stages: { ...stages.report() },
    heldBack: held.all
      .filter(({ since }) => systemClock.now() - since >= HELD_MS)
      .map(({ topic, partition, records, since }) => ({ topic, partition, records, since })),
    view: { lag: view.lag(), caughtUp: view.caughtUp() },
    chain: reader.getJson<ChainHead>(CHAIN_HEAD) ?? null,
    markets: await Promise.all(ofMarkets),
  }
}
