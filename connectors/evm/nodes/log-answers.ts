/** Logs and receipts of a node, checked as in node-answers.ts. */
import { EvmError } from '../errors.ts'
import type { Ask } from './ask.ts'
import { inRanges } from './log-range.ts'
import { blockNumber, knowsBlock, textOf } from './node-answers.ts'
import { address, badAnswer, count, fieldsOf, gas, hash, hexBytes, isAbsent, listOf, quantity } from './rpc-values.ts'

export interface Log {
  /** Addresses, hashes and data are in lower case. */
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly logIndex: number
}

export interface Receipt {
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly succeeded: boolean
  readonly gasUsed: number
  readonly logs: readonly Log[]
}

interface Emitters {
  /** Lower case. */
  readonly address: string | readonly string[]
  /** By place; a list is any of them, null is any at all. */
  readonly topics: readonly (string | readonly string[] | null)[]
}

export interface LogFilter extends Emitters {
  readonly fromBlock: number
  readonly toBlock: number
}

export interface BlockLogFilter extends Emitters {
  readonly blockHash: string
  readonly blockNumber: number
}

/** Logs of one answer; a receipt of ours has some hundred. */
const LOGS_MAX = 50_000
const TOPICS_MAX = 4
/** Undefined while the transaction is in no block. */
export async function receiptOf(ask: Ask, transactionHash: string): Promise<Receipt | undefined> {
  const method = 'eth_getTransactionReceipt'
  const raw = await ask(method, [transactionHash])
  if (raw === null) return undefined
  const receipt = fieldsOf(raw, method)
  if (isAbsent(receipt.blockHash)) return undefined // some nodes answer for a pending one
  const what = (field: string): string => `${method}: ${field}`
  const stated = hash(receipt.transactionHash, what('transactionHash'))
  if (stated !== transactionHash.toLowerCase())
    throw badAnswer(`${method}: ${transactionHash} was answered with the receipt of ${stated}`)
  const status = quantity(receipt.status, what('status'))
  if (status > 1) throw badAnswer(`${method}: status is ${status}`)
  const place = {
    transactionHash: stated,
    blockNumber: count(receipt.blockNumber, what('blockNumber')),
    blockHash: hash(receipt.blockHash, what('blockHash')),
  }
  const logs = listOf(receipt.logs, what('logs'), LOGS_MAX).map((log) => logOf(log, method))
  if (logs.some((log) => log.transactionHash !== stated || log.blockHash !== place.blockHash))
    throw badAnswer(`${method}: a log is of another transaction or block`)
  return {
    ...place,
    succeeded: status === 1,
    gasUsed: gas(receipt.gasUsed, what('gasUsed')),
    logs,
  }
}

/** In the order of the chain. Asked for in ranges as wide as the node allows, so any width may be given. */
export const logsOf = (ask: Ask, filter: LogFilter): Promise<readonly Log[]> =>
  inRanges(ask, filter, async (fromBlock, toBlock) => {
    const { address, topics } = filter
    const asked = { address, topics, fromBlock: textOf(fromBlock), toBlock: textOf(toBlock) }
    // A node that is behind knows of no logs where it has no blocks, and says so, or says that there are none.
    const [head, raw] = await Promise.all([blockNumber(ask), settled(ask('eth_getLogs', [asked]))])
    if (head < toBlock)
      throw new EvmError('BLOCK_MISSING', `eth_getLogs: the node has no block ${toBlock} yet`, { retriable: true })
    const logs = checkedLogs(await raw(), filter)
    const stray = logs.find((log) => log.blockNumber < fromBlock || log.blockNumber > toBlock)
    if (!stray) return logs
    throw badAnswer(`eth_getLogs: blocks ${fromBlock} to ${toBlock} were answered with a log of ${stray.blockNumber}`)
  })

/** The outcome of a promise, to be had later. */
const settled = <T>(promise: Promise<T>): Promise<() => Promise<T>> =>
  promise.then(
    () => () => promise,
    () => () => promise,
  )

/**
 * The same of one block. Asked for by block hash: a node that does not have that block says so, where for a range it would
 * answer with nothing.
 */
export async function logsOfBlock(
  ask: Ask,
  { blockHash, blockNumber, ...emitters }: BlockLogFilter,
): Promise<readonly Log[]> {
  const raw = await ask('eth_getLogs', [{ ...emitters, blockHash }]).catch(async (error: unknown) => {
    const isBehind = error instanceof EvmError && error.code === 'RPC_ERROR' && !(await knowsBlock(ask, blockHash))
    if (!isBehind) throw error
    throw new EvmError('BLOCK_MISSING', `eth_getLogs: the node has no block ${blockHash}`, { retriable: true })
  })
  const logs = checkedLogs(raw, emitters)
  for (const log of logs)
    if (log.blockHash !== blockHash || log.blockNumber !== blockNumber)
      throw new EvmError('INCONSISTENT', `a log of block ${blockNumber} is of another fork`, { retriable: true })
  return logs
}

function checkedLogs(raw: unknown, { address: emitters, topics }: Emitters): Log[] {
  const logs = listOf(raw, 'eth_getLogs', LOGS_MAX).map((log) => logOf(log, 'eth_getLogs'))
  const asked = (log: Log): boolean =>
    isOneOf(emitters, log.address) && topics.every((wanted, i) => wanted === null || isOneOf(wanted, log.topics[i]))
  if (!logs.every(asked)) throw badAnswer('eth_getLogs: a log is of another address or event than was asked for')
  logs.sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex)
  const twice = logs.findIndex(
    (log, i) => log.blockHash === logs[i - 1]?.blockHash && log.logIndex === logs[i - 1]?.logIndex,
  )
  if (twice < 0) return logs
  throw badAnswer(`eth_getLogs: log ${logs[twice]!.logIndex} of block ${logs[twice]!.blockNumber} is there twice`)
}

const isOneOf = (wanted: string | readonly string[], value: string | undefined): boolean =>
  value !== undefined &&
  (typeof wanted === 'string' ? wanted.toLowerCase() === value : wanted.some((one) => one.toLowerCase() === value))

function logOf(raw: unknown, method: string): Log {
  const log = fieldsOf(raw, `${method}: a log`)
  const what = (field: string): string => `${method}: ${field} of a log`
  if (log.removed === true)
    throw new EvmError('INCONSISTENT', `${method}: a log was removed by a reorganization`, { retriable: true })
  return {
    address: address(log.address, what('address')),
    topics: listOf(log.topics, what('topics'), TOPICS_MAX).map((topic) => hash(topic, what('a topic'))),
    data: hexBytes(log.data, what('data')),
    transactionHash: hash(log.transactionHash, what('transactionHash')),
    blockNumber: count(log.blockNumber, what('blockNumber')),
    blockHash: hash(log.blockHash, what('blockHash')),
    logIndex: count(log.logIndex, what('logIndex')),
  }
}
