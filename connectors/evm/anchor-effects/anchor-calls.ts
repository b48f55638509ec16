/** The contract calls of intents, with the batches and payouts they are about. */
import { isEnding, isNonceOnly, isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorCall, AnchorIntent, AnchorKey } from '../../../schemas/types.ts'
import type { BatchReader } from './anchor-batches.ts'
import { type ContractCall, callOf } from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'
import type { PayoutReader } from './anchor-payouts.ts'
import { endsSession } from './anchor-persist.ts'
import { rewardCall } from './payout-call.ts'

export type Calls = ReturnType<typeof createCalls>

export function createCalls({ protocolStateOf }: AnchorSettings, batches: BatchReader, payouts: PayoutReader) {
  const contractCall = async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<ContractCall> => {
    if (intent.call === 'REWARD') {
      const payout = await payouts.one(key.dataMarket, intent.batchOffset, until)
      return rewardCall(key, intent.payout!, payout, protocolStateOf(key.dataMarket).toLowerCase())
    }
    const batch = intent.call === 'SUBMIT' ? await batches.summary(intent.batchOffset, until) : undefined
    return callOf(key, intent, batch, protocolStateOf(key.dataMarket).toLowerCase())
  }
  return {
    contractCall,

    /**
     * The call before a filler took its place; undefined when the log has lost the batch or holds none that makes a call, or for a nonce
     * alone.
     */
    async originalCall(key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<ContractCall | undefined> {
      if (isNonceOnly(key)) return undefined
      const original: AnchorIntent = { ...intent, call: purposeOf(key) }
      return contractCall(key, original, until).catch((error: unknown) => {
        if (until.aborted || endsSession(error)) throw error
        return undefined
      })
    },
  }
}

const purposeOf = (key: AnchorKey): AnchorCall => (isEnding(key) ? 'END' : isPayout(key) ? 'REWARD' : 'SUBMIT')
