import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { currentEpochId, EPOCH_MAX, readResult, submissionWindow, WINDOW_MAX } from './chain-reader.ts'

export interface MarketOnChain {
  /** In the market's unit. */
  readonly submissionWindow: number
  /** Newest epoch that was released; 0 when none. */
  readonly epochId: number
}

/** How nodes say that the contract itself refused a read. */
const REVERTED = /revert|invalid opcode/i

export const isRevert = (error: unknown): error is EvmError => error instanceof EvmError && REVERTED.test(error.message)

/**
 * The contract's facts about a data market, or in words why it cannot be served. There is no read that lists the markets of every
 * version of the contract, so the reads that serving needs are the check. Rejects when the node cannot say.
 */
export async function marketOnChain(
  ask: Ask,
  protocolState: string,
  dataMarket: string,
): Promise<MarketOnChain | { readonly refused: string }> {
  try {
    const [window, epochId] = await Promise.all([
      submissionWindow(ask, protocolState, dataMarket, 'latest'),
      currentEpochId(ask, protocolState, dataMarket),
    ])
    if (window > WINDOW_MAX || epochId > EPOCH_MAX)
      return { refused: `its submission window of ${window} or its newest epoch is more than there can be` }
    if (window > 0) return { submissionWindow: Number(window), epochId }
    return {
      refused: 'its submission window is 0: the contract does not know this data market, or nobody has set it up',
    }
  } catch (error) {
    if (!isRevert(error)) throw error
    return { refused: `the protocol state contract does not know this data market (${error.message})` }
  }
}

/** Whether the owner of a market has it switched on. A contract that cannot say so, or does not know the market, has no switch. */
export async function marketEnabled(ask: Ask, protocolState: string, dataMarket: string): Promise<boolean> {
  try {
    const [isOn] = await readResult(ask, protocolState, 'dataMarketEnabled', [dataMarket], 'latest')
    return isOn === true
  } catch (error) {
    if (isRevert(error)) return true
    throw error
  }
}
