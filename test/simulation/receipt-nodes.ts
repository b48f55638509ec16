/** Three nodes that are asked for receipts, one of which says the opposite of what became of a transaction; two must agree. */

import { agreedReceipt } from '../../connectors/evm/agreed-readings.ts'
import { EvmError } from '../../connectors/evm/errors.ts'
import type { Endpoint } from '../../connectors/evm/nodes/ask.ts'
import { receiptOf } from '../../connectors/evm/nodes/log-answers.ts'
import { createRpc, type Rpc } from '../../connectors/evm/nodes/rpc.ts'
import type { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import type { AnchorResult } from '../../schemas/types.ts'
import type { Clock } from '../../streams/ports.ts'
import { hex } from '../hex.ts'
import { hash } from './chain-story.ts'

const NODES = 3
const CHAIN_ID = 7
const RETRY_MS = 200
/** What one of them says of a transaction, and what the chain has. */
type Seen = Pick<AnchorResult, 'transactionHash' | 'blockNumber' | 'blockHash'> & { readonly succeeded: boolean }

export class ReceiptNodes {
  private readonly rpc: Rpc
  private readonly clock: Clock
  private seen: Seen | undefined

  constructor(random: SeededRandom, clock: Clock, disagreed: () => void) {
    this.clock = clock
    const liar = random.below(NODES)
    const nodes = Array.from({ length: NODES }, (_, node) => this.node(node === liar))
    const options = {
      urls: nodes.map((_, node) => `${node}`),
      chainId: CHAIN_ID,
      timeoutMs: 1_000,
      batchMax: 1,
      agreement: 2,
    }
    const observer = { disagreed }
    this.rpc = createRpc(options, { clock, observer, connect: (url) => nodes[Number(url)]! })
  }

  /** The answer as an anchor gives it that believes what the nodes agree on. */
  async agreed(result: AnchorResult): Promise<AnchorResult> {
    const decides = result.outcome === 'FINAL' || (result.outcome === 'REVERTED' && result.step === 'SEND')
    if (!decides || result.blockHash === '') return result
    const succeeded = result.outcome === 'FINAL'
    this.seen = { ...result, transactionHash: hash(`transaction ${result.transactionHash}`), succeeded }
    for (;;) {
      try {
        const receipt = await this.rpc.read((ask) => receiptOf(ask, this.seen!.transactionHash))
        const agreed = receipt && (await agreedReceipt(this.rpc, receipt, { signer: '', nonce: -1 }))
        if (agreed?.succeeded === succeeded) return result
        if (agreed) return { ...result, outcome: succeeded ? 'REVERTED' : 'FINAL' }
      } catch (error) {
        if (!(error instanceof EvmError)) throw error
      }
      await this.clock.sleep(RETRY_MS)
    }
  }

  private node(lies: boolean): Endpoint {
    return {
      close: () => undefined,
      ask: async (method) => {
        if (method === 'eth_chainId') return hex(CHAIN_ID)
        if (method !== 'eth_getTransactionReceipt') throw new Error(`unexpected ${method}`)
        const { transactionHash, blockNumber, blockHash, succeeded } = this.seen!
        const place = { transactionHash, blockNumber: hex(blockNumber), blockHash, gasUsed: '0x1', logs: [] }
        return { ...place, status: succeeded === lies ? '0x0' : '0x1' }
      },
    }
  }
}
