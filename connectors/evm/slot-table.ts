import type { SlotOwner, SlotOwnership } from '../../schemas/types.ts'
import type { SlotChange } from './chain-reader.ts'

/** Entries of a row; the oldest go. */
export const SLOT_HISTORY_MAX = 64

/** The rows of the topic `slots`: every slot with its owners by block. Each change gives back the rows to be written. */
export class SlotTable {
  private readonly rows = new Map<number, SlotOwner>()

  /** Takes a row as it lies in the log. */
  load(row: SlotOwner): void {
    this.rows.set(row.slotId, row)
  }

  get(slotId: number): SlotOwner | undefined {
    return this.rows.get(slotId)
  }

  get size(): number {
    return this.rows.size
  }

  /** Slots as they are from `block` on, the last of each; equal ones change nothing. */
  apply(changes: readonly SlotChange[], block: number): SlotOwner[] {
    const last = new Map(changes.map((change) => [change.slotId, change]))
    return this.replace([...last.values()].map((change) => withEntry(this.rows.get(change.slotId), change, block)))
  }

  /** Blocks from `block` on left the chain, and what they changed with them. */
  orphan(block: number): SlotOwner[] {
    return this.replace([...this.rows.values()].map((row) => withoutEntriesFrom(row, block)))
  }

  /** Keeps the rows that differ from what is there; at most one of each slot is given. */
  private replace(rows: readonly SlotOwner[]): SlotOwner[] {
    const changed = rows.filter(({ slotId, history }) => !sameHistory(this.rows.get(slotId)?.history ?? [], history))
    for (const row of changed) this.rows.set(row.slotId, row)
    return changed
  }
}

function withEntry(row: SlotOwner | undefined, { slotId, owner, active }: SlotChange, sinceBlock: number): SlotOwner {
  const before = (row?.history ?? []).filter((entry) => entry.sinceBlock < sinceBlock)
  const last = before.at(-1)
  const history = last?.owner === owner && last.active === active ? before : [...before, { sinceBlock, owner, active }]
  return { slotId, history: history.slice(-SLOT_HISTORY_MAX) }
}

const withoutEntriesFrom = ({ slotId, history }: SlotOwner, block: number): SlotOwner => ({
  slotId,
  history: history.filter(({ sinceBlock }) => sinceBlock < block),
})

const sameHistory = (a: readonly SlotOwnership[], b: readonly SlotOwnership[]): boolean =>
  a.length === b.length &&
  a.every((entry, i) => {
    const { sinceBlock, owner, active } = b[i]!
    return entry.sinceBlock === sinceBlock && entry.owner === owner && entry.active === active
  })
