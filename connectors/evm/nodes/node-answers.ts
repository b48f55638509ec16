/**
 * Every question that a node is asked for what it knows, and the schema of its answer: with log-answers.ts the only place that
 * reads one. An answer that does not fit its schema, or the question, is an EvmError `BAD_ANSWER` and never a value. Source:
 * Ethereum JSON-RPC specification, ethereum/execution-apis.
 */

import { CALL_BYTES_MAX } from './answer-bounds.ts'
import type { Ask } from './ask.ts'
import { whyUnknown } from './missing-state.ts'
import {
  badAnswer,
  bigQuantity,
  count,
  fieldsOf,
  gas,
  hash,
  hexBytes,
  isAbsent,
  listOf,
  quantity,
  timestamp,
  tooLong,
} from './rpc-values.ts'

/** A block by number, or the newest. */
export type At = number | 'latest'

/** Which state a call reads: that of a block by its hash (so never another fork's) or number, or the newest. */
export type StateOf = At | { readonly blockHash: string }

export interface BlockAnswer {
  readonly number: number
  /** Hashes: 0x and 64 lower-case hex digits. */
  readonly hash: string
  readonly parentHash: string
  /** Seconds. */
  readonly timestamp: number
  readonly gasLimit: number
  /** Undefined on chains without one. */
  readonly baseFeePerGas: bigint | undefined
  /** A bloom of 2,048 bits; undefined where headers have none. */
  readonly logsBloom: string | undefined
  readonly receiptsRoot: string | undefined
  /** Set on Arbitrum Nitro chains. */
  readonly l1BlockNumber: number | undefined
}

export interface Call {
  readonly from?: string
  readonly to: string
  readonly data: string
}

export const chainIdOf = async (ask: Ask): Promise<number> => quantity(await ask('eth_chainId', []), 'eth_chainId')

export const blockNumber = async (ask: Ask): Promise<number> =>
  count(await ask('eth_blockNumber', []), 'eth_blockNumber')

/** Undefined when the node has no block of that number (yet); it always has a newest one. */
export async function blockAt(ask: Ask, block: At): Promise<BlockAnswer | undefined> {
  const raw = await ask('eth_getBlockByNumber', [textOf(block), false])
  if (raw === null && block !== 'latest') return undefined
  const answer = blockOf(raw, 'eth_getBlockByNumber')
  if (block === 'latest' || answer.number === block) return answer
  throw badAnswer(`eth_getBlockByNumber: block ${block} was answered with block ${answer.number}`)
}

/** Whether the node knows the block, on whichever fork. */
export async function knowsBlock(ask: Ask, blockHash: string): Promise<boolean> {
  const raw = await ask('eth_getBlockByHash', [blockHash, false])
  if (raw === null) return false
  if (blockOf(raw, 'eth_getBlockByHash').hash === blockHash) return true
  throw badAnswer(`eth_getBlockByHash: ${blockHash} was answered with another block`)
}

function blockOf(raw: unknown, method: string): BlockAnswer {
  const block = fieldsOf(raw, method)
  const what = (field: string): string => `${method}: ${field}`
  const optional = <T>(field: string, check: (value: unknown, what: string) => T): T | undefined =>
    isAbsent(block[field]) ? undefined : check(block[field], what(field))
  return {
    number: count(block.number, what('number')),
    hash: hash(block.hash, what('hash')),
    parentHash: hash(block.parentHash, what('parentHash')),
    timestamp: timestamp(block.timestamp, what('timestamp')),
    gasLimit: gas(block.gasLimit, what('gasLimit')),
    baseFeePerGas: optional('baseFeePerGas', bigQuantity),
    logsBloom: optional('logsBloom', bloom),
    receiptsRoot: optional('receiptsRoot', hash),
    l1BlockNumber: optional('l1BlockNumber', count),
  }
}

function bloom(value: unknown, what: string): string | undefined {
  const bits = hexBytes(value, what)
  if (bits === '0x') return undefined
  if (bits.length === 2 + 512) return bits
  throw badAnswer(`${what} has ${bits.length / 2 - 1} bytes, not 256`)
}

