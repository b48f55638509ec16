/** The processes as the log has them at one moment. */
import type { Log } from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import type { Topics } from '../../topology/topics.ts'
import { exists } from './market-rows.ts'
import { ProcessTable } from './processes.ts'
import { silently } from './read.ts'
import { scan } from './scan.ts'

/** Reports that are read, the newest: of ten processes those of half an hour, and all of those that compaction has left. */
export const REPORTS_RECALLED = 2_000

/** None of a log that is older than the topic. @throws LogError when the log gets no further */
export async function readProcesses(log: Log, { processes }: Pick<Topics, 'processes'>): Promise<ProcessTable> {
  const table = new ProcessTable()
  if (!(await exists(log, processes.name))) return table
  const at = { topic: processes.name, partition: 0 }
  const [bounds] = await log.bounds([at])
  const range = { from: bounds!.stable - REPORTS_RECALLED, to: bounds!.stable, tell: silently }
  for await (const records of scan(log, at, range))
    for (const { key, value, timestamp } of readRecords(processes, 0, records, silently))
      table.apply(key.instanceId, value, value?.at ?? timestamp)
  return table
}
