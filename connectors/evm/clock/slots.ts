import type { SlotOwner } from '../../../schemas/types.ts'
import {
  type ContractAddresses,
  nodesAddress,
  type SlotChange,
  type StateAt,
  slotAt,
  slotCount,
  Unreadable,
  ZERO_ADDRESS,
} from '../contract/chain-reader.ts'
import { isUnreadable } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import type { Rpc } from '../nodes/rpc.ts'
import type { BlockRead } from './chain-steps.ts'
import type { SlotTable } from './slot-table.ts'

/** Calls in flight at once; they travel in JSON-RPC batches of the size set for the endpoint. */
const SLOTS_AT_ONCE = 400

/** A registry with more is none: reading it would take hours. The deployed one has some ten thousand. */
const SLOTS_MAX = 2 ** 18

/** Every slot as of a block. One call per slot, since a chain may lack Multicall3. */
export const readAllSlots = (ask: Ask, addresses: ContractAddresses, at: StateAt): Promise<SlotChange[]> =>
  ofRegistry(ask, addresses, at, (state) => slotsOf(ask, addresses, state), [])

/** How many slots there are now. */
export const countSlots = (ask: Ask, addresses: ContractAddresses): Promise<number> =>
  ofRegistry(ask, addresses, 'latest', (state) => slotCountOf(ask, addresses, state), 0)

/** Reads these slots as of a block. */
export const readSlots = (
  ask: Ask,
  addresses: ContractAddresses,
  slotIds: readonly number[],
  at: StateAt,
): Promise<SlotChange[]> =>
  ofRegistry(ask, addresses, at, (state) => someSlots(ask, addresses, slotIds, state), slotIds.map(nobodys))

/** The same for who knows no registry: of the one that ProtocolState names as of the block. */
export const slotsAt = (
  rpc: Pick<Rpc, 'read'>,
  protocolState: string,
  slotIds: readonly number[],
  at: StateAt,
): Promise<SlotChange[]> =>
  rpc.read(async (ask) => {
    const nodes = await nodesAddress(ask, protocolState, at)
    return readSlots(ask, { protocolState, nodes }, slotIds, at)
  })

/**
 * The address that ProtocolState names need not be a registry. Such an address is waited for: a node that says so for another
 * reason must not take the slots away from everybody. Once another address is named, there were none; once there is a registry at
 * this one, its present words hold.
 */
async function ofRegistry<T>(
  ask: Ask,
  { protocolState, nodes }: ContractAddresses,
  at: StateAt,
  read: (state: StateAt) => Promise<T>,
  none: T,
): Promise<T> {
  try {
    return await read(at)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    if (at !== 'latest' && (await nodesAddress(ask, protocolState, 'latest')) !== nodes) return none
    if (at !== 'latest') return ofRegistry(ask, { protocolState, nodes }, 'latest', read, none)
    throw noRegistry({ protocolState, nodes }, error)
  }
}

const noRegistry = ({ protocolState, nodes }: ContractAddresses, cause: Error): EvmError =>
  new EvmError(
    'NO_REGISTRY',
    `ProtocolState ${protocolState} names ${nodes} as the registry of slots (snapshotterState), and what the slots of it are ` +
      `read by (getTotalNodeCount, nodeInfo) is refused (${cause.message}): there is no such registry at that address. Nothing ` +
      'is written; the owner of ProtocolState has to name the right one (updateSnapshotterState)',
    { retriable: true, cause },
  )

async function slotsOf(ask: Ask, addresses: ContractAddresses, at: StateAt): Promise<SlotChange[]> {
  const count = await slotCountOf(ask, addresses, at)
  const slots: SlotChange[] = []
  for (let first = 1; first <= count; first += SLOTS_AT_ONCE) {
    const ids = Array.from({ length: Math.min(SLOTS_AT_ONCE, count + 1 - first) }, (_, i) => first + i)
    slots.push(...(await someSlots(ask, addresses, ids, at)))
  }
  return slots
}

async function slotCountOf(ask: Ask, { protocolState, nodes }: ContractAddresses, at: StateAt): Promise<number> {
  const count = await slotCount(ask, protocolState, at)
  if (count <= SLOTS_MAX) return count
  throw new Unreadable(`${nodes} is said to have ${count} slots (getTotalNodeCount), and ${SLOTS_MAX} is the most`)
}

const someSlots = (
  ask: Ask,
  { nodes }: ContractAddresses,
  slotIds: readonly number[],
  at: StateAt,
): Promise<SlotChange[]> => Promise.all(slotIds.map((slotId) => slotAt(ask, nodes, slotId, at)))

const nobodys = (slotId: number): SlotChange => ({ slotId, owner: ZERO_ADDRESS, active: false })

/** All slots as of a block. */
export interface SlotReading {
  readonly block: number
  readonly slots: readonly SlotChange[]
}

/** Slots that are in the table and no longer in the registry, as a reading: nobody has them. */
export const slotsGone = (table: SlotTable, read: readonly SlotChange[]): SlotChange[] => {
  const there = new Set(read.map(({ slotId }) => slotId))
  return table.ids().flatMap((slotId) => (there.has(slotId) ? [] : [nobodys(slotId)]))
}

/**
 * Brings the table up to the last of `blocks`: by their events, and by a full reading as of one of them, which stands for the
 * events of that block and of the blocks before it.
 * @param anew slots read again as of the last block: those whose suspension is over, and those whose events came late
 * @returns the rows to be written, the last of each slot
 */
export function followSlots(
  table: SlotTable,
  blocks: readonly Pick<BlockRead, 'header' | 'slotChanges'>[],
  reading: SlotReading | undefined,
  anew: { readonly resumed: readonly SlotChange[]; readonly late: readonly SlotChange[] },
): SlotOwner[] {
  const changed = new Map<number, SlotOwner>()
  for (const { header, slotChanges } of blocks) {
    table.apply(slotChanges, header.number).forEach((row) => void changed.set(row.slotId, row))
    if (reading?.block !== header.number) continue
    table.apply(reading.slots, header.number).forEach((row) => void changed.set(row.slotId, row))
  }
  const last = blocks.at(-1)!.header.number
  for (const row of [...table.apply(anew.late, last), ...table.resume(anew.resumed, last)]) changed.set(row.slotId, row)
  return [...changed.values()]
}

/** At the first block ever, and at the last one of a step when it is due again, or nothing else tells what the slots are. */
export async function slotReading(
  blocks: readonly BlockRead[],
  readAt: number | undefined,
  reading: (header: BlockRead['header']) => Promise<readonly SlotChange[]>,
  { rereadBlocks, isUnknown }: { readonly rereadBlocks: number; readonly isUnknown: boolean },
): Promise<SlotReading | undefined> {
  const last = blocks.at(-1)!.header
  const isDue = readAt === undefined || (rereadBlocks > 0 && last.number - readAt >= rereadBlocks)
  if (!isDue && !isUnknown) return undefined
  const header = isUnknown || readAt !== undefined ? last : blocks[0]!.header
  return { block: header.number, slots: await reading(header) }
}
