/** The call of updateRewards that a payout and the answer of its dry run make. */
import type { AnchorKey, Payout, PayoutAnswer } from '../../../schemas/types.ts'
import { protocolStateInterface as abi, dataMarketInterface } from '../contract/abi.ts'
import { cappedQuantity } from '../nodes/rpc-values.ts'
import { type ContractCall, readContract } from './anchor-chain.ts'
import type { PayoutFacts } from './payout-facts.ts'

/** Code of a call that pays nobody, once the day is being closed: it would mark slots as paid that get nothing. */
const DAY_CLOSED = 'DAY_CLOSED'
/** Code of a call of a closing, once the contract has another quota than its dry run found. */
const QUOTA_CHANGED = 'QUOTA_CHANGED'
/** Code of a call of a closing, once the contract has a number that it does not carry: without one it pays nothing to whom it marks. */
const NUMBER_CHANGED = 'NUMBER_CHANGED'

/** The part of the answer of a dry run that makes the call, with the quota that it is made for. */
export type SentCall = Pick<PayoutAnswer, 'slots' | 'eligibleNodes' | 'quota' | 'contractQuota' | 'numberFound'>

export function rewardCall(
  { dataMarket }: Pick<AnchorKey, 'dataMarket'>,
  sent: SentCall,
  payout: Payout,
  protocolState: string,
): ContractCall {
  const { payoutOf: day, purpose, slotIds, submissions } = payout
  const isIn = (_: number, at: number): boolean => hasBit(sent.slots, at)
  const args = [dataMarket, slotIds.filter(isIn), submissions.filter(isIn), day, sent.eligibleNodes]
  return {
    to: protocolState,
    data: abi.encodeFunctionData('updateRewards', args),
    async whyNot(ask, block) {
      const ofMarket = async (name: string): Promise<number> =>
        cappedQuantity((await readContract(ask, dataMarket, name, [day], block, dataMarketInterface))[0], name)
      const eligibleNodes = await ofMarket('eligibleNodesForDay')
      if (purpose === 'COUNTS') return eligibleNodes === 0 ? undefined : DAY_CLOSED
      const [now] = await readContract(ask, protocolState, 'dailySnapshotQuota', [dataMarket], block)
      const quota = cappedQuantity(now, 'dailySnapshotQuota')
      const remaining = await ofMarket('slotsRemainingToBeRewardedCount')
      return whyClosingNot(sent, { quota, eligibleNodes, remaining })
    },
  }
}

/**
 * By another quota or another number than those of the dry run the call would do something else: fix a number that is not that of the slots
 * it pays, so that the day never ends or the last slots underflow; pay who has no share in the number; or mark slots as paid, and pay nothing.
 */
export function whyClosingNot(
  sent: SentCall,
  { quota, eligibleNodes, remaining }: Pick<PayoutFacts, 'quota' | 'eligibleNodes' | 'remaining'>,
): string | undefined {
  const then = sent.contractQuota > 0 ? sent.contractQuota : sent.quota
  if (quota !== then) return QUOTA_CHANGED
  if (sent.numberFound && eligibleNodes === 0) return NUMBER_CHANGED // its call left the chain: ours would fix a number that is not that of our slots
  return remaining > 0 && eligibleNodes !== sent.eligibleNodes ? NUMBER_CHANGED : undefined
}

/** A bit for each, lowest first. */
export function bitsOf(flags: readonly boolean[]): Uint8Array {
  const bits = Buffer.alloc(Math.ceil(flags.length / 8))
  for (const [at, flag] of flags.entries()) if (flag) bits[at >> 3]! |= 1 << (at & 7)
  return bits
}

export const hasBit = (bits: Uint8Array, at: number): boolean => ((bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0
