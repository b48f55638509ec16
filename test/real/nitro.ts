/**
 * A development chain (anvil) by the rules of Arbitrum Nitro:
 * - The contract counts in blocks of a parent chain, and headers say which (`l1BlockNumber`); several blocks have the same.
 *   In the contract's code every NUMBER is replaced by COINBASE, which the test sets for each block: what anvil runs and
 *   keeps is then the contract with another `block.number`. The proxy adds the field to the headers.
 * - A block has at least one transaction, and comes at most every 250 ms.
 * - A transaction that would revert is refused when it is sent. The proxy asks the node by a call first.
 */
import { Transaction } from 'ethers'
import { devProvider } from '../../ops/world/chain/dev-sender.ts'
import { type NodeFault, NodeRefusal } from './node-faults.ts'
import { NodeProxy } from './node-proxy.ts'

const BLOCK_MS = 250
const OP = { COINBASE: 0x41, NUMBER: 0x43, PUSH1: 0x60, PUSH32: 0x7f } as const
/** Far from the numbers of the chain itself: who takes one for the other is found out. */
const PARENT_FIRST = 5_000_000

export interface NitroOptions {
  readonly rpcUrl: string
  readonly chainId: number
  /** Its code is replaced; no epoch may have been released. */
  readonly protocolState: string
  /** From one block of the parent chain to the next; absent = the test sets `parent`. */
  readonly parentMs?: number
  readonly nodes?: number
  readonly seed?: number
}

export interface Nitro {
  readonly proxies: readonly NodeProxy[]
  /** Number of the parent's block in which the next block is. */
  parent: number
  /** A block with what is in the pool; none when that is empty. */
  mine(): Promise<void>
  /** A block every 250 ms, as long as there is something to put into it. */
  start(): void
  close(): Promise<void>
}

export async function startNitro(options: NitroOptions): Promise<Nitro> {
  const { rpcUrl, chainId, protocolState, parentMs, nodes = 1, seed = 1 } = options
  const provider = devProvider(rpcUrl, chainId)
  const code = String(await provider.send('eth_getCode', [protocolState, 'latest']))
  await provider.send('anvil_setCode', [protocolState, withNumberFromCoinbase(code)])
  const proxies = await Promise.all(
    Array.from({ length: nodes }, (_, i) => NodeProxy.start(rpcUrl, { seed: seed + i, rules: RULES })),
  )
  const began = performance.now()
  let running: Promise<void> | undefined
  let closed = false
  const nitro: Nitro = {
    proxies,
    parent: PARENT_FIRST,
    async mine() {
      const { pending } = (await provider.send('txpool_status', [])) as { pending: string }
      if (Number(pending) === 0) return
      if (parentMs !== undefined) nitro.parent = PARENT_FIRST + Math.floor((performance.now() - began) / parentMs)
      await provider.send('anvil_setCoinbase', [`0x${nitro.parent.toString(16).padStart(40, '0')}`])
      await provider.send('evm_mine', [])
    },
    start() {
      running ??= (async () => {
        while (!closed) {
          await nitro.mine().catch((error: unknown) => {
            process.stderr.write(`nitro: ${(error as Error).message}\n`)
          })
          await new Promise((resolve) => setTimeout(resolve, BLOCK_MS))
        }
      })()
    },
    async close() {
      closed = true
      await running?.catch(() => undefined)
      await Promise.all(proxies.map((proxy) => proxy.close()))
      provider.destroy()
    },
  }
  // calls before the first block of ours are to see a parent, too
  await provider.send('anvil_setCoinbase', [`0x${nitro.parent.toString(16).padStart(40, '0')}`])
  return nitro
}

const RULES: NodeFault = {
  async answer({ method, params }, node) {
    if (method === 'eth_maxPriorityFeePerGas') return { result: '0x0' }
    if (method !== 'eth_sendRawTransaction') return undefined
    const { from, to, data, gasLimit } = Transaction.from(String(params[0]))
    try {
      await node.ask('eth_call', [{ from, to, data, gas: `0x${gasLimit.toString(16)}` }, 'latest'])
      return undefined
    } catch (error) {
      if (!(error instanceof NodeRefusal) || !/revert/i.test(error.message)) throw error
      return { error: { code: -32_000, message: 'execution reverted' } }
    }
  },
  change({ method }, answer) {
    if (!method.startsWith('eth_getBlockBy') || 'error' in answer || answer.result === null) return undefined
    const { miner, ...header } = answer.result as { miner: string }
    return { result: { ...header, miner, l1BlockNumber: `0x${BigInt(miner).toString(16)}` } }
  },
}

/** Walks over what follows a PUSH: those bytes are no code. */
function withNumberFromCoinbase(code: string): string {
  const bytes = Buffer.from(code.slice(2), 'hex')
  for (let at = 0; at < bytes.length; at++) {
    const op = bytes[at]!
    if (op >= OP.PUSH1 && op <= OP.PUSH32) at += op - OP.PUSH1 + 1
    else if (op === OP.NUMBER) bytes[at] = OP.COINBASE
  }
  return `0x${bytes.toString('hex')}`
}
