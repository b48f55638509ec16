import type { SlotOwnership } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { scan } from '../../reading/scan.ts'
import type { Findings } from './report.ts'

/** The owner of a slot as of a block, where so many ORPHAN ticks had been told; undefined when there was none yet. */
export type OwnerAt = (slotId: number, blockNumber: number, forks: number) => SlotOwnership | undefined

/** Reads `slots` whole: a row carries the owners of its slot over time, also owners that a reorganisation took back. */
export async function readOwners(log: Log, { slots }: Topics, findings: Findings): Promise<OwnerAt> {
  const histories = new Map<number, readonly SlotOwnership[]>()
  for await (const records of scan(log, { topic: slots.name, partition: 0 }, { tell: findings.unreadable }))
    for (const { key, value } of readRecords(slots, 0, records, findings.unreadable))
      if (value === null) histories.delete(key.slotId)
      else histories.set(key.slotId, value.history)
  return (slotId, blockNumber, forks) => {
    let owner: SlotOwnership | undefined
    for (const entry of histories.get(slotId) ?? []) {
      const isThere = entry.sinceFork <= forks && (entry.untilFork === 0 || entry.untilFork > forks)
      if (isThere && entry.sinceBlock <= blockNumber) owner = entry
    }
    return owner
  }
}
