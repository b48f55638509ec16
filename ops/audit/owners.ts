import type { SlotOwnership } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import { scan } from '../log-reading/scan.ts'

/** The owner of a slot as of a block; undefined when there was none yet. */
export type OwnerAt = (slotId: number, blockNumber: number) => SlotOwnership | undefined

/** Reads `slots` whole: a row carries the owners of its slot over time. */
export async function readOwners(log: Log, { slots }: Topics): Promise<OwnerAt> {
  const histories = new Map<number, readonly SlotOwnership[]>()
  for await (const records of scan(log, { topic: slots.name, partition: 0 }))
    for (const { key, value } of records) {
      if (key === null) continue
      const { slotId } = slots.key.decode(key)
      if (value === null) histories.delete(slotId)
      else histories.set(slotId, slots.value.decode(value).history)
    }
  return (slotId, blockNumber) => histories.get(slotId)?.findLast(({ sinceBlock }) => sinceBlock <= blockNumber)
}
