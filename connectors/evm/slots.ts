import type { SlotOwner } from '../../schemas/types.ts'
import { type ContractAddresses, type SlotChange, type StateAt, slotAt, slotCount } from './chain-reader.ts'
import type { BlockRead } from './chain-steps.ts'
import type { Ask } from './rpc.ts'
import type { SlotTable } from './slot-table.ts'

/** Calls in flight at once; they travel in JSON-RPC batches of the size set for the endpoint. */
const SLOTS_AT_ONCE = 400

/** Every slot as of a block. One call per slot, since a chain may lack Multicall3. */
export async function readAllSlots(
  ask: Ask,
  { protocolState, nodes }: ContractAddresses,
  at: StateAt,
): Promise<SlotChange[]> {
  const count = await slotCount(ask, protocolState, at)
  const slots: SlotChange[] = []
  for (let first = 1; first <= count; first += SLOTS_AT_ONCE) {
    const ids = Array.from({ length: Math.min(SLOTS_AT_ONCE, count + 1 - first) }, (_, i) => first + i)
    slots.push(...(await Promise.all(ids.map((slotId) => slotAt(ask, nodes, slotId, at)))))
  }
  return slots
}

/** All slots as of a block. */
export interface SlotReading {
  readonly block: number
  readonly slots: readonly SlotChange[]
}

/**
 * Brings the table up to the last of `blocks`: by their events, and by a full reading as of one of them, which stands for
 * the events of that block and of those before it.
 * @returns the rows to be written, the last of each slot
 */
export function followSlots(
  table: SlotTable,
  blocks: readonly Pick<BlockRead, 'header' | 'slotChanges'>[],
  reading: SlotReading | undefined,
): SlotOwner[] {
  const changed = new Map<number, SlotOwner>()
  for (const { header, slotChanges } of blocks) {
    table.apply(slotChanges, header.number).forEach((row) => void changed.set(row.slotId, row))
    if (reading?.block !== header.number) continue
    table.apply(reading.slots, header.number).forEach((row) => void changed.set(row.slotId, row))
  }
  return [...changed.values()]
}
