/** The state of things, and the processes, as the view and the reports have them. */
import { systemClock } from '../../../connectors/system-clock.ts'
import type { Stage } from '../../base/roles.ts'
import type { EpochProgress } from '../../reading/epoch-progress.ts'
import { type ProcessStatus, rolesOf, signerIn } from '../../reading/processes.ts'
import type { EpochFacts } from '../../reading/recent-epochs.ts'
import { EPOCHS_MEASURED, statusReport } from '../../reading/status.ts'
import type { Asked } from '../asked.ts'
import type { ProcessesAnswer, StatusAnswer } from '../status-schema.ts'
import { CHAIN_HEAD, type ChainHead } from '../view/commit.ts'
import { partsOf, prefixOf } from '../view/keys.ts'
import { fromJson, TABLE } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { signerOf } from './batches.ts'
import { countsOf } from './epochs.ts'
import { knownProcesses, type Own, withLists } from './roles.ts'
import { listMarkets } from './status.ts'

/** Without what is nobody's business who only looks on. */
const shown = ({ host: _, pid: __, ops: ___, probes: ____, intake: _____, ...process }: ProcessStatus) => ({
  ...process,
  roles: [...process.roles],
})

export function processesOf(asked: Own): ProcessesAnswer {
  const { items, more } = knownProcesses(asked)
  return { items: items.map(shown), more, roles: rolesOf(items).map(withLists), signer: signerIn(items) }
}

/** @param market every one without */
export async function stateOf(asked: Asked, market?: string): Promise<StatusAnswer> {
  const { reader, topics, rules, stages } = asked
  const markets = listMarkets(reader, rules).items.filter(({ dataMarket }) => (market ?? dataMarket) === dataMarket)
  const ofMarkets = await Promise.all(markets.map(({ dataMarket }) => epochFacts(reader, dataMarket)))
  const { nonce, pending, inFlight } = await signerOf(reader, topics)
  const lags = Object.entries(stages.report()).map(([stage, { behind }]) => [stage as Stage, behind] as const)
  const report = statusReport({
    now: systemClock.now(),
    chain: reader.getJson<ChainHead>(CHAIN_HEAD) ?? null,
    markets,
    epochs: ofMarkets.flat(),
    processes: knownProcesses(asked),
    lags: new Map(lags),
    signer: { nonce, pending, inFlight: inFlight.length },
  })
  return {
    ...report,
    markets: report.markets.map((market) => ({ ...market, epochs: [...market.epochs] })),
    roles: report.roles.map(withLists),
    processes: report.processes.map(shown),
  }
}

/** Newest first. */
async function epochFacts(reader: ViewReader, dataMarket: string): Promise<readonly EpochFacts[]> {
  const range = { prefix: prefixOf(TABLE.epochs, dataMarket), newestFirst: true, limit: EPOCHS_MEASURED }
  const rows = await reader.range(range)
  return rows.map(([key, row]) => {
    const epochId = Number(partsOf(key)[2])
    const { submissions } = countsOf(reader, { dataMarket, epochId })
    return { dataMarket, progress: fromJson<EpochProgress>(row), submissions }
  })
}
