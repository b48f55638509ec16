import { isEnding, isPayout } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import { protocolStateInterface as abi, dataMarketInterface } from '../contract/abi.ts'
import { isUnreadable } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import {
  balanceOf,
  type ContractCall,
  cidIn,
  dryRun,
  estimateGas,
  type Head,
  headerOf,
  logsOf,
  nonceOf,
  readContract,
  topicOf,
  word,
} from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { priceNow } from './anchor-price.ts'
import { NotYet, resultOf } from './anchor-result.ts'
import { deepBlock, needSame } from './depth.ts'

/**
 * An estimate made in the second of the last write to a slot takes that write for free (`lastUpdated = block.timestamp` does
 * not change anything), and the transaction a second later runs out of gas: two cold storage writes on top.
 */
const GAS_HEADROOM = 50_000
/** Gas of every transaction, and of each byte of its data at least (EIP-2028). */
const INTRINSIC_GAS = 21_000
const GAS_PER_BYTE_MIN = 4
/** Factor on a gas limit that was not enough, for the next one. */
const GAS_AGAIN = 2
/** Reads of the contract in one go; a batch has some hundred projects. */
const READS_AT_ONCE = 50

export interface PrepareInput {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
  readonly call: ContractCall
  readonly signer: string
}

/**
 * Whether the call can be made now, with what gas, fees and next nonce; or why not. All reads go to one node.
 * @throws NotYet when what the node says may still change by a reorg, or when the signer cannot pay
 */
export async function prepare(ask: Ask, input: PrepareInput, settings: AnchorSettings): Promise<AnchorResult> {
  const { call, signer } = input
  const head = (await headerOf(ask, 'latest', settings.contractBlock))!
  const code = await dryRun(ask, signer, call, 'latest')
  const over = code === undefined && (await windowIsOver(ask, input, head, settings))
  const refusal = code ?? (over ? 'LATE' : undefined)
  if (refusal !== undefined) return refused(ask, input, head, refusal, settings)
  return withGas(ask, input, head, settings)
}

/** READY with gas, fees and nonce; FAILED when no transaction has so much gas. */
export async function withGas(
  ask: Ask,
  input: PrepareInput,
  head: Head,
  settings: AnchorSettings,
): Promise<AnchorResult> {
  const { intent, call, signer } = input
  const estimate = await estimateGas(ask, signer, call)
  if (typeof estimate === 'string') throw new NotYet(`the dry run passed, the estimate was refused: ${estimate}`)
  const least = INTRINSIC_GAS + GAS_PER_BYTE_MIN * ((call.data.length - 2) / 2)
  if (estimate < least)
    throw new EvmError('BAD_ANSWER', `a gas estimate of ${estimate}, where the data alone takes ${least}`, {
      retriable: true,
    })
  const gasMax = gasMaxOf(head, settings)
  if (estimate > gasMax)
    return resultOf(intent, 'FAILED', { error: `needs ${estimate} gas, and a transaction has ${gasMax} at most` })
  if (intent.gasLimit >= gasMax)
    return resultOf(intent, 'FAILED', { error: `${intent.gasLimit} gas was not enough, and a transaction has no more` })
  return quote(ask, input, head, Math.min(offerOf(estimate, intent.gasLimit, settings), gasMax), settings)
}

export const gasMaxOf = (
  { gasLimit }: Pick<Head, 'gasLimit'>,
  { transactionGasMax }: Pick<AnchorSettings, 'transactionGasMax'>,
): number => Math.min(gasLimit, transactionGasMax || gasLimit)

/** The limit for an estimate. @param shortage a limit that was not enough, 0 when there was none */
export const offerOf = (estimate: number, shortage: number, { gasMargin }: Pick<AnchorSettings, 'gasMargin'>): number =>
  Math.ceil(Math.max(estimate * gasMargin + GAS_HEADROOM, shortage * GAS_AGAIN))

async function quote(
  ask: Ask,
  { intent, signer }: PrepareInput,
  head: Head,
  gasLimit: number,
  settings: AnchorSettings,
): Promise<AnchorResult> {
  const { observer } = settings
  const { maxFee, tip } = await priceNow(ask, head, settings)
  const balance = await balanceOf(ask, signer)
  observer?.balance?.(balance)
  const needed = BigInt(gasLimit) * maxFee
  if (balance < needed) {
    observer?.lowBalance?.(balance, needed)
    throw new NotYet(`the signer ${signer} has ${balance} wei, and the transaction may cost ${needed}`)
  }
  const nonce = await nonceOf(ask, signer, 'latest')
  const fees = { maxFeePerGas: `${maxFee}`, maxPriorityFeePerGas: `${tip}` }
  return resultOf(intent, 'READY', { signer, nonce, gasLimit, ...fees })
}

/**
 * The contract takes a batch up to `release + window`, and drops a later one without a revert. The transaction lies in the
 * next block at best, whose number is one more. On a chain that counts the blocks of its parent many blocks have one number,
 * the next as well.
 */
export async function windowIsOver(
  ask: Ask,
  { key, intent, call }: Pick<PrepareInput, 'key' | 'intent' | 'call'>,
  head: Head,
  { contractBlock }: AnchorSettings,
): Promise<boolean> {
  if (intent.call === 'END' || isPayout(key)) return false
  const { dataMarket, epochId } = key
  const [, releaseBlock] = await readContract(ask, call.to, 'epochInfo', [dataMarket, epochId], 'latest')
  if (releaseBlock === 0n) throw new NotYet(`the node knows no epoch ${epochId}`)
  const [window] = await readContract(ask, call.to, 'batchSubmissionWindow', [dataMarket], 'latest')
  const next = contractBlock === 'number' ? head.contractBlock + 1 : head.contractBlock
  return next > Number(releaseBlock) + Number(window)
}

