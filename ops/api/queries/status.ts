/** The markets, the epochs that went wrong, and the health of the process. */

import { systemClock } from '../../../connectors/system-clock.ts'
import { isEnding } from '../../../schemas/anchor-keys.ts'
import type { EpochKey } from '../../../schemas/types.ts'
import { HELD_MS, heldInWords } from '../../../streams/held-back.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../../../topology/rules.ts'
import type { Topics } from '../../../topology/topics.ts'
import { type EpochPhase, isLost } from '../../reading/epoch-phases.ts'
import { type EpochProgress, outcomeOf, phaseOf } from '../../reading/epoch-progress.ts'
import { isServed } from '../../reading/known-markets.ts'
import type { StageProgress } from '../../watch/stage-watch.ts'
import type { Asked } from '../asked.ts'
import type { HealthAnswer } from '../health-schema.ts'
import type { Gap, Market, Page } from '../schema.ts'
import { CHAIN_HEAD, type ChainHead } from '../view/commit.ts'
import { keyOf, partsOf, prefixOf } from '../view/keys.ts'
import {
  EMPTY_HEADS,
  epochParts,
  fromJson,
  type Heads,
  MARKETS,
  type MarketsRow,
  TABLE,
  type Unanchored,
} from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { anchorItem } from './batches.ts'
import { type PageQuery, pageOf } from './page.ts'
import { troubledRoles } from './roles.ts'

const headsOf = (reader: ViewReader, dataMarket: string): Heads =>
  reader.getJson<Heads>(keyOf(TABLE.heads, dataMarket)) ?? EMPTY_HEADS
const headEpoch = (reader: ViewReader, dataMarket: string): number | null =>
  headsOf(reader, dataMarket).released || null

const marketsRow = (reader: ViewReader): MarketsRow => reader.getJson<MarketsRow>(MARKETS) ?? {}

/** The configured markets, and markets that have epochs or were added at run time, also when they were removed since. */
export function marketsSeen(reader: ViewReader, rules: ProtocolRules): readonly MarketRules[] {
  const all = new Set([...rules.markets.map(({ dataMarket }) => dataMarket), ...Object.keys(marketsRow(reader))])
  return [...all].map((dataMarket) => rulesOfMarket(rules, dataMarket))
}

