/** The contract calls of intents, with the batches they are about. */
import { isEnding, isNonceOnly } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey } from '../../../schemas/types.ts'
import { BatchGone, type BatchReader } from './anchor-batches.ts'
import { type ContractCall, callOf } from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'

export function createCalls({ protocolStateOf }: AnchorSettings, batches: BatchReader) {
  const contractCall = async (key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<ContractCall> => {
    const batch = intent.call === 'SUBMIT' ? await batches.summary(intent.batchOffset, until) : undefined
    return callOf(key, intent, batch, protocolStateOf(key.dataMarket).toLowerCase())
  }
  return {
    contractCall,

    /** What the call was before a filler took its place; undefined when the log has lost the batch, or for a nonce alone. */
    async originalCall(key: AnchorKey, intent: AnchorIntent, until: AbortSignal): Promise<ContractCall | undefined> {
      if (isNonceOnly(key)) return undefined
      const original: AnchorIntent = { ...intent, call: isEnding(key) ? 'END' : 'SUBMIT' }
      return contractCall(key, original, until).catch((error: unknown) => {
        if (error instanceof BatchGone) return undefined
        throw error
      })
    },
  }
}
