import { isEnding, isNonceOnly, isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey } from '../../../schemas/types.ts'
import type { Ask } from '../nodes/ask.ts'
import { type ContractCall, cidIn, dryRun, type Receipt, topicOf, word } from './anchor-chain.ts'

const ANCHORED = topicOf('SnapshotBatchSubmitted')
const DELAYED = topicOf('DelayedBatchSubmitted')
const ENDED = topicOf('BatchSubmissionsCompleted')
/** A call that stops for want of gas in an inner contract leaves up to 1/64 of it at each level. */
const OUT_OF_GAS_SHARE = 0.95

/** The reason of a revert of which nothing more is known. */
export const REVERTED = 'REVERTED'

export type Mined = 'ANCHORED' | 'LATE' | 'FILLED' | 'REVERTED'

/**
 * The effect of a mined transaction. A status of 1 is no success by itself: a batch that comes too late is a success with another
 * event, and nothing is kept of it. The event must name the market, the epoch and the CID.
 */
export function whatItDid(key: AnchorKey, intent: AnchorIntent, receipt: Receipt, filler: boolean, to: string): Mined {
  if (filler || isNonceOnly(key)) return 'FILLED' // there, whatever it was, it took the place
  if (!receipt.succeeded) return 'REVERTED'
  if (isPayout(key)) return 'ANCHORED' // no event tells of a count below the quota: what became of each slot is looked up
  const events = receipt.logs.filter(
    ({ address, topics }) =>
      address.toLowerCase() === to && topics[1] === word(key.dataMarket) && topics[2] === word(key.epochId),
  )
  const has = (topic: string): boolean =>
    events.some((log) => log.topics[0] === topic && (topic === ENDED || cidIn(log) === intent.cid))
  if (has(isEnding(key) ? ENDED : ANCHORED)) return 'ANCHORED'
  return has(DELAYED) ? 'LATE' : 'REVERTED'
}

/** Why a transaction was reverted: receipts do not say, so the call is run again on the state before its block. */
export async function revertReason(
  ask: Ask,
  signer: string,
  call: ContractCall,
  receipt: Receipt,
  gasLimit: number,
): Promise<string> {
  if (receipt.succeeded) return 'NO_EVENT'
  for (const block of [receipt.blockNumber - 1, receipt.blockNumber]) {
    const code = await dryRun(ask, signer, call, block).catch(() => undefined) // the state may be gone by now
    if (code !== undefined) return code
    if (receipt.gasUsed >= gasLimit * OUT_OF_GAS_SHARE) return 'OUT_OF_GAS'
  }
  return REVERTED
}