export function listMarkets(reader: ViewReader, rules: ProtocolRules): Page<Market> {
  const rows = marketsRow(reader)
  const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  const items = marketsSeen(reader, rules).map((market) => {
    const { dataMarket, chainId, protocolState, windowUnit, perSlotPerEpoch } = market
    const { votesMin, shareMin, batchProjectsMax, tree, rewards } = market
    const limits = { windowUnit, perSlotPerEpoch, votesMin, shareMin, batchProjectsMax, tree, rewards }
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

/** Epochs that a later one has overtaken, that failed, or that were refused or never released. Newest first. */
export function listGaps(reader: ViewReader, topics: Topics, page: PageQuery, market?: string): Promise<Page<Gap>> {
  const prefix = market === undefined ? prefixOf(TABLE.unanchored) : prefixOf(TABLE.unanchored, market)
  return pageOf(reader, { prefix, page, newestFirst: true }, (key, row) => {
    const [, dataMarket, epochId] = partsOf(key)
    return gapOf(reader, topics, { dataMarket: dataMarket!, epochId: Number(epochId) }, fromJson<Unanchored>(row))
  })
}

function gapOf(reader: ViewReader, topics: Topics, key: EpochKey, row: Unanchored): Gap | undefined {
  return row.last === undefined ? stuckOf(reader, topics, key) : notReleased(key, row.last, row)
}

function notReleased(key: EpochKey, lastEpochId: number, { before, skippedInBlock }: Unanchored): Gap {
  const after = `epoch ${before} was released after epoch ${key.epochId - 1}`
  if (skippedInBlock === undefined) return { ...key, lastEpochId, phase: 'UNKNOWN', outcome: null, detail: after }
  const detail = `${after}, in block ${skippedInBlock}, as the market’s owner chose`
  return { ...key, lastEpochId, phase: 'SKIPPED', outcome: null, detail }
}

function stuckOf(reader: ViewReader, topics: Topics, key: EpochKey): Gap | undefined {
  const row = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts(key)))
  if (!row) return undefined
  const [phase, outcome] = [phaseOf(row), outcomeOf(row)]
  if (phase === 'REFUSED') return { ...key, lastEpochId: key.epochId, phase, outcome, detail: row.refused }
  const heads = headsOf(reader, key.dataMarket)
  const overtaken = isLost(outcome) ? '' : overtakenBy(phase, key.epochId, heads)
  if (overtaken === undefined) return undefined
  const detail = overtaken || errorsOf(reader, topics, key, row) || withoutRows(row, heads)
  return { ...key, lastEpochId: key.epochId, phase, outcome, detail }
}

/** Each batch gets a row when it is taken, in order: those that have none were given up, or their rows are gone with the topic. */
const withoutRows = ({ anchors }: EpochProgress, { final }: Heads): string =>
  Object.keys(anchors).length > 0
    ? ''
    : `the topic anchors says nothing of it, though epoch ${final} is anchored: its rows are gone, or it was given up; the contract knows (audit --rpc)`

/** The step that a later epoch has and this one lacks; undefined when none has: it is merely not done yet. */
function overtakenBy(phase: EpochPhase, epochId: number, { closed, batched, final }: Heads): string | undefined {
  switch (phase) {
    case 'OPEN':
      return epochId < closed ? `epoch ${closed} is closed, this one is not` : undefined
    case 'ORPHANED':
      return epochId < closed ? `epoch ${closed} is closed, this one was not released again` : undefined
    case 'COUNTING':
      return epochId < batched ? `epoch ${batched} has its batches, this one has none` : undefined
    case 'STORING':
    case 'MINING':
    case 'CONFIRMING':
      return epochId < final ? '' : undefined
    default:
      return undefined
  }
}

/** The last errors of the epoch's anchors. */
function errorsOf(reader: ViewReader, topics: Topics, key: EpochKey, row: EpochProgress): string {
  const words = Object.keys(row.anchors).flatMap((index) => {
    const anchor = anchorItem(reader, topics, { ...key, batchIndex: Number(index) })
    if (!anchor || anchor.state === 'FINAL') return []
    const name = isEnding(anchor) ? 'the ending call' : `batch ${anchor.batchIndex}`
    return [`${name} is ${anchor.state}${anchor.error && `: ${anchor.error}`}`]
  })
  return words.join('; ')
}

/** The likely cause of stuck epochs: stages that cannot read on. */
const waitsOf = (stages: Readonly<Record<string, StageProgress>>): readonly string[] =>
  Object.entries(stages).flatMap(([stage, { waitsAt }]) => (waitsAt === null ? [] : [`${stage} waits at ${waitsAt}`]))

/** Nothing is awaited of them. */
const NOT_UNDER_WAY: readonly EpochPhase[] = ['UNKNOWN', 'SKIPPED', 'ORPHANED', 'REFUSED']

/** Stuck epochs that are named; the list of gaps has all. */
const STUCK_MAX = 20

export async function healthOf(asked: Asked): Promise<HealthAnswer> {
  const { reader, topics, rules, health, stages, held, view } = asked
  const report = health.report()
  const now = systemClock.now()
  const lasting = held.all.filter(({ since }) => now - since >= HELD_MS)
  const causes = [...waitsOf(stages.report()), ...lasting.map((one) => heldInWords(one, now))]
  const ofMarkets = marketsSeen(reader, rules).map(async ({ dataMarket }) => {
    const { items } = await listGaps(reader, topics, { limit: STUCK_MAX }, dataMarket)
    const stuck = items
      .filter(({ phase }) => !NOT_UNDER_WAY.includes(phase))
      .map((gap) => (isLost(gap.outcome) ? gap : { ...gap, detail: [gap.detail, ...causes].join('; ') }))
    return { dataMarket, headEpoch: headEpoch(reader, dataMarket), stuck }
  })
  return {
    ready: report.ready,
    roles: { ...report.roles },
    stages: { ...stages.report() },
    // without the log every other process seems silent
    troubled: Object.keys(stages.report()).length === 0 ? [] : troubledRoles(asked),
    heldBack: lasting.map(({ topic, partition, records, since }) => ({ topic, partition, records, since })),
    view: { lag: view.lag(), caughtUp: view.caughtUp() },
    chain: reader.getJson<ChainHead>(CHAIN_HEAD) ?? null,
    markets: await Promise.all(ofMarkets),
  }
}
