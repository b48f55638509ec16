import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { silently } from '../../reading/read.ts'
import { scanTopic } from '../../reading/scan.ts'

/** Slots that the table of the log has a row of; as many as the registry gives numbers, at most. */
export async function slotsIn(log: Log, { slots }: Pick<Topics, 'slots'>): Promise<number> {
  const known = new Set<number>()
  for await (const { partition, records } of scanTopic(log, slots, silently))
    for (const { key, value } of readRecords(slots, partition, records, silently))
      if (value) known.add(key.slotId)
      else known.delete(key.slotId)
  return known.size
}
