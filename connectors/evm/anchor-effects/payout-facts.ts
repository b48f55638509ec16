/** The contract's state for a payout, as of one block. */
import { isNone } from '../../../schemas/none.ts'
import type { Payout } from '../../../schemas/types.ts'
import { dataMarketInterface, nodesInterface } from '../contract/abi.ts'
import type { Ask } from '../nodes/ask.ts'
import { cappedQuantity } from '../nodes/rpc-values.ts'
import { readContract } from './anchor-chain.ts'
import { rewardsIn } from './day-rewards.ts'

/** Slots of which it is asked at once: some JSON-RPC batches. */
const SLOTS_AT_ONCE = 100

export interface SlotFacts {
  readonly count: number
  /** The contract takes nothing of the slot for the day any more (E48), whether it has paid it or not. */
  readonly isMarked: boolean
  /** By the contract's event. */
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
  /** From this block on it is looked who was paid; NONE: that is not known, and who is marked counts as paid. */
  readonly paidFrom: number
  /** Slots that were paid, as is known already. */
  readonly paid: ReadonlySet<number>
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
  const isNodeAvailable = async (slotId: number): Promise<boolean> =>
    (await readContract(ask, String(registry), 'isNodeAvailable', [slotId], block, nodesInterface))[0] === true

  const quota = await state('dailySnapshotQuota')
  const eligibleNodes = cappedQuantity(await market('eligibleNodesForDay', day), 'eligibleNodesForDay')
  const remaining = cappedQuantity(
    await market('slotsRemainingToBeRewardedCount', day),
    'slotsRemainingToBeRewardedCount',
  )
  const marks = await inTurn(slotIds, async (slotId) => {
    const [count, marked, isAvailable] = await Promise.all([
      state('slotSubmissionCount', slotId, day),
      eligibleNodes === 0 ? false : market('slotRewardsDistributedStatus', day, slotId),
      isNodeAvailable(slotId),
    ])
    return { count, isMarked: marked === true, isAvailable }
  })
  const marked = slotIds.filter((_, at) => marks[at]!.isMarked)
  const isPaid = await paidSlots(ask, question, marked, block)
  const slots = marks.map((slot, at): SlotFacts => ({ ...slot, isPaid: slot.isMarked && isPaid(slotIds[at]!) }))
  const isNeeded = purpose === 'CLOSING' && eligibleNodes === 0
  const atQuota = isNeeded ? (await question.run()).slice(payout.part).flatMap((one) => slotsAt(one, quota)) : []
  const eligible = await inTurn(atQuota, isNodeAvailable)
  return { quota, eligibleNodes, remaining, slots, eligibleLeft: eligible.filter(Boolean).length }
}

/** Tells whether a slot that is marked was paid. Events are asked for only where that is not known of one. */
async function paidSlots(
  ask: Ask,
  { protocolState, dataMarket, payout, paidFrom, paid }: PayoutQuestion,
  marked: readonly number[],
  block: number,
): Promise<(slotId: number) => boolean> {
  if (isNone(paidFrom) || marked.every((slotId) => paid.has(slotId))) return () => true
  const rewards = await rewardsIn(ask, { protocolState, dataMarket }, { fromBlock: paidFrom, toBlock: block })
  const found = new Set(rewards.filter(({ day }) => day === payout.payoutOf).map(({ slotId }) => slotId))
  return (slotId) => paid.has(slotId) || found.has(slotId)
}

const slotsAt = ({ slotIds, submissions }: Payout, quota: number): readonly number[] =>
  slotIds.filter((_, at) => submissions[at]! >= quota)

async function inTurn<T, R>(all: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = []
  for (let at = 0; at < all.length; at += SLOTS_AT_ONCE)
    for (const answer of await Promise.all(all.slice(at, at + SLOTS_AT_ONCE).map(ask))) answers.push(answer)
  return answers
}
