/** The markets, the epochs that went wrong, and the health of the process. */

import { systemClock } from '../../../connectors/system-clock.ts'
import { HELD_MS, heldInWords } from '../../../streams/held-back.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../../../topology/rules.ts'
import { type EpochPhase, isLost } from '../../reading/epoch-phases.ts'
import { isServed } from '../../reading/known-markets.ts'
import type { StageProgress } from '../../watch/stage-watch.ts'
import type { Asked } from '../asked.ts'
import type { HealthAnswer } from '../health-schema.ts'
import type { Market, Page } from '../schema.ts'
import { CHAIN_HEAD, type ChainHead } from '../view/commit.ts'
import { MARKETS, type MarketsRow } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { listGaps } from './gaps.ts'
import { headEpoch } from './heads.ts'
import { troubledRoles } from './roles.ts'

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
