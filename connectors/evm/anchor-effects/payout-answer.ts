/** The part of a payout that is to be sent, given the contract's state (decision 0039). Pure. */
import type { LeftOutReason, Payout, PayoutAnswer } from '../../../schemas/types.ts'
import { bitsOf, hasBit, type SentCall } from './payout-call.ts'
import type { PayoutFacts, SlotFacts } from './payout-facts.ts'

/** The fate of one slot. */
type Part = 'IN_CALL' | 'PRESENT' | LeftOutReason

interface Parts {
  readonly parts: readonly Part[]
  /** The call pays somebody. */
  readonly isPaying: boolean
}

/**
 * @param heldTo the quota with which the run has paid; 0 while it has not. It holds while the contract has a number of eligible
 * nodes: another quota would be another number.
 */
export function answerOf(payout: Payout, facts: PayoutFacts, heldTo: number): PayoutAnswer {
  const quota = facts.eligibleNodes > 0 && heldTo > 0 ? heldTo : facts.quota
  const { parts, isPaying } = payout.purpose === 'COUNTS' ? countsOf(payout, facts) : closingOf(payout, facts, quota)
  const number = numberOf(payout, facts, { isPaying, isCall: parts.includes('IN_CALL'), quota, heldTo })
  const { present, leftOut } = restOf(payout, facts, parts)
  const paidBefore = paidIn(payout, facts)
  const lost = payout.purpose === 'CLOSING' ? raisedAbove(payout, facts, quota, parts) : []
  return {
    slots: bitsOf(parts.map((part) => part === 'IN_CALL')),
    ...number,
    numberFound: facts.eligibleNodes > 0 && number.eligibleNodes > 0 && heldTo === 0,
    contractQuota: facts.quota,
    present,
    paidBefore,
    paid: paidBefore.length,
    leftOut: [...leftOut, ...lost].sort((a, b) => a.slotId - b.slotId),
  }
}

/**
 * Once there is a number, every call of a closing carries it while any remain, also one that is to pay nobody: by a quota that is lowered
 * ahead of it in its block it pays after all. Such a call holds the run to no quota.
 */
function numberOf(
  { purpose }: Payout,
  { eligibleNodes, remaining, eligibleLeft }: PayoutFacts,
  call: { readonly isPaying: boolean; readonly isCall: boolean; readonly quota: number; readonly heldTo: number },
): Pick<PayoutAnswer, 'eligibleNodes' | 'quota'> {
  const { isPaying, isCall, quota, heldTo } = call
  if (isPaying) return { eligibleNodes: eligibleNodes > 0 ? eligibleNodes : eligibleLeft, quota }
  if (isCall && purpose === 'CLOSING' && remaining > 0) return { eligibleNodes, quota: heldTo }
  return { eligibleNodes: 0, quota }
}

/**
 * Nothing once the day is being closed: the call would mark slots as paid, and pay them nothing. And no slot at the quota: somebody else may
 * begin to close the day ahead of the call in its block.
 */
function countsOf({ submissions }: Payout, { slots, eligibleNodes, quota }: PayoutFacts): Parts {
  const parts = slots.map((slot, at): Part => {
    const counted = submissions[at]!
    if (slot.count === counted) return 'PRESENT'
    if (eligibleNodes > 0) return 'DAY_CLOSED'
    const part = countOf(slot, counted)
    return part === 'IN_CALL' && counted >= quota ? 'QUOTA_LOWERED' : part
  })
  return { parts, isPaying: false }
}

function closingOf({ submissions, quota: ofDay }: Payout, facts: PayoutFacts, quota: number): Parts {
  const { slots, eligibleNodes, remaining } = facts
  const earned = earnedAt(ofDay, quota)
  let free = eligibleNodes > 0 ? remaining : facts.eligibleLeft
  let isPaying = false
  const parts = slots.map((slot, at): Part => {
    const counted = submissions[at]!
    if (slot.isMarked) return markedPart(slot, counted, earned)
    const isToBePaid = counted >= quota && counted >= facts.quota
    if (!isToBePaid) {
      if (slot.count === counted) return 'PRESENT'
      return counted >= facts.quota ? 'QUOTA_LOWERED' : countOf(slot, counted) // lowered: any call would pay it, of another's share
    }
    if (!slot.isAvailable) return 'UNAVAILABLE'
    if (free === 0) return 'NONE_REMAINING'
    free--
    isPaying = true
    return 'IN_CALL'
  })
  return { parts: parts.includes('IN_CALL') ? parts.map(toldAgain(submissions, facts)) : parts, isPaying }
}

/** Nothing can be sent of such a slot, whatever is lacking. @param earned the count with which it has earned the day */
function markedPart({ count, isPaid }: SlotFacts, counted: number, earned: number): Part {
  if (!isPaid && (counted >= earned || count !== counted)) return 'MARKED_UNPAID'
  return count === counted ? 'PRESENT' : 'PAID_OTHERWISE'
}

/**
 * A count that is there already was told by a call that may leave the chain, and nobody tells it again behind the end of the day. So
 * a closing that makes a call tells it once more; where no call is needed, the depth is waited for.
 */
const toldAgain =
  (submissions: readonly number[], { slots, quota }: PayoutFacts) =>
  (part: Part, at: number): Part => {
    const { isMarked, isAvailable } = slots[at]!
    // At the quota of now the call would pay it, which it is not for; a burned slot is passed over.
    const isFree = !isMarked && isAvailable && submissions[at]! < quota
    return part === 'PRESENT' && isFree ? 'IN_CALL' : part
  }

function countOf({ count, isAvailable }: SlotFacts, counted: number): Part {
  if (count === counted) return 'PRESENT'
  if (!isAvailable) return 'UNAVAILABLE'
  return count < counted ? 'IN_CALL' : 'HIGHER_ON_CHAIN'
}

