/** The systems outside of the log: a node of the chain, a store of batches. */
import { connectHttp } from '../../../connectors/evm/nodes/http-endpoint.ts'
import { blockAt, chainIdOf } from '../../../connectors/evm/nodes/node-answers.ts'
import type { Finding } from './finding.ts'

const RPC_TIMEOUT_MS = 5_000
const CLOCK_SKEW_SECONDS_MAX = 60

/**
 * Whether a node answers, for the right chain, with a block of now that has room for a batch. Only the host of its address is
 * told: the rest may hold a key.
 * @param batchGas gas that the transaction of a batch may take by the rules
 */
export async function examineNode(
  rpc: string,
  chainIdExpected: number | undefined,
  batchGas?: number,
): Promise<Finding[]> {
  const { host } = new URL(rpc)
  const { ask } = connectHttp(rpc, { urls: [rpc], chainId: 0, timeoutMs: RPC_TIMEOUT_MS, batchMax: 1 })
  try {
    const [chain, block] = await Promise.all([chainIdOf(ask), blockAt(ask, 'latest')])
    const { number: newest, timestamp, gasLimit } = block!
    const skew = Math.round(Date.now() / 1000 - timestamp)
    const right = chainIdExpected === undefined || chain === chainIdExpected
    return [
      {
        check: 'chain',
        ok: right,
        detail: `${host}: chain id ${chain}, block ${newest}`,
        ...(!right && {
          advice: `The log was written for chain ${chainIdExpected}: give a node of that chain.`,
        }),
      },
      {
        check: 'block time',
        ok: Math.abs(skew) <= CLOCK_SKEW_SECONDS_MAX,
        detail: `newest block is ${skew} s old`,
        ...(Math.abs(skew) > CLOCK_SKEW_SECONDS_MAX && { advice: 'The node is behind, or a clock is wrong.' }),
      },
      ...(batchGas === undefined ? [] : [room(gasLimit, batchGas)]),
    ]
  } catch (error) {
    return [
      {
        check: 'chain',
        ok: false,
        detail: `${host}: ${(error as Error).message}`,
        advice: 'Start the node, or check its address; --rpc names another.',
      },
    ]
  }
}

/** A batch that is cut larger than a block cannot be anchored by any retry. */
const room = (blockGas: number, batchGas: number): Finding => ({
  check: 'gas',
  ok: batchGas <= blockGas,
  detail: `a block has ${blockGas} gas, a batch may take ${batchGas}`,
  ...(batchGas > blockGas && { advice: 'Set batchGasMax of the markets below what a block of this chain has.' }),
})
