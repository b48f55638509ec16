/** The anchor's questions to the chain and its contract: typed reads, and calls whose refusal is a value. */
import { AbiCoder, type Interface, Result, Transaction } from 'ethers'
import type { AnchorIntent, AnchorKey, Batch } from '../../../schemas/types.ts'
import { protocolStateInterface as abi } from '../contract/abi.ts'
import { type ContractBlockSource, contractBlockOf, readResult } from '../contract/chain-reader.ts'
import type { Ask } from '../nodes/ask.ts'
import type { Log } from '../nodes/log-answers.ts'
import { type At, blockAt, callResult, gasEstimateOf, inputOf } from '../nodes/node-answers.ts'

export { type Log, logsOf, type Receipt, receiptOf } from '../nodes/log-answers.ts'
export { type At, balanceOf, nonceOf } from '../nodes/node-answers.ts'

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
  /** Why the call must not be made, although the contract would take it. */
  readonly whyNot?: (ask: Ask, block: At) => Promise<string | undefined>
}

/** The newest block always exists. */
export async function headerOf(ask: Ask, block: At, source: ContractBlockSource): Promise<Head | undefined> {
  const answer = await blockAt(ask, block)
  if (!answer) return undefined
  const { number, hash, parentHash, gasLimit, baseFeePerGas } = answer
  return { number, hash, parentHash, contractBlock: contractBlockOf(answer, source), gasLimit, baseFeePerGas }
}

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

/**
 * Runs a call without a transaction: undefined when it passes and may be made, else the code of the revert (`Exx`, or
 * `REVERTED`), or why it must not be made.
 */
export const dryRun = (
  ask: Ask,
  from: string,
  { to, data, whyNot }: ContractCall,
  block: At,
): Promise<string | undefined> =>
  orRevert(
    async () => {
      await callResult(ask, { from, to, data }, block)
      return whyNot?.(ask, block)
    },
    (code) => code,
  )

/** The gas a call takes now, or the code of its revert. */
export const estimateGas = (ask: Ask, from: string, { to, data }: ContractCall): Promise<number | string> =>
  orRevert<number | string>(
    () => gasEstimateOf(ask, { from, to, data }),
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
  return valuesOf(await readResult(ask, to, name, args, block, contract))
}

/** Bytes that are no text are no CID and no project of ours, and read as an empty one: such bytes stop nobody. */
function valuesOf(result: Result): readonly unknown[] {
  return Array.from({ length: result.length }, (_, i) => {
    try {
      const value: unknown = result[i]
      return value instanceof Result ? valuesOf(value) : value
    } catch {
      return ''
    }
  })
}

export const topicOf = (event: string): string => abi.getEvent(event)!.topicHash

/** An address or a number as an indexed event argument. */
export const word = (value: string | number): string =>
  `0x${(typeof value === 'number' ? value.toString(16) : value.slice(2).toLowerCase()).padStart(64, '0')}`

/** The `batchCid` of an event that carries it unindexed, first; undefined when there is none that can be read. */
export function cidIn({ data }: Pick<Log, 'data'>): string | undefined {
  try {
    return AbiCoder.defaultAbiCoder().decode(['string', 'uint256'], data)[0]
  } catch {
    return undefined
  }
}

/** The largest call of `submitBatchAttestation`, in bytes: a batch has one CID. */
const ATTESTATION_BYTES_MAX = 4_096

/** The root in a validator's own call of submitBatchAttestation; undefined when it called through another contract. */
export async function attestedRoot(ask: Ask, transactionHash: string, batchCid: string): Promise<string | undefined> {
  const input = (await inputOf(ask, transactionHash)) ?? '0x'
  if (input.length > 2 + 2 * ATTESTATION_BYTES_MAX) return undefined
  try {
    const [, cid, , root] = abi.decodeFunctionData('submitBatchAttestation', input)
    return cid === batchCid ? String(root).toLowerCase() : undefined
  } catch {
    return undefined
  }
}

export const hashOf = (raw: string): string => Transaction.from(raw).hash!

/** The hash of a signed form, in the place of its bytes. */
export const isHash = (form: string): boolean => HASH.test(form)
const HASH = /^0x[0-9a-f]{64}$/

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
