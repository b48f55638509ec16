/** A scripted node under the follower of one transaction: every answer is a field, and time is moved on by waiting. */

import { hashOf } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { needSendable } from '../../../../connectors/evm/anchor-effects/anchor-limits.ts'
import { newSendMemory } from '../../../../connectors/evm/anchor-effects/anchor-memory.ts'
import {
  ANCHOR_DEFAULTS,
  type AnchorObserver,
  type AnchorSettings,
} from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { sendAndFollow } from '../../../../connectors/evm/anchor-effects/anchor-send.ts'
import { createSigner } from '../../../../connectors/evm/anchor-effects/anchor-signer.ts'
import type { HeadWatch } from '../../../../connectors/evm/anchor-effects/head-watch.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import type { Rpc } from '../../../../connectors/evm/nodes/rpc.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../../schemas/types.ts'
import { hex } from '../../../hex.ts'

export const MARKET = `0x${'aa'.repeat(20)}`
export const STATE = `0x${'bb'.repeat(20)}`
export const KEY: AnchorKey = { dataMarket: MARKET, epochId: 5, batchIndex: 0 }
export const signer = createSigner(`0x${'11'.repeat(32)}`, 1)
export const CID = 'bafkrei'

export const intentOf = (rawTransactions: string[], fields: Partial<AnchorIntent> = {}): AnchorIntent => ({
  step: 'SEND',
  attempt: 3,
  call: 'SUBMIT',
  delayMs: 0,
  batchOffset: 0,
  cid: CID,
  finalizedCidsRootHash: '',
  signer: signer.address,
  nonce: 7,
  gasLimit: 100_000,
  maxFeePerGas: '100',
  maxPriorityFeePerGas: '1',
  rawTransactions,
  blockNumber: -1,
  blockHash: '',
  payout: null,
  ...fields,
})

export const LIMITS = { maxFeePerGasMax: '500000000000', noncesAheadMax: 16 }

const EPOCH_INFO = protocolStateInterface.getFunction('epochInfo')!

export const eventLog = (name: string, epochId = KEY.epochId, cid = CID, address = STATE) => ({
  ...protocolStateInterface.encodeEventLog(name, [MARKET, cid, epochId, 1]),
  address,
})

