/** The slots that a closing has paid, and whether somebody else's number is that of the slots. Pure. */
import { isNone } from '../../schemas/none.ts'
import type { LeftOutReason, Payment, Payout } from '../../schemas/types.ts'

interface Part {
  readonly payout: Payout | undefined
  readonly payment: Payment | undefined
}

interface Closed {
  readonly paid: number | null
  readonly closing: {
    readonly eligibleNodes: number
    readonly numberFound: boolean
    readonly leftOut: Partial<Record<LeftOutReason, number>>
    readonly unpaid: number
  } | null
}

/** Null: nobody has looked who was paid, and the list of the closing is no longer in the log. */
export function paidOf(closing: readonly Part[]): number | null {
  let paid = 0
  for (const { payout, payment } of closing) {
    if (payment && !isNone(payment.paid)) {
      paid += payment.paid
      continue
    }
    paid += payment?.paidBefore.length ?? 0
    if (payment?.paymentState !== 'FINAL' || payment.quota === 0) continue
    if (!payout) return null
    const without = new Set([...payment.leftOut.map(({ slotId }) => slotId), ...payment.paidBefore])
    for (const [i, slotId] of payout.slotIds.entries())
      if (payout.submissions[i]! >= payment.quota && !without.has(slotId)) paid++
  }
  return paid
}

/**
 * By how many slots a number that somebody else has fixed is above all that are paid by it or could be: each gets so much less. Once
 * the day is closed; a number that is too small tells itself by the slots that are left out.
 */
export function aboveAllPaid({ paid, closing }: Closed): number {
  if (!closing?.numberFound || paid === null) return 0
  const leftOut = Object.values(closing.leftOut).reduce((sum, slots) => sum + slots, 0)
  return Math.max(0, closing.eligibleNodes - paid - leftOut - closing.unpaid)
}

/** Slots with the quota that the closing has neither paid nor left out. */
export function withoutCall({ paid, closing, eligibleSlots }: Closed & { readonly eligibleSlots: number }): number {
  if (!closing || paid === null) return 0
  const leftOut = Object.values(closing.leftOut).reduce((sum, slots) => sum + slots, 0)
  return Math.max(0, eligibleSlots - paid - leftOut - closing.unpaid)
}
