/** A day of a market as the ledger keeps it: which epochs it has, and what they add up to. Pure. */
import { isNone, NONE } from '../../schemas/none.ts'
import type { Day, EpochRange, EpochTick, SlotDay } from '../../schemas/types.ts'
import type { Votes } from '../shared/tally.ts'

/** Each gap is an epoch that the ledger never had; with more the lowest ranges become one. */
export const EPOCH_RANGES_MAX = 64

const NEW_DAY: Day = {
  ended: false,
  whole: false,
  quota: 0,
  epochs: [],
  merged: false,
  closed: 0,
  late: 0,
  slots: 0,
  accepted: 0,
  counted: 0,
  eligibleSlots: 0,
  lastEpoch: 0,
  closeBlock: 0,
  firstBlock: NONE,
  payouts: 0,
  paidUpTo: 0,
}

export const hasCounted = (day: Day | undefined, epochId: number): boolean =>
  day?.epochs.some(({ first, last }) => first <= epochId && epochId <= last) ?? false

/** With one more epoch, but for what the slots add up to. Those before it that opened none are counted with it. */
export function withEpoch(before: Day = NEW_DAY, tick: EpochTick): Day {
  const { epochId, dailyQuota, skippedFrom, refusedFrom, blockNumber } = tick
  const isNewest = before.epochs.every(({ last }) => last < epochId)
  const added = { first: refusedFrom || skippedFrom || epochId, last: epochId }
  const joined = joinedRanges([...before.epochs, added])
  const isTooMany = joined.length > EPOCH_RANGES_MAX
  const [lowest, next, ...rest] = joined
  return {
    ...before,
    quota: isNewest ? dailyQuota : before.quota,
    epochs: isTooMany ? [{ first: lowest!.first, last: next!.last }, ...rest] : joined,
    merged: before.merged || isTooMany,
    closed: before.closed + 1,
    late: before.late + (before.ended ? 1 : 0),
    lastEpoch: epochId,
    closeBlock: blockNumber,
    firstBlock: firstBlock(before, tick),
  }
}

/** NONE where an epoch does not say its release block, or an older ledger has counted one. */
function firstBlock({ closed, firstBlock: before }: Day, { releaseBlock }: EpochTick): number {
  if (releaseBlock === 0 || (closed > 0 && isNone(before))) return NONE
  return closed > 0 ? Math.min(before, releaseBlock) : releaseBlock
}

/** Ascending; neighbours are one. */
function joinedRanges(ranges: readonly EpochRange[]): EpochRange[] {
  const joined: EpochRange[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const below = joined.at(-1)
    if (below && range.first <= below.last + 1)
      joined[joined.length - 1] = { first: below.first, last: Math.max(below.last, range.last) }
    else joined.push(range)
  }
  return joined
}

/**
 * Whether the ledger has every epoch of the day so far: there is no gap, and the one before is of another day that the ledger
 * knows, or the market had none before.
 * @param others days of the market
 */
export function isWhole({ epochs, merged }: Day, others: Iterable<Day>): boolean {
  const [only, gap] = epochs
  if (merged || gap || !only) return false
  if (only.first === 1) return true
  for (const { epochs } of others) if (epochs.some(({ last }) => last === only.first - 1)) return true
  return false
}

export const slotWith = (before: SlotDay | undefined, { accepted, counted }: Votes, lastEpoch: number): SlotDay => ({
  accepted: (before?.accepted ?? 0) + accepted,
  counted: (before?.counted ?? 0) + counted,
  lastEpoch,
  inPayout: before?.inPayout ?? 0,
})

/** The change that one slot's step from `before` to `after` makes to the day. */
export const withSlot = (day: Day, before: SlotDay | undefined, after: SlotDay): Day => ({
  ...day,
  slots: day.slots + (before ? 0 : 1),
  accepted: day.accepted + after.accepted - (before?.accepted ?? 0),
  counted: day.counted + after.counted - (before?.counted ?? 0),
  eligibleSlots:
    day.eligibleSlots + (after.counted >= day.quota ? 1 : 0) - (before && before.counted >= day.quota ? 1 : 0),
})
