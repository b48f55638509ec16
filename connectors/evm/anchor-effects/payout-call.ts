/** The call of updateRewards that a payout and the answer of its dry run make. */
import type { AnchorKey, Payout, PayoutAnswer } from '../../../schemas/types.ts'
import { protocolStateInterface as abi, dataMarketInterface } from '../contract/abi.ts'
import { type ContractCall, readContract } from './anchor-chain.ts'

/** Code of a call that pays nobody, once the day is being closed: it would mark slots as paid that get nothing. */
const DAY_CLOSED = 'DAY_CLOSED'

export function rewardCall(
  { dataMarket }: Pick<AnchorKey, 'dataMarket'>,
  { slots, eligibleNodes }: Pick<PayoutAnswer, 'slots' | 'eligibleNodes'>,
  { payoutOf: day, purpose, slotIds, submissions }: Payout,
  protocolState: string,
): ContractCall {
  const isIn = (_: number, at: number): boolean => hasBit(slots, at)
  const args = [dataMarket, slotIds.filter(isIn), submissions.filter(isIn), day, eligibleNodes]
  const call = { to: protocolState, data: abi.encodeFunctionData('updateRewards', args) }
  if (purpose !== 'COUNTS') return call
  return {
    ...call,
    async whyNot(ask, block) {
      const [number] = await readContract(ask, dataMarket, 'eligibleNodesForDay', [day], block, dataMarketInterface)
      return number === 0n ? undefined : DAY_CLOSED
    },
  }
}

/** A bit for each, lowest first. */
export function bitsOf(flags: readonly boolean[]): Uint8Array {
  const bits = Buffer.alloc(Math.ceil(flags.length / 8))
  for (const [at, flag] of flags.entries()) if (flag) bits[at >> 3]! |= 1 << (at & 7)
  return bits
}

export const hasBit = (bits: Uint8Array, at: number): boolean => ((bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0
