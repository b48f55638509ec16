/** The newest blocks that the clock has written, before anything is recomputed. */
import type { EpochTick } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { silently } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'

const TICKS_ASKED = 500

/** HEAD ticks, oldest first; also HEADs that left the chain. */
export async function newestHeads(log: Log, { epochTicks }: Topics): Promise<readonly EpochTick[]> {
  const partition = { topic: epochTicks.name, partition: 0 }
  const [bounds] = await log.bounds([partition])
  const heads: EpochTick[] = []
  for await (const records of scan(log, partition, { from: bounds!.stable - TICKS_ASKED, tell: silently }))
    for (const { value: tick } of readRecords(epochTicks, 0, records, silently))
      if (tick?.kind === 'HEAD') heads.push(tick)
  return heads
}