/** A node whose every answer is a field. `time` is the clock, moved on by waiting for a head. */
export function scripted() {
  const node = {
    head: 10,
    forks: new Map<number, string>(),
    nonceNow: 7,
    nonceDeep: 7,
    noncePending: 7,
    receipts: new Map<string, { block: number; status: number; gasUsed: number; logs: object[]; hash?: string }>(),
    balance: 10_000_000n,
    sent: [] as string[],
    refusal: undefined as string | undefined,
    revert: undefined as string | undefined,
    receiptRefusal: undefined as string | undefined,
    /** Instead of the hash. */
    sendAnswer: undefined as unknown,
    /** The refusal of a raw transaction, when it depends on it. */
    take: undefined as ((raw: string) => string | undefined) | undefined,
    baseFee: 50n,
    /** Of the epoch, as `epochInfo` tells it; 0 while it is not released. */
    releaseBlock: 1,
    /** Blocks below the head that it does not have. */
    missing: new Set<number>(),
    /** The block that names another parent. */
    unlinked: undefined as number | undefined,
  }
  const hashAt = (n: number): string => `0x${(node.forks.get(n) ?? n.toString(16)).padStart(64, '0')}`
  const blockOf = (n: number) => ({
    number: hex(n),
    hash: hashAt(n),
    timestamp: hex(n),
    gasLimit: hex(30_000_000),
    parentHash: n === node.unlinked ? hashAt(999) : hashAt(n - 1),
    baseFeePerGas: hex(node.baseFee),
  })
  const ask: Ask = async (method, params) => {
    const [first, second] = params as [string, string]
    switch (method) {
      case 'eth_getBlockByNumber':
        if (first !== 'latest' && node.missing.has(Number(first))) return null
        return blockOf(first === 'latest' ? node.head : Number(first))
      case 'eth_getTransactionReceipt': {
        if (node.receiptRefusal) throw new EvmError('RPC_ERROR', node.receiptRefusal, { retriable: true })
        const found = node.receipts.get(first)
        if (!found) return null
        const { block, status, gasUsed, logs } = found
        const where = { transactionHash: first, blockNumber: hex(block), blockHash: found.hash ?? hashAt(block) }
        const placed = logs.map((log, i) => ({ ...log, ...where, logIndex: hex(i) }))
        return { ...where, status: hex(status), gasUsed: hex(gasUsed), logs: placed }
      }
      case 'eth_getTransactionCount':
        return hex(second === 'latest' ? node.nonceNow : second === 'pending' ? node.noncePending : node.nonceDeep)
      case 'eth_getTransactionByHash':
        return node.noncePending > 7 ? { hash: first } : null
      case 'eth_maxPriorityFeePerGas':
        return hex(3)
      case 'eth_getBalance':
        return hex(node.balance)
      case 'eth_call': {
        const { data } = params[0] as { data: string }
        if (data.startsWith(EPOCH_INFO.selector))
          return protocolStateInterface.encodeFunctionResult(EPOCH_INFO, [0, node.releaseBlock, 0])
        if (!node.revert) return '0x'
        const cause = { code: 'CALL_EXCEPTION', data: '0x08c379a0', reason: node.revert }
        throw new EvmError('RPC_ERROR', 'reverted', { retriable: true, cause })
      }
      case 'eth_sendRawTransaction':
        node.sent.push(first)
        node.refusal = node.take?.(first) ?? (node.take ? undefined : node.refusal)
        if (node.refusal !== undefined) throw new EvmError('RPC_ERROR', `node: ${node.refusal}`, { retriable: true })
        return node.sendAnswer === undefined ? hashOf(first) : node.sendAnswer
      default:
        throw new Error(`unexpected ${method}`)
    }
  }
  return { node, ask }
}

/** Follows a transaction; before each wait for a head `turn(n)` may change the node. Ends after `turnsMax` waits, which `waits` has, in ms. */
export async function follow(
  { node, ask }: ReturnType<typeof scripted>,
  intent: AnchorIntent,
  turn: (n: number) => void = () => {},
  {
    turnsMax = 30,
    observer = {} as AnchorObserver,
    key = KEY,
    memory = newSendMemory(),
    waits = [] as number[],
    /** By default this node is the only one. */
    rpc = undefined as Pick<Rpc, 'read' | 'agree' | 'agreeing' | 'each'> | undefined,
    agreement = 1,
  } = {},
): Promise<AnchorResult[]> {
  const results: AnchorResult[] = []
  const abort = new AbortController()
  let turns = 0
  let time = 0
  const heads: HeadWatch = {
    head: undefined,
    done: Promise.resolve(),
    changed: async (_seen, maxMs) => {
      waits.push(maxMs)
      if (++turns > turnsMax) abort.abort()
      node.head++
      time += 1_000
      turn(turns)
      return undefined
    },
  }
  const tuning = { confirmations: 3, stuckBlocks: 4, stuckMs: 2_000, rebroadcastMs: 5_000 }
  const own = { chainId: 1, limits: LIMITS }
  const settings = { ...ANCHOR_DEFAULTS, ...tuning, ...own, agreement, observer } as unknown as AnchorSettings
  const call = { to: STATE, data: '0x1234' }
  await sendAndFollow(key, intent, call, settings, {
    needSendable: () => needSendable({ intent, call, signers: [signer.address] }, settings),
    rpc: rpc ?? {
      read: (reading) => reading(ask),
      agree: (reading) => reading(ask),
      agreeing: async (reading) => [{ node: 0, value: await reading(ask) }],
      each: (reading) => [reading(ask)],
    },
    memory,
    clock: { now: () => time, sleep: async () => {} },
    heads,
    persist: (action) => action(),
    answer: async (result) => void results.push(result),
    pending: () => {},
    signal: abort.signal,
  })
  return results
}
