/** The table of slots in the log, and whether it says of them what the registry on the chain does. */
import { type SlotChange, ZERO_ADDRESS } from '../../connectors/evm/contract/chain-reader.ts'
import type { SlotOwner } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import type { Topics } from '../../topology/topics.ts'
import { silently } from './read.ts'
import { scan, scanTopic } from './scan.ts'

export interface PlacedSlot {
  readonly slotId: number
  /** The place of its newest row in `slots`. */
  readonly offset: number
  readonly row: SlotOwner
}

export interface SlotTable {
  /** The newest block that the ticks tell of; undefined when they tell of none. The rows have all that changed up to it. */
  readonly head: { readonly number: number; readonly hash: string } | undefined
  /** As many as the registry gives numbers, at most; and what somebody else put there. */
  readonly slots: ReadonlyMap<number, PlacedSlot>
}

/** Reads it. @throws LogError */
export async function readSlotTable(log: Log, topics: Pick<Topics, 'slots' | 'epochTicks'>): Promise<SlotTable> {
  const head = await newestBlock(log, topics) // first: rows are written before the tick of their block
  const slots = new Map<number, PlacedSlot>()
  for await (const { partition, records } of scanTopic(log, topics.slots, silently))
    for (const { key, value, offset } of readRecords(topics.slots, partition, records, silently))
      if (value) slots.set(key.slotId, { slotId: key.slotId, offset, row: value })
      else slots.delete(key.slotId)
  return { head, slots }
}

const TICKS_ASKED = 500

async function newestBlock(log: Log, { epochTicks }: Pick<Topics, 'epochTicks'>): Promise<SlotTable['head']> {
  const at = { topic: epochTicks.name, partition: 0 }
  const [bounds] = await log.bounds([at])
  const heads: { readonly number: number; readonly hash: string }[] = []
  for await (const records of scan(log, at, { from: bounds!.stable - TICKS_ASKED, tell: silently }))
    for (const { value } of readRecords(epochTicks, 0, records, silently)) {
      if (value?.kind === 'HEAD') heads.push({ number: value.blockNumber, hash: value.blockHash })
      while (value?.kind === 'ORPHAN' && heads.length > 0 && heads.at(-1)!.number >= value.blockNumber) heads.pop()
    }
  return heads.at(-1)
}

export interface SlotDifference {
  readonly slotId: number
  readonly offset: number
  /** In words. */
  readonly message: string
}

/** Owners of slots in the registry as of the block; undefined when the node does not have the state of that block. */
export type ReadRegistry = (slotIds: readonly number[]) => Promise<readonly SlotChange[] | undefined>

const SLOTS_AT_ONCE = 400

/**
 * The rows that say otherwise than the registry. Suspended slots are left out: by the rules they are nobody's for a time.
 * @returns undefined when the node does not have the state of the block
 */
export async function differingSlots(
  { head, slots }: SlotTable,
  read: ReadRegistry,
  some: Iterable<PlacedSlot> = slots.values(),
): Promise<readonly SlotDifference[] | undefined> {
  if (!head) return []
  const differing: SlotDifference[] = []
  const asked: (PlacedSlot & { readonly said: Owner })[] = []
  for (const placed of some) {
    const { slotId, row } = placed
    const said = ownerAt(row, head.number)
    if (!Number.isSafeInteger(slotId) || slotId <= 0)
      differing.push({ ...placed, message: `there is no slot ${slotId}` })
    else if (said.owner !== SUSPENDED) asked.push({ ...placed, said })
  }
  for (let at = 0; at < asked.length; at += SLOTS_AT_ONCE) {
    const part = asked.slice(at, at + SLOTS_AT_ONCE)
    const found = await read(part.map(({ slotId }) => slotId))
    if (!found) return undefined
    for (const [i, { slotId, offset, said }] of part.entries()) {
      const { owner, active } = found[i]!
      if (said.owner === owner && said.active === active) continue
      const message = `slot ${slotId} is ${inWords(said)}, and the registry has it ${inWords({ owner, active })} as of block ${head.number}`
      differing.push({ slotId, offset, message })
    }
  }
  return differing
}

/** So many rows for a quick look: half of them the newest, which nobody has read yet, the others spread over the rest. */
export function sampleOf({ slots }: SlotTable, most: number): readonly PlacedSlot[] {
  const newestFirst = [...slots.values()].sort((a, b) => b.offset - a.offset)
  const newest = newestFirst.slice(0, Math.ceil(most / 2))
  const rest = newestFirst.slice(newest.length)
  const step = Math.max(1, rest.length / Math.max(1, most - newest.length))
  const spread = Array.from(
    { length: Math.min(rest.length, most - newest.length) },
    (_, i) => rest[Math.floor(i * step)]!,
  )
  return [...newest, ...spread]
}

/** The owner that a suspended slot has in its row. */
const SUSPENDED = ''

type Owner = Pick<SlotChange, 'owner' | 'active'>

/** A slot of which a row tells nothing up to the block is nobody's, and so it has to be in the registry. */
const NOBODY: Owner = { owner: ZERO_ADDRESS, active: false }

/** On the chain as it is. */
const ownerAt = ({ history }: SlotOwner, block: number): Owner =>
  history.findLast(({ sinceBlock, untilFork }) => untilFork === 0 && sinceBlock <= block) ?? NOBODY

const inWords = ({ owner, active }: Owner): string =>
  `${owner.slice(0, ADDRESS_LENGTH)}’s, ${active ? 'active' : 'not active'}`
const ADDRESS_LENGTH = 42
