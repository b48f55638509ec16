import type { Log } from '../../streams/ports.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import { readMarketRows } from '../audit/market-rows.ts'

/** Data markets whose epochs may be in the log: configured, or served at some time. */
export async function knownMarkets(log: Log, topics: Topics, rules: ProtocolRules): Promise<readonly string[]> {
  const rows = [...(await readMarketRows(log, topics))].filter(([, { serving }]) => serving !== 'CONFIGURED')
  return [...new Set([...rules.markets.map(({ dataMarket }) => dataMarket), ...rows.map(([dataMarket]) => dataMarket)])]
}
