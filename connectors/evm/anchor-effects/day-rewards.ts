/** The slots that the contract has paid for a day: its events tell them, its marks do not (decision 0039). */
import { protocolStateInterface as abi } from '../contract/abi.ts'
import type { Ask } from '../nodes/ask.ts'
import { type Log, logsOf } from '../nodes/log-answers.ts'
import { badAnswer, cappedQuantity } from '../nodes/rpc-values.ts'
import { topicOf, word } from './anchor-chain.ts'

const EVENT = 'RewardsDistributedEvent'
const REWARDED = topicOf(EVENT)

export interface Reward {
  readonly day: number
  readonly slotId: number
}

/**
 * Slots that were credited for a day in these blocks, both ends included. The contract marks a slot also in a call without a number of
 * eligible nodes, which credits nothing and has no such event.
 * @throws EvmError when the node does not have the logs
 */
export async function rewardsIn(
  ask: Ask,
  /** Lower case. */
  { protocolState, dataMarket }: { readonly protocolState: string; readonly dataMarket: string },
  range: { readonly fromBlock: number; readonly toBlock: number },
): Promise<readonly Reward[]> {
  const filter = { address: protocolState, topics: [REWARDED, word(dataMarket)], ...range }
  return (await logsOf(ask, filter)).map(rewardIn)
}

/** Slots that were credited by the logs of a receipt. @param protocolState in lower case */
export const rewardsOf = (
  logs: readonly Log[],
  { protocolState, dataMarket }: { readonly protocolState: string; readonly dataMarket: string },
): readonly Reward[] =>
  logs
    .filter(
      ({ address, topics: [event, market] }) =>
        address === protocolState && event === REWARDED && market === word(dataMarket),
    )
    .map(rewardIn)

function rewardIn({ topics, data }: Log): Reward {
  try {
    const { slotId, dayId } = abi.decodeEventLog(EVENT, data, topics)
    return { slotId: cappedQuantity(slotId, 'slotId'), day: cappedQuantity(dayId, 'dayId') }
  } catch (error) {
    throw badAnswer(`a ${EVENT} cannot be read`, error)
  }
}
