import {
  JudgedRows,
  type PlacedRequest,
  type PlacedRow,
  type UnfoundedRow,
} from '../../connectors/evm/clock/market-proof.ts'
import type { ServedMarket } from '../../schemas/types.ts'
import { type Log, LogError } from '../../streams/ports.ts'
import { type OnUnreadable, readRecords } from '../../streams/read-record.ts'
import type { Topics } from '../../topology/topics.ts'
import { clockCursorGroup } from '../base/roles.ts'
import { silently } from './read.ts'
import { scan } from './scan.ts'

/** The newest row of `markets` by data market. None in a log that is older than the topic. */
export async function readMarketRows(
  log: Log,
  { markets }: Topics,
  tell: OnUnreadable = silently,
): Promise<ReadonlyMap<string, ServedMarket>> {
  const rows = new Map<string, ServedMarket>()
  if (!(await exists(log, markets.name))) return rows
  for await (const records of scan(log, { topic: markets.name, partition: 0 }, { tell }))
    for (const { key, value } of readRecords(markets, 0, records, tell))
      if (value !== null) rows.set(key.dataMarket, value)
  return rows
}

/** Whether the log has the topic; one of an older release lacks what came later. */
export async function exists(log: Log, topic: string): Promise<boolean> {
  try {
    return (await log.partitionCount(topic)) > 0
  } catch (error) {
    if (error instanceof LogError && error.code === 'UNKNOWN_TOPIC') return false
    throw error
  }
}

/** Newest rows of `markets` that rest on no request: the clock does not believe them, and writes them again at its next start. */
export async function unfoundedMarkets(
  log: Log,
  { markets, marketRequests }: Topics,
  appId: string,
): Promise<readonly UnfoundedRow[]> {
  if (!(await exists(log, markets.name)) || !(await exists(log, marketRequests.name))) return []
  const at = { topic: marketRequests.name, partition: 0 }
  // In this order: a request that comes or is decided meanwhile counts as one that is to be decided.
  const [committed] = await log.committedOffsets(clockCursorGroup(appId), [at])
  const rows = new Map<string, PlacedRow>()
  for await (const records of scan(log, { topic: markets.name, partition: 0 }, { tell: silently }))
    for (const { key, value: row, offset } of readRecords(markets, 0, records, silently))
      if (row) rows.set(key.dataMarket, { dataMarket: key.dataMarket, offset, row })
  const [bounds] = await log.bounds([at])
  const newest = new Map<string, PlacedRequest>()
  let isWhole = bounds!.start === 0
  const tell = () => {
    isWhole = false
  }
  for await (const records of scan(log, at, { tell }))
    for (const { key, value, offset } of readRecords(marketRequests, 0, records, silently))
      if (value) newest.set(key.dataMarket, { ...value, offset })
  const judged = new JudgedRows(isWhole ? { newest, decidedTo: committed?.next ?? 0 } : undefined)
  for (const row of rows.values()) judged.take(row)
  return [...judged.unfounded.values()]
}
