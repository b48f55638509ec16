/** The state of things as the log has it, for a command that finds no process to ask. */
import { systemClock } from '../../connectors/system-clock.ts'
import type { Log } from '../../streams/ports.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import { isServed } from './known-markets.ts'
import { readMarketRows } from './market-rows.ts'
import { readProcesses } from './read-processes.ts'
import { recentEpochs } from './recent-epochs.ts'
import { lagsOf } from './stage-lags.ts'
import { EPOCHS_MEASURED, type EpochReport, epochReport, type StatusReport, statusReport } from './status.ts'

export interface StatusSources {
  readonly log: Log
  readonly topics: Topics
  readonly rules: ProtocolRules
  readonly appId: string
}

/** @throws LogError when the log gets no further */
export async function readStatus({ log, topics, rules, appId }: StatusSources): Promise<StatusReport> {
  const rows = await readMarketRows(log, topics)
  const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  const known = [...new Set([...configured, ...rows.keys()])]
  const markets = known.map((dataMarket) => ({
    dataMarket,
    served: isServed(rows.get(dataMarket), configured.has(dataMarket)),
  }))
  const { head, epochs, signer } = await recentEpochs(log, topics, EPOCHS_MEASURED)
  const lags = await lagsOf(log, topics, appId)
  const now = systemClock.now()
  const processes = (await readProcesses(log, topics)).list(now)
  return statusReport({ now, chain: head, markets, epochs, processes, lags, signer })
}

/** The newest epochs of every market, of a market newest first. @throws LogError when the log gets no further */
export async function readEpochs(
  { log, topics }: Pick<StatusSources, 'log' | 'topics'>,
  most: number,
): Promise<readonly EpochReport[]> {
  const { epochs } = await recentEpochs(log, topics, most)
  return epochs.map(epochReport).sort(byMarket)
}

/** The order within a market stays. */
const byMarket = (a: EpochReport, b: EpochReport): number =>
  a.dataMarket < b.dataMarket ? -1 : a.dataMarket > b.dataMarket ? 1 : 0
