import type { ServedMarket } from '../../schemas/types.ts'
import { type Log, LogError } from '../../streams/ports.ts'
import { type OnUnreadable, readRecords } from '../../streams/read-record.ts'
import type { Topics } from '../../topology/topics.ts'
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
