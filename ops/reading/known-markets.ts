import type { ServedMarket } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import { readMarketRows } from './market-rows.ts'

/** Data markets whose epochs may be in the log: configured, or served at some time. */
export async function knownMarkets(log: Log, topics: Topics, rules: ProtocolRules): Promise<readonly string[]> {
  const rows = [...(await readMarketRows(log, topics))].filter(([, { serving }]) => serving !== 'CONFIGURED')
  return [...new Set([...rules.markets.map(({ dataMarket }) => dataMarket), ...rows.map(([dataMarket]) => dataMarket)])]
}

/** Data markets that are served as the log says now: configured ones that were not removed, and added ones. */
export async function servedMarkets(log: Log, topics: Topics, rules: ProtocolRules): Promise<readonly string[]> {
  const rows = await readMarketRows(log, topics)
  const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  return [...new Set([...configured, ...rows.keys()])].filter((dataMarket) =>
    isServed(rows.get(dataMarket), configured.has(dataMarket)),
  )
}

export const isServed = (row: Pick<ServedMarket, 'serving'> | undefined, configured: boolean): boolean =>
  row === undefined || row.serving === 'CONFIGURED' ? configured : row.serving === 'ADDED'