/** The calldata of a transaction, wherever it is; undefined when the node does not have it. */
export async function inputOf(ask: Ask, transactionHash: string): Promise<string | undefined> {
  const method = 'eth_getTransactionByHash'
  const raw = await ask(method, [transactionHash])
  if (raw === null) return undefined
  const transaction = fieldsOf(raw, method)
  const stated = hash(transaction.hash, `${method}: hash`)
  if (stated === transactionHash.toLowerCase()) return hexBytes(transaction.input, `${method}: input`)
  throw badAnswer(`${method}: ${transactionHash} was answered with ${stated}`)
}

/** The result of a call, 0x hex; rejects when the contract refuses it. */
export async function callResult(ask: Ask, call: Call, state: StateOf): Promise<string> {
  const result = hexBytes(await askState(ask, 'eth_call', call, state), 'eth_call')
  if (result.length <= 2 + 2 * CALL_BYTES_MAX) return result
  throw tooLong(`eth_call: the result has ${result.length / 2 - 1} bytes, and ${CALL_BYTES_MAX} is the most`)
}

export const gasEstimateOf = async (ask: Ask, call: Call): Promise<number> =>
  gas(await ask('eth_estimateGas', [call]), 'eth_estimateGas')

/** The next nonce of an account as of a block. */
export const nonceOf = async (ask: Ask, account: string, block: At): Promise<number> =>
  count(await askState(ask, 'eth_getTransactionCount', account, block), 'eth_getTransactionCount')

/** The next nonce behind the transactions of the account in the node's pool. */
export const pendingNonceOf = async (ask: Ask, account: string): Promise<number> =>
  count(await ask('eth_getTransactionCount', [account, 'pending']), 'eth_getTransactionCount')

/** Wei. */
export const balanceOf = async (ask: Ask, account: string): Promise<bigint> =>
  bigQuantity(await ask('eth_getBalance', [account, 'latest']), 'eth_getBalance')

/** Wei per gas that the node suggests on top of the base fee. */
export const priorityFeeOf = async (ask: Ask): Promise<bigint> =>
  bigQuantity(await ask('eth_maxPriorityFeePerGas', []), 'eth_maxPriorityFeePerGas')

/** Wei per gas that the node suggests for a transaction that is paid by that alone. */
export const gasPriceOf = async (ask: Ask): Promise<bigint> =>
  bigQuantity(await ask('eth_gasPrice', []), 'eth_gasPrice')

/** Wei per gas on top of the base fee that half of the gas of each of the newest blocks paid less than. */
export async function medianTipsOf(ask: Ask, blocks: number): Promise<readonly bigint[]> {
  const method = 'eth_feeHistory'
  const { reward } = fieldsOf(await ask(method, [`0x${blocks.toString(16)}`, 'latest', [50]]), method)
  const rewards = listOf(reward, `${method}: reward`, blocks)
  return rewards.map((one) => bigQuantity(listOf(one, `${method}: reward`, 1)[0], `${method}: reward`))
}

/** Rejects with `BLOCK_MISSING` or `STATE_MISSING` when that is why the node does not answer. */
async function askState(ask: Ask, method: string, subject: unknown, state: StateOf): Promise<unknown> {
  const read = (of: StateOf): Promise<unknown> => ask(method, [subject, stateText(of)])
  try {
    return await read(state)
  } catch (error) {
    if (state === 'latest') throw error
    const hasBlock = (): Promise<boolean> =>
      typeof state === 'object'
        ? knowsBlock(ask, state.blockHash)
        : blockAt(ask, state).then((block) => block !== undefined)
    const looks = { hasBlock, newest: () => read('latest'), again: () => read(state) }
    throw await whyUnknown(ask, `${method} ${JSON.stringify(state)}`, error, looks)
  }
}

export const textOf = (block: At): string => (block === 'latest' ? block : `0x${block.toString(16)}`)
const stateText = (state: StateOf): unknown => (typeof state === 'object' ? state : textOf(state))
