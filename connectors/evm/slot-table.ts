import type { SlotOwner, SlotOwnership } from '../../schemas/types.ts'
import type { SlotChange } from './chain-reader.ts'

/** How much of a slot's past is kept: a look-up as of a block that the log still holds must answer as it did then. */
export interface SlotRules {
  /** Blocks behind the newest for which every change is kept; more than the log holds submissions of. */
  readonly slotHistoryBlocks: number
  /**
   * Changes of one slot within them. With one more the slot is suspended: it is nobody's, whatever happens on the chain, until
   * half of them are older; then it is whose the chain says. So nothing that was ever answered is forgotten, and who buys the
   * slot later waits, but not for ever.
   */
  readonly slotChangesMax: number
}

/** Owner of a suspended slot: no address is empty. */
const NOBODY = ''

/** The rows of the topic `slots`: every slot with its owners by block. Each change gives back the rows to be written. */
export class SlotTable {
  private readonly rows = new Map<number, SlotOwner>()
  private readonly suspended = new Set<number>()
  private readonly rules: SlotRules

  constructor(rules: SlotRules) {
    this.rules = rules
  }

  /** Takes a row as it lies in the log. */
  load(row: SlotOwner): void {
    this.rows.set(row.slotId, row)
    if (isSuspended(row)) this.suspended.add(row.slotId)
    else this.suspended.delete(row.slotId)
  }

  get(slotId: number): SlotOwner | undefined {
    return this.rows.get(slotId)
  }

  ids(): number[] {
    return [...this.rows.keys()]
  }

  get size(): number {
    return this.rows.size
  }

  /** Slots as they are from `block` on, the last of each; equal ones, and suspended ones, change nothing. */
  apply(changes: readonly SlotChange[], block: number): SlotOwner[] {
    const last = new Map(changes.map((change) => [change.slotId, change]))
    const free = [...last.values()].filter(({ slotId }) => !this.suspended.has(slotId))
    return this.replace(free.map((change) => withEntry(this.rows.get(change.slotId), change, block, this.rules)))
  }

  /** Suspended slots whose time is over at the block: their owners are to be read as of it, for `resume`. */
  due(block: number): readonly number[] {
    return [...this.suspended].filter((slotId) => resumesAt(this.rows.get(slotId)!, this.rules) <= block)
  }

  /** Suspended slots as they are from `block` on. */
  resume(changes: readonly SlotChange[], block: number): SlotOwner[] {
    return this.replace(changes.map((change) => withEntry(this.rows.get(change.slotId), change, block, this.rules)))
  }

  /** Blocks from `block` on left the chain, and what they changed with them. */
  orphan(block: number): SlotOwner[] {
    return this.replace([...this.rows.values()].map((row) => withoutEntriesFrom(row, block)))
  }

  /** Keeps the rows that differ from what is there; at most one of each slot is given. */
  private replace(rows: readonly SlotOwner[]): SlotOwner[] {
    const changed = rows.filter(({ slotId, history }) => !sameHistory(this.rows.get(slotId)?.history ?? [], history))
    for (const row of changed) this.load(row)
    return changed
  }
}

function withEntry(
  row: SlotOwner | undefined,
  { slotId, owner, active }: SlotChange,
  sinceBlock: number,
  rules: SlotRules,
): SlotOwner {
  const all = (row?.history ?? []).filter((entry) => entry.sinceBlock < sinceBlock)
  const last = all.at(-1)
  if (last?.owner === owner && last.active === active) return { slotId, history: all }
  const before = withoutOld(all, sinceBlock - rules.slotHistoryBlocks)
  const recent = before.filter((entry) => entry.sinceBlock > sinceBlock - rules.slotHistoryBlocks).length
  const isOneTooMany = recent >= rules.slotChangesMax
  return {
    slotId,
    history: [...before, isOneTooMany ? { sinceBlock, owner: NOBODY, active: false } : { sinceBlock, owner, active }],
  }
}

/** Without what ended before the block: the last one from before it holds beyond. */
const withoutOld = (history: readonly SlotOwnership[], block: number): SlotOwnership[] =>
  history.slice(
    Math.max(
      0,
      history.findLastIndex(({ sinceBlock }) => sinceBlock <= block),
    ),
  )

const isSuspended = ({ history }: SlotOwner): boolean => history.at(-1)?.owner === NOBODY

/** The first block by which half of the changes are old enough. */
const resumesAt = ({ history }: SlotOwner, { slotHistoryBlocks, slotChangesMax }: SlotRules): number =>
  history[Math.max(0, history.length - 1 - Math.floor(slotChangesMax / 2))]!.sinceBlock + slotHistoryBlocks

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
