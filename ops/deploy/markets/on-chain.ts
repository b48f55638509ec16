/** A node's facts about a data market, for a command: whether it can be served, and which epoch it is at. */
import { releaseBlockOf } from '../../../connectors/evm/contract/chain-reader.ts'
import { type MarketOnChain, marketOnChain } from '../../../connectors/evm/contract/market-check.ts'
import { EvmError } from '../../../connectors/evm/errors.ts'
import { createRpc } from '../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../connectors/system-clock.ts'

export interface ChainAddress {
  readonly rpcUrls: readonly string[]
  readonly chainId: number
  readonly protocolState: string
}

/** `unasked`: why no node could say. */
export type ChainAnswer =
  | (MarketOnChain & { readonly releaseBlock: number })
  | { readonly refused: string }
  | { readonly unasked: string }

const CALL_MS_MAX = 10_000

export async function askChain(
  { rpcUrls, chainId, protocolState }: ChainAddress,
  dataMarket: string,
): Promise<ChainAnswer> {
  if (rpcUrls.length === 0) return { unasked: 'no node is configured here' }
  const options = { urls: rpcUrls, chainId, timeoutMs: CALL_MS_MAX, batchMax: 1 }
  const rpc = createRpc(options, { clock: systemClock })
  try {
    return await rpc.read(async (ask) => {
      const found = await marketOnChain(ask, protocolState, dataMarket)
      if ('refused' in found) return found
      return { ...found, releaseBlock: await releaseBlockOf(ask, protocolState, dataMarket, found.epochId) }
    })
  } catch (error) {
    if (error instanceof EvmError) return { unasked: error.message }
    throw error
  } finally {
    rpc.close()
  }
}

/** The first epoch from a block on, as far as the chain tells: the newest one if it was released by then, else the next. */
export const firstEpochFrom = (block: number, answer: ChainAnswer): number | null => {
  if ('refused' in answer || 'unasked' in answer) return null
  return answer.epochId > 0 && answer.releaseBlock >= block ? answer.epochId : answer.epochId + 1
}
