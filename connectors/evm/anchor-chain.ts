/** What the anchor asks of the chain and its contract: typed reads, and calls whose refusal is a value. */
import { AbiCoder, dataSlice, type Interface, Transaction } from 'ethers'
import type { AnchorIntent, AnchorKey, Batch } from '../../schemas/types.ts'
import { protocolStateInterface as abi } from './abi.ts'
import type { ContractBlockSource } from './chain-reader.ts'
import { EvmError } from './errors.ts'
import type { Ask } from './rpc.ts'
import { bigQuantity, hash, quantity } from './rpc-values.ts'

export interface Head {
  readonly number: number
  readonly hash: string
  readonly parentHash: string
  /** As the contract counts (window.ts). */
  readonly contractBlock: number
  readonly gasLimit: number
  /** Undefined on a chain without EIP-1559. */
  readonly baseFeePerGas: bigint | undefined
}

export interface ContractCall {
  readonly to: string
  readonly data: string
}

export interface Log {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
  readonly transactionHash: string
  readonly blockNumber: string
  readonly blockHash: string
}

export interface Receipt {
  readonly transactionHash: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly succeeded: boolean
  readonly gasUsed: number
  readonly logs: readonly Log[]
}

/** A block by number, or the newest. */
export type At = number | 'latest'

const at = (block: At): string => (block === 'latest' ? block : `0x${block.toString(16)}`)

export async function headerOf(ask: Ask, block: At, source: ContractBlockSource): Promise<Head | undefined> {
  const raw = (await ask('eth_getBlockByNumber', [at(block), false])) as Record<string, string> | null
  if (!raw) return undefined
  const { number, gasLimit, baseFeePerGas } = raw
  const contractBlock = quantity(raw[source], source)
  return {
    number: quantity(number, 'block number'),
    hash: hash(raw.hash, 'block hash'),
    parentHash: hash(raw.parentHash, 'parent hash'),
    contractBlock,
    gasLimit: quantity(gasLimit, 'gas limit of a block'),
    baseFeePerGas: baseFeePerGas == null ? undefined : bigQuantity(baseFeePerGas, 'base fee'),
  }
}

export async function receiptOf(ask: Ask, transactionHash: string): Promise<Receipt | undefined> {
  const raw = (await ask('eth_getTransactionReceipt', [transactionHash])) as
    | (Record<string, string> & { logs: Log[] })
    | null
  if (!raw?.blockHash) return undefined // some nodes answer for a pending one
  return {
    transactionHash,
    blockNumber: quantity(raw.blockNumber, 'block number'),
    blockHash: hash(raw.blockHash, 'block hash'),
    succeeded: quantity(raw.status ?? '0x0', 'status of a receipt') === 1,
    gasUsed: quantity(raw.gasUsed, 'gas used'),
    logs: raw.logs,
  }
}

export const nonceOf = async (ask: Ask, address: string, block: At): Promise<number> =>
  quantity(await ask('eth_getTransactionCount', [address, at(block)]), 'nonce')

export const balanceOf = async (ask: Ask, address: string): Promise<bigint> =>
  bigQuantity(await ask('eth_getBalance', [address, 'latest']), 'balance')

/** The contract call of an intent. */
export function callOf(
  key: AnchorKey,
  intent: AnchorIntent,
  batch: Batch | undefined,
  protocolState: string,
): ContractCall {
  const { dataMarket, epochId } = key
  if (intent.call === 'END')
    return { to: protocolState, data: abi.encodeFunctionData('endBatchSubmissions', [dataMarket, epochId]) }
  const { projectIds, snapshotCids, finalizedCidsRootHash } = batch!
  const args = [dataMarket, intent.cid, epochId, projectIds, snapshotCids, finalizedCidsRootHash]
  return { to: protocolState, data: abi.encodeFunctionData('submitSubmissionBatch', args) }
}

