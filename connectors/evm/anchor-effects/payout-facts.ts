/** The contract's state for a payout, as of one block. */
import type { Payout } from '../../../schemas/types.ts'
import { dataMarketInterface, nodesInterface } from '../contract/abi.ts'
import type { Ask } from '../nodes/ask.ts'
import { cappedQuantity } from '../nodes/rpc-values.ts'
import { readContract } from './anchor-chain.ts'

/** Slots of which it is asked at once: some JSON-RPC batches. */
const SLOTS_AT_ONCE = 100

export interface SlotFacts {
  readonly count: number
  readonly isPaid: boolean
  /** Minted, and not burned: all others the contract passes over. */
  readonly isAvailable: boolean
}

export interface PayoutFacts {
  readonly quota: number
  /** Number for the payout's day; 0 until somebody closes it. */
  readonly eligibleNodes: number
  readonly remaining: number
  /** In the order of the payout. */
  readonly slots: readonly SlotFacts[]
  /**
   * Available slots at the quota, of this payout and of those behind it in its run: nobody pays those of a payout before any more. 0 where
   * nobody needs it: for counts, and once the number is set.
   */
  readonly eligibleLeft: number
}

export interface PayoutQuestion {
  /** Lower case. */
  readonly protocolState: string
  readonly dataMarket: string
  readonly payout: Payout
  /** All payouts of its run. */
  readonly run: () => Promise<readonly Payout[]>
}

export const dayCounterOf = async (
  ask: Ask,
  { protocolState, dataMarket }: Pick<PayoutQuestion, 'protocolState' | 'dataMarket'>,
  block: number,
): Promise<number> =>
  cappedQuantity((await readContract(ask, protocolState, 'dayCounter', [dataMarket], block))[0], 'dayCounter')

/** All reads go to one node. */
export async function readFacts(ask: Ask, question: PayoutQuestion, block: number): Promise<PayoutFacts> {
  const { protocolState, dataMarket, payout } = question
  const { payoutOf: day, slotIds, purpose } = payout
  const [registry] = await readContract(ask, protocolState, 'snapshotterState', [], block)
  const state = async (name: string, ...args: readonly unknown[]): Promise<number> =>
    cappedQuantity((await readContract(ask, protocolState, name, [dataMarket, ...args], block))[0], name)
  const market = async (name: string, ...args: readonly unknown[]): Promise<unknown> =>
    (await readContract(ask, dataMarket, name, args, block, dataMarketInterface))[0]
  const isAvailable = async (slotId: number): Promise<boolean> =>
    (await readContract(ask, String(registry), 'isNodeAvailable', [slotId], block, nodesInterface))[0] === true

  const quota = await state('dailySnapshotQuota')
  const eligibleNodes = cappedQuantity(await market('eligibleNodesForDay', day), 'eligibleNodesForDay')
  const remaining = cappedQuantity(
    await market('slotsRemainingToBeRewardedCount', day),
    'slotsRemainingToBeRewardedCount',
  )
  const slots = await inTurn(slotIds, async (slotId): Promise<SlotFacts> => {
    const [count, paid, available] = await Promise.all([
      state('slotSubmissionCount', slotId, day),
      eligibleNodes === 0 ? false : market('slotRewardsDistributedStatus', day, slotId),
      isAvailable(slotId),
    ])
    return { count, isPaid: paid === true, isAvailable: available }
  })
  const isNeeded = purpose === 'CLOSING' && eligibleNodes === 0
  const atQuota = isNeeded ? (await question.run()).slice(payout.part).flatMap((one) => slotsAt(one, quota)) : []
  const eligible = await inTurn(atQuota, isAvailable)
  return { quota, eligibleNodes, remaining, slots, eligibleLeft: eligible.filter(Boolean).length }
}

const slotsAt = ({ slotIds, submissions }: Payout, quota: number): readonly number[] =>
  slotIds.filter((_, at) => submissions[at]! >= quota)

async function inTurn<T, R>(all: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = []
  for (let at = 0; at < all.length; at += SLOTS_AT_ONCE)
    for (const answer of await Promise.all(all.slice(at, at + SLOTS_AT_ONCE).map(ask))) answers.push(answer)
  return answers
}
