/** Days of the ledger against days of the contract: the differences, and whether each has a reason. */
import type { DayStatus, SlotDayStatus } from '../../reading/day.ts'
import type { DayOnChain, SlotOnChain } from '../../reading/day-on-chain.ts'

/**
 * - `LOWER_ON_CHAIN`, `HIGHER_ON_CHAIN`: another count than the ledger's.
 * - `NOT_PAID`: it has the quota, the day is closed, and the contract has not paid it.
 * - `PAID_BELOW_QUOTA`: the contract has paid it.
 * - `MARKED_UNPAID`: the contract has marked it, and credited it nothing: it takes nothing more of it for the day.
 */
export type DriftKind = 'LOWER_ON_CHAIN' | 'HIGHER_ON_CHAIN' | 'NOT_PAID' | 'PAID_BELOW_QUOTA' | 'MARKED_UNPAID'

export interface SlotDrift {
  readonly slotId: number
  readonly kind: DriftKind
  readonly counted: number
  readonly onChain: number
  readonly paid: boolean
}

export interface DayReport {
  readonly dataMarket: string
  readonly day: number
  readonly standing: DayStatus['standing']
  /** Block as of which the contract was asked. */
  readonly block: number
  /** Slots that were compared. */
  readonly slots: number
  readonly eligibleNodes: { readonly told: number; readonly onChain: number }
  /** Slots that the contract has paid. */
  readonly paid: number
  /** Slots that it has marked and paid nothing, whatever the ledger has of them. */
  readonly markedUnpaid: {
    readonly slots: number
    /** Ascending, at most FIRST_SHOWN. */
    readonly first: readonly number[]
    /** Loss of all of them, by the pool of now; decimal, in the smallest unit of the coin. */
    readonly amount: string
  }
  /** Somebody else has fixed the number. */
  readonly numberFound: boolean
  /** Slots that differ since the contract is not told yet, since the ledger does not have the whole day, or since they are burned. */
  readonly explained: number
  /** Slots that differ without such a reason; ascending. */
  readonly drift: readonly SlotDrift[]
  /** The day is closed on the contract with another number than what was sent; or by somebody else, with another one than of the slots paid. */
  readonly otherNumber: boolean
}

const FIRST_SHOWN = 10

const NOTHING = { counted: 0, standing: 'COUNTED' as const, leftOut: null }

/**
 * @param slots rows of the ledger
 * @param asked slots that the contract was asked about, in the order of `onChain.slots`
 */
export function compareDay(
  status: DayStatus,
  slots: readonly SlotDayStatus[],
  asked: readonly number[],
  onChain: DayOnChain,
): DayReport {
  const rows = new Map(slots.map((slot) => [slot.slotId, slot]))
  const drift: SlotDrift[] = []
  const marked: number[] = []
  let [explained, paid, unpaid] = [0, 0, 0]
  for (const [i, slotId] of asked.entries()) {
    const there = onChain.slots[i]!
    if (there.paid) paid++
    else if (there.marked) marked.push(slotId)
    else if (isOwed(status, rows.get(slotId))) unpaid++
    const kind = kindOf(status, rows.get(slotId) ?? NOTHING, there)
    if (kind === 'explained') explained++
    else if (kind)
      drift.push({ slotId, kind, counted: rows.get(slotId)?.counted ?? 0, onChain: there.count, paid: there.paid })
  }
  const { dataMarket, day, standing, closing } = status
  const told = closing?.eligibleNodes ?? 0
  return {
    dataMarket,
    day,
    standing,
    block: onChain.block,
    slots: asked.length,
    eligibleNodes: { told, onChain: onChain.eligibleNodes },
    paid,
    markedUnpaid: {
      slots: marked.length,
      first: marked.slice(0, FIRST_SHOWN),
      amount: `${onChain.share * BigInt(marked.length)}`,
    },
    numberFound: closing?.numberFound ?? false,
    explained,
    drift,
    otherNumber: isOtherNumber(
      status,
      told,
      onChain.eligibleNodes,
      asked.length < slots.length ? undefined : { paid: paid + marked.length, unpaid },
    ),
  }
}

/**
 * While the day is being closed the number may be there before its receipt is. Where no call of ours fixed one, that of another
 * sequencer is right when as many slots are paid or marked, or could be: a slot may have been burned since.
 * @param slots undefined: not all were asked about; paid are those that are marked, too
 */
function isOtherNumber(
  { standing, closing }: DayStatus,
  told: number,
  onChain: number,
  slots: { readonly paid: number; readonly unpaid: number } | undefined,
): boolean {
  if (standing === 'CLOSING') return told !== 0 && onChain !== 0 && told !== onChain
  if (closing?.numberFound && slots) return onChain < slots.paid || onChain > slots.paid + slots.unpaid
  if (standing === 'COUNTING' || told !== 0) return told !== onChain
  return slots !== undefined && slots.paid !== onChain
}

const isOwed = ({ closing, quota }: DayStatus, row: Pick<SlotDayStatus, 'counted'> | undefined): boolean =>
  row !== undefined && row.counted > 0 && row.counted >= (closing?.quota || quota)

function kindOf(
  { standing, whole, quota, closing }: DayStatus,
  row: Pick<SlotDayStatus, 'counted' | 'standing' | 'leftOut'>,
  { count, marked, paid }: SlotOnChain,
): DriftKind | 'explained' | undefined {
  const isToCome = standing === 'COUNTING' || standing === 'CLOSING' || standing === 'COUNTED'
  if (!whole) return count === row.counted ? undefined : 'explained'
  if (marked && !paid) return 'MARKED_UNPAID'
  if (count > row.counted) return 'HIGHER_ON_CHAIN'
  const isBurned = row.leftOut?.reason === 'UNAVAILABLE' && !paid // no alert tells it, and the contract passes it over for good
  if (count < row.counted) return isToCome || isBurned ? 'explained' : 'LOWER_ON_CHAIN'
  const isEligible = count > 0 && count >= (closing?.quota || quota)
  if (paid && !isEligible) return 'PAID_BELOW_QUOTA'
  const isOver = standing === 'CLOSED' || standing === 'UNPAID'
  if (!isOver || !isEligible || paid) return undefined
  return isBurned ? 'explained' : 'NOT_PAID'
}

export const driftOf = ({ drift, otherNumber }: DayReport): number => drift.length + (otherNumber ? 1 : 0)