function restOf({ slotIds, submissions }: Payout, { slots }: PayoutFacts, parts: readonly Part[]) {
  const leftOut = parts.flatMap((reason, at) =>
    reason === 'IN_CALL' || reason === 'PRESENT'
      ? []
      : [{ slotId: slotIds[at]!, counted: submissions[at]!, onChain: slots[at]!.count, reason }],
  )
  return { present: parts.filter((part) => part === 'PRESENT').length, leftOut }
}

/**
 * Slots whose count is sent or there already, and that are not paid since the quota was raised above it: behind the last release of the
 * day, or since the run has paid.
 */
function raisedAbove(
  { slotIds, submissions, quota: ofDay }: Payout,
  { slots, quota: now }: PayoutFacts,
  quota: number,
  parts: readonly Part[],
): PayoutAnswer['leftOut'][number][] {
  const earned = earnedAt(ofDay, quota)
  return parts.flatMap((part, at) => {
    const counted = submissions[at]!
    const isLost =
      counted >= earned && counted < now && !slots[at]!.isMarked && (part === 'IN_CALL' || part === 'PRESENT')
    return isLost ? [{ slotId: slotIds[at]!, counted, onChain: slots[at]!.count, reason: 'QUOTA_RAISED' as const }] : []
  })
}

/** The count with which a slot has earned the day. @param ofDay the quota as of its CLOSE; 0 where an older payout does not say it */
const earnedAt = (ofDay: number, quota: number): number => (ofDay > 0 ? Math.min(ofDay, quota) : quota)

/** The contract takes nothing of the day any more. Nothing is left out where somebody else has told and paid all of it. */
export function dayOver(payout: Payout, facts: PayoutFacts): PayoutAnswer {
  const earned = earnedAt(payout.quota, facts.quota)
  const parts = facts.slots.map((slot, at): Part => {
    const counted = payout.submissions[at]!
    const [isThere, isCount] = [slot.count === counted, payout.purpose === 'COUNTS']
    if (slot.isMarked && !isCount) return markedPart(slot, counted, earned)
    return isThere && (isCount || counted < earned) ? 'PRESENT' : 'DAY_OVER'
  })
  const { present, leftOut } = restOf(payout, facts, parts)
  const paidBefore = paidIn(payout, facts)
  const about = { eligibleNodes: 0, quota: facts.quota, contractQuota: facts.quota, numberFound: false }
  return { slots: bitsOf([]), ...about, present, paidBefore, paid: paidBefore.length, leftOut }
}

/**
 * Slots that have earned the day are below a quota that was raised, and could be paid if it were put back while the contract still takes calls of
 * the day: the payout waits for that, for with its call they would lose the day.
 */
export const waitsForQuota = ({ eligibleNodes, remaining }: PayoutFacts, { leftOut }: PayoutAnswer): boolean =>
  (eligibleNodes === 0 || remaining > 0) && leftOut.some(({ reason }) => reason === 'QUOTA_RAISED')

const paidIn = ({ slotIds }: Payout, { slots }: PayoutFacts): number[] => slotIds.filter((_, at) => slots[at]!.isPaid)

/**
 * The outcome of the call: slots of it may have become unavailable, or the quota another one, by the time it was mined.
 * @returns with only these left out, and with only those paid that were not to be
 */
export function outcomeOf(payout: Payout, sent: SentCall, facts: PayoutFacts): PayoutAnswer {
  const { slotIds, submissions, quota: ofDay, purpose } = payout
  const held = sent.quota > 0 ? sent.quota : sent.contractQuota
  const earned = earnedAt(ofDay, held)
  const isIn = (at: number): boolean => hasBit(sent.slots, at)
  const leftOut = facts.slots.flatMap((slot, at) => {
    const [slotId, counted] = [slotIds[at]!, submissions[at]!]
    const isOwed = purpose === 'CLOSING' && counted >= earned
    const reason = isIn(at) ? whyOtherwise(slot, counted, isOwed, facts) : undefined
    return reason ? [{ slotId, counted, onChain: slot.count, reason }] : []
  })
  const isToBePaid = (at: number): boolean => submissions[at]! >= Math.max(held, sent.contractQuota)
  const paid = slotIds.flatMap((_, at) => (isIn(at) && facts.slots[at]!.isPaid ? [at] : []))
  const paidBefore = paid.filter((at) => !isToBePaid(at)).map((at) => slotIds[at]!)
  const { slots, quota, contractQuota } = sent
  const number = numberThen(sent, facts)
  return { slots, ...number, quota, contractQuota, present: 0, paidBefore, paid: paid.length, leftOut }
}

/** The contract's number: somebody else may have fixed one ahead of the call in its block, and the contract passes over that of the call. */
function numberThen(
  { eligibleNodes: told }: SentCall,
  { eligibleNodes }: PayoutFacts,
): Pick<PayoutAnswer, 'eligibleNodes' | 'numberFound'> {
  const isOther = told > 0 && eligibleNodes > 0 && told !== eligibleNodes
  return { eligibleNodes: isOther ? eligibleNodes : told, numberFound: isOther }
}

function whyOtherwise(
  { count, isMarked, isPaid, isAvailable }: SlotFacts,
  counted: number,
  isOwed: boolean,
  { quota }: PayoutFacts,
): LeftOutReason | undefined {
  if (isMarked && !isPaid) return 'MARKED_UNPAID'
  if (count === counted && (isPaid || !isOwed)) return undefined
  if (!isAvailable) return 'UNAVAILABLE'
  if (count > counted) return 'HIGHER_ON_CHAIN'
  return isOwed && counted < quota ? 'QUOTA_RAISED' : 'UNKNOWN'
}
