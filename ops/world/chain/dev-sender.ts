import { FetchRequest, JsonRpcProvider, Network, type TransactionReceipt, Wallet } from 'ethers'
import { EvmError } from '../../../connectors/evm/errors.ts'

const RECEIPT_POLL_MS = 100
const RECEIPT_WAIT_MS = 60_000
/** A node that takes the connection and says nothing. */
const ANSWER_WAIT_MS = 15_000

/** Far above the development chain's base fee. */
const FEES = { maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n }

export interface DevTransaction {
  /** Absent: creates a contract. */
  readonly to?: string
  readonly data: string
  readonly gasLimit: number
}

/** Sends transactions of one account of the development chain, in order. Gas is given, so nothing is estimated. */
export interface DevSender {
  readonly address: string
  readonly provider: JsonRpcProvider
  /** Sends all at once and waits until the last one is mined. Throws when any of them fails. */
  send(transactions: readonly DevTransaction[]): Promise<readonly TransactionReceipt[]>
  close(): void
}

/** ethers answers equal calls within 250 ms from a cache; a sequential sender then reuses a nonce: the cache is off. */
export function devProvider(rpcUrl: string, chainId: number): JsonRpcProvider {
  const request = new FetchRequest(rpcUrl)
  request.timeout = ANSWER_WAIT_MS
  return new JsonRpcProvider(request, chainId, { staticNetwork: Network.from(chainId), cacheTimeout: -1 })
}

export function createDevSender(
  rpcUrl: string,
  chainId: number,
  privateKey: string,
  options: { mine?: boolean } = {},
): DevSender {
  const provider = devProvider(rpcUrl, chainId)
  const wallet = new Wallet(privateKey, provider)

  const send = async (transactions: readonly DevTransaction[]): Promise<readonly TransactionReceipt[]> => {
    let nonce = await provider.getTransactionCount(wallet.address, 'pending')
    const hashes: string[] = []
    for (const transaction of transactions) {
      const raw = await wallet.signTransaction({ ...transaction, ...FEES, type: 2, chainId, nonce: nonce++ })
      hashes.push(await provider.send('eth_sendRawTransaction', [raw]))
    }
    if (options.mine) await provider.send('evm_mine', [])
    const receipts: TransactionReceipt[] = []
    for (const hash of hashes) receipts.push(await receiptOf(provider, hash))
    return receipts
  }
  return { address: wallet.address.toLowerCase(), provider, send, close: () => provider.destroy() }
}

async function receiptOf(provider: JsonRpcProvider, hash: string): Promise<TransactionReceipt> {
  const deadline = Date.now() + RECEIPT_WAIT_MS
  for (;;) {
    // The receipt can be null right after a send, even in automine.
    const receipt = await provider.getTransactionReceipt(hash)
    if (receipt?.status === 1) return receipt
    if (receipt) throw new EvmError('RPC_ERROR', `transaction ${hash} was reverted in block ${receipt.blockNumber}`)
    if (Date.now() > deadline)
      throw new EvmError('UNREACHABLE', `transaction ${hash} was not mined in ${RECEIPT_WAIT_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, RECEIPT_POLL_MS))
  }
}