async function refused(
  ask: Ask,
  input: PrepareInput,
  head: Head,
  code: string,
  settings: AnchorSettings,
): Promise<AnchorResult> {
  const { key, intent, call, signer } = input
  const deep = deepBlock(head, settings)
  if (await alreadyAnchored(ask, input, code, 'latest')) {
    const isDeep = deep !== undefined && (await alreadyAnchored(ask, input, code, deep))
    if (!isDeep) throw new NotYet('it is on the chain, but not deep enough')
    return resultOf(intent, 'ALREADY_ANCHORED', await placeOf(ask, input, head, settings))
  }
  if (code === 'LATE') {
    await needSame(ask, head, settings)
    return resultOf(intent, 'LATE')
  }
  if (deep === undefined || (await dryRun(ask, signer, call, deep)) !== code)
    throw new NotYet(`the contract refuses it with ${code}, but may not after a reorg`)
  settings.observer?.reverted?.(code, key)
  return resultOf(intent, 'REVERTED', { error: code })
}

/**
 * Whether the contract has this very batch (or ending) at a block. The CID alone says little: another sequencer can read it in
 * our transaction, and be first with other snapshots under it.
 */
async function alreadyAnchored(
  ask: Ask,
  { key, intent, call, signer }: PrepareInput,
  code: string,
  block: number | 'latest',
): Promise<boolean> {
  if (intent.call === 'END') return code === 'E39' && (await dryRun(ask, signer, call, block)) === 'E39'
  const [cids] = await readContract(ask, call.to, 'epochIdToBatchCids', [key.dataMarket, key.epochId], block)
  return (cids as string[]).includes(intent.cid) && (await isSameBatch(ask, key, call, block))
}

/** True when the contract has this batch or says that the epoch has ended, as of now; also true when the contract does not say. */
export async function isOnContract(
  ask: Ask,
  { key, intent }: Pick<PrepareInput, 'key' | 'intent'>,
  call: ContractCall,
): Promise<boolean> {
  const { dataMarket, epochId } = key
  try {
    if (isEnding(key)) {
      const name = 'epochIdToBatchSubmissionsCompleted'
      const [isCompleted] = await readContract(ask, dataMarket, name, [epochId], 'latest', dataMarketInterface)
      return isCompleted === true
    }
    const [cids] = await readContract(ask, call.to, 'epochIdToBatchCids', [dataMarket, epochId], 'latest')
    return (cids as string[]).includes(intent.cid) && (await isSameBatch(ask, key, call, 'latest'))
  } catch (error) {
    if (isUnreadable(error)) return true
    throw error
  }
}

/** Root, projects and the snapshot CID of each, as the call has them. */
async function isSameBatch(
  ask: Ask,
  { dataMarket, epochId }: AnchorKey,
  { to, data }: ContractCall,
  block: number | 'latest',
): Promise<boolean> {
  const [, cid, , projectIds, snapshotCids, root] = abi.decodeFunctionData('submitSubmissionBatch', data).toArray(true)
  const read = (name: string, ...args: unknown[]) => readContract(ask, to, name, args, block)
  const [kept] = await read('batchCidSequencerAttestation', dataMarket, cid)
  const [projects] = await read('batchCidToProjects', dataMarket, cid)
  if (String(kept) !== root || JSON.stringify(projects) !== JSON.stringify(projectIds)) return false
  for (let from = 0; from < projectIds.length; from += READS_AT_ONCE) {
    const some: string[] = projectIds.slice(from, from + READS_AT_ONCE)
    const found = await Promise.all(some.map((project) => read('snapshotStatus', dataMarket, project, epochId)))
    if (found.some(([, snapshotCid], at) => snapshotCid !== snapshotCids[from + at])) return false
  }
  return true
}

/** The place of the event for a batch that is on the chain already: not before the release of its epoch. Empty when there is none. */
async function placeOf(
  ask: Ask,
  { key, intent, call }: PrepareInput,
  head: Head,
  settings: AnchorSettings,
): Promise<Partial<AnchorResult>> {
  const { dataMarket, epochId } = key
  const event = topicOf(intent.call === 'END' ? 'BatchSubmissionsCompleted' : 'SnapshotBatchSubmitted')
  const filter = { address: call.to, topics: [event, word(dataMarket), word(epochId)] }
  const [, releaseBlock] = await readContract(ask, call.to, 'epochInfo', [dataMarket, epochId], 'latest')
  let fromBlock = await firstBlockAt(ask, Number(releaseBlock), head, settings)
  while (fromBlock <= head.number) {
    const toBlock = Math.min(head.number, fromBlock + settings.logRangeBlocks - 1)
    const logs = await logsOf(ask, { ...filter, fromBlock, toBlock })
    const log = logs.find((one) => intent.call === 'END' || cidIn(one) === intent.cid)
    if (log) {
      const { transactionHash, blockNumber, blockHash } = log
      return { transactionHash, blockNumber, blockHash }
    }
    fromBlock = toBlock + 1
  }
  return {}
}

/**
 * The first block that has this number, or a higher one, as the contract counts. On a chain that counts its parent's blocks it is
 * searched.
 */
async function firstBlockAt(
  ask: Ask,
  contractBlock: number,
  head: Head,
  { contractBlock: source }: AnchorSettings,
): Promise<number> {
  if (source === 'number') return contractBlock
  let [low, high] = [0, head.number]
  while (low < high) {
    const middle = (low + high) >> 1
    const header = await headerOf(ask, middle, source)
    if (header && header.contractBlock >= contractBlock) high = middle
    else low = middle + 1 // a node that has no such old block has the newer ones
  }
  return low
}