/** Runs a call without a transaction: undefined when it passes, else the code of the revert (`Exx`, or `REVERTED`). */
export const dryRun = (ask: Ask, from: string, call: ContractCall, block: At): Promise<string | undefined> =>
  orRevert(
    async () => {
      await ask('eth_call', [{ from, ...call }, at(block)])
      return undefined
    },
    (code) => code,
  )

/** The gas a call takes now, or the code of its revert. */
export const estimateGas = (ask: Ask, from: string, call: ContractCall): Promise<number | string> =>
  orRevert<number | string>(
    async () => quantity(await ask('eth_estimateGas', [{ from, ...call }]), 'gas estimate'),
    (code) => code,
  )

export async function readContract(
  ask: Ask,
  to: string,
  name: string,
  args: readonly unknown[],
  block: At,
  contract: Interface = abi,
): Promise<readonly unknown[]> {
  const answer = await ask('eth_call', [{ to, data: contract.encodeFunctionData(name, args) }, at(block)])
  try {
    return contract.decodeFunctionResult(name, String(answer))
  } catch (cause) {
    throw new EvmError('RPC_ERROR', `${name} was answered with ${String(answer).slice(0, 80)}`, {
      retriable: true,
      cause,
    })
  }
}

export interface LogFilter {
  readonly address: string
  readonly topics: readonly (string | readonly string[] | null)[]
  readonly fromBlock: number
  readonly toBlock: number
}

export const logsOf = async (ask: Ask, { fromBlock, toBlock, ...filter }: LogFilter): Promise<readonly Log[]> => {
  const logs = await ask('eth_getLogs', [{ ...filter, fromBlock: at(fromBlock), toBlock: at(toBlock) }])
  if (!Array.isArray(logs))
    throw new EvmError('RPC_ERROR', 'eth_getLogs was not answered with a list', { retriable: true })
  return logs as Log[]
}

export const topicOf = (event: string): string => abi.getEvent(event)!.topicHash

/** An address or a number as an indexed event argument. */
export const word = (value: string | number): string =>
  `0x${(typeof value === 'number' ? value.toString(16) : value.slice(2).toLowerCase()).padStart(64, '0')}`

/** The `batchCid` of an event that carries it unindexed, first. */
export const cidIn = ({ data }: Log): string => AbiCoder.defaultAbiCoder().decode(['string', 'uint256'], data)[0]

export const addressIn = (topic: string | undefined): string => dataSlice(topic ?? '0x', 12).toLowerCase()

/** The root in a validator's own call of submitBatchAttestation; undefined when it called through another contract. */
export async function attestedRoot(ask: Ask, transactionHash: string, batchCid: string): Promise<string | undefined> {
  const raw = (await ask('eth_getTransactionByHash', [transactionHash])) as { input?: string } | null
  try {
    const [, cid, , root] = abi.decodeFunctionData('submitBatchAttestation', raw?.input ?? '0x')
    return cid === batchCid ? String(root).toLowerCase() : undefined
  } catch {
    return undefined
  }
}

export const hashOf = (raw: string): string => Transaction.from(raw).hash!

/** A filler goes from the signer to itself and carries nothing. */
export const isFiller = (raw: string): boolean => Transaction.from(raw).data === '0x'

/** Only a node that hands over revert data has really run the call: all else may pass, and is thrown on. */
async function orRevert<T>(action: () => Promise<T>, reverted: (code: string) => T): Promise<T> {
  try {
    return await action()
  } catch (error) {
    const code = revertCode(error)
    if (code === undefined) throw error
    return reverted(code)
  }
}

function revertCode(error: unknown): string | undefined {
  const { cause } = error as { cause?: { code?: string; data?: string | null; reason?: string | null } }
  if (cause?.code !== 'CALL_EXCEPTION' || !cause.data) return undefined
  return /^E\d\d$/.test(cause.reason ?? '') ? cause.reason! : 'REVERTED'
}
