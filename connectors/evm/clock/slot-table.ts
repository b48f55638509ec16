import type { SlotOwner, SlotOwnership } from '../../../schemas/types.ts'
import type { SlotChange } from '../contract/chain-reader.ts'

/** How much of a slot's past is kept: a look-up as of a block that the log still holds must answer as it did then. */
export interface SlotRules {
  /** Blocks behind the newest for which every change is kept; more than the log holds submissions of. */
  readonly slotHistoryBlocks: number
  /**
   * Changes of one slot within them, also those whose block left the chain. With one more the slot is suspended: it is nobody's,
   * whatever happens on the chain, until half of them are older; then it is whose the chain says. So nothing that was ever
   * answered is forgotten, and who buys the slot later waits, but not for ever.
   */
  readonly slotChangesMax: number
}

/** Owner of a suspended slot: no address is empty. */
const NOBODY = ''

/**
 * The rows of the topic `slots`: every slot with its owners by block and fork. Each change gives back the rows to be written.
 * A change that a tick has told is not taken out when its block leaves the chain: a reader that has not been told of that yet
 * still answers by it, however far ahead the table was read.
 */
export class SlotTable {
  private fork = 0
  private readonly rows = new Map<number, SlotOwner>()
  private readonly suspended = new Set<number>()
  private readonly rules: SlotRules

  constructor(rules: SlotRules) {
    this.rules = rules
  }

  /** Takes a row as it lies in the log. */
  load(row: SlotOwner): void {
    this.rows.set(row.slotId, row)
    for (const { sinceFork, untilFork } of row.history) this.fork = Math.max(this.fork, sinceFork, untilFork)
    if (isSuspended(row)) this.suspended.add(row.slotId)
    else this.suspended.delete(row.slotId)
  }

  /** As many ORPHAN ticks as the rows know of. */
  get forks(): number {
    return this.fork
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
    return this.replace(free.map((change) => this.withEntry(change, block)))
  }

  /** Suspended slots whose time is over at the block: their owners are to be read as of it, for `resume`. */
  due(block: number): readonly number[] {
    return [...this.suspended].filter((slotId) => resumesAt(this.rows.get(slotId)!, this.rules) <= block)
  }

  /** Suspended slots as they are from `block` on. */
  resume(changes: readonly SlotChange[], block: number): SlotOwner[] {
    return this.replace(changes.map((change) => this.withEntry(change, block)))
  }

  /**
   * Blocks from `block` on left the chain: what they changed does not count from this fork on. A suspension stays, since there
   * are no fewer changes than before.
   */
  orphan(block: number): SlotOwner[] {
    this.fork++
    return this.change((entry) =>
      isOnChain(entry) && entry.sinceBlock >= block && entry.owner !== NOBODY
        ? { ...entry, untilFork: this.fork }
        : entry,
    )
  }

  /** Takes back what was written for ticks that never came: those end at this block, with so many forks. */
  goOnFrom(newest: number, forks: number): SlotOwner[] {
    this.fork = forks
    return this.change((entry) => {
      if (entry.untilFork > forks) return { ...entry, untilFork: 0 }
      return isOnChain(entry) && entry.sinceFork === forks && entry.sinceBlock > newest ? undefined : entry
    })
  }

  private change(changed: (entry: SlotOwnership) => SlotOwnership | undefined): SlotOwner[] {
    const rows = [...this.rows.values()]
    return this.replace(
      rows.map(({ slotId, history }) => ({ slotId, history: history.flatMap((entry) => changed(entry) ?? []) })),
    )
  }

  /** With the change as the newest entry; the same row when the slot is so already. */
  private withEntry({ slotId, owner, active }: SlotChange, sinceBlock: number): SlotOwner {
    // Changes that this fork has of later blocks have been told to nobody yet.
    const told =
      this.rows.get(slotId)?.history.filter((entry) => !isOnChain(entry) || entry.sinceBlock < sinceBlock) ?? []
    const last = told.findLast(isOnChain)
    if (last?.owner === owner && last.active === active) return { slotId, history: told }
    const horizon = sinceBlock - this.rules.slotHistoryBlocks
    const history = withoutOld(told, horizon)
    const recent = history.filter((entry) => entry.sinceBlock > horizon).length
    const fork = { sinceFork: this.fork, untilFork: 0 }
    history.push(
      recent >= this.rules.slotChangesMax
        ? { sinceBlock, owner: NOBODY, active: false, ...fork }
        : { sinceBlock, owner, active, ...fork },
    )
    return { slotId, history }
  }

  /** Keeps the rows that differ from what is there; at most one of each slot is given. */
  private replace(rows: readonly SlotOwner[]): SlotOwner[] {
    const changed = rows.filter(({ slotId, history }) => !sameHistory(this.rows.get(slotId)?.history ?? [], history))
    for (const row of changed) this.load(row)
    return changed
  }
}

/** True while the block of the change has not left the chain. */
const isOnChain = ({ untilFork }: SlotOwnership): boolean => untilFork === 0

/** Without what ended before the block: the last one on the chain from before it holds beyond. */
function withoutOld(history: readonly SlotOwnership[], block: number): SlotOwnership[] {
  const holds = history.findLastIndex((entry) => isOnChain(entry) && entry.sinceBlock <= block)
  return history.filter(({ sinceBlock }, i) => i === holds || sinceBlock > block)
}

const isSuspended = ({ history }: SlotOwner): boolean => history.findLast(isOnChain)?.owner === NOBODY

/** The first block by which half of the changes are old enough. */
function resumesAt({ history }: SlotOwner, { slotHistoryBlocks, slotChangesMax }: SlotRules): number {
  const newestFirst = history.map(({ sinceBlock }) => sinceBlock).toSorted((a, b) => b - a)
  return newestFirst[Math.min(newestFirst.length - 1, Math.floor(slotChangesMax / 2))]! + slotHistoryBlocks
}

const sameHistory = (a: readonly SlotOwnership[], b: readonly SlotOwnership[]): boolean =>
  a.length === b.length && a.every((entry, i) => isSame(entry, b[i]!))

const isSame = (a: SlotOwnership, b: SlotOwnership): boolean =>
  a.sinceBlock === b.sinceBlock &&
  a.owner === b.owner &&
  a.active === b.active &&
  a.sinceFork === b.sinceFork &&
  a.untilFork === b.untilFork
