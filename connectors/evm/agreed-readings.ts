/** Facts that must not be one node's word: facts that open and close epochs, owners of slots, and outcomes of transactions. */
import { NONE } from '../../schemas/none.ts'
import type { AnchorIntent, AnchorResult, PayoutAnswer } from '../../schemas/types.ts'
import type { Price } from './anchor-effects/anchor-price.ts'
import type { ChainState } from './clock/chain-state.ts'
import { type ChainStep, nextStep, type ReadOptions } from './clock/chain-steps.ts'
import { headerAt } from './contract/chain-reader.ts'
import { EvmError } from './errors.ts'
import type { Ask } from './nodes/ask.ts'
import { type Receipt, receiptOf } from './nodes/log-answers.ts'
import { balanceOf, blockAt, nonceOf } from './nodes/node-answers.ts'
import type { Rpc } from './nodes/rpc.ts'

/** The next step of the clock: its blocks with all that is read of them, or that a known block left the chain. */
export const agreedStep = (
  rpc: Pick<Rpc, 'agree'>,
  chain: ChainState,
  options: ReadOptions,
  anyState: boolean,
): Promise<ChainStep> =>
  rpc.agree((ask) => nextStep(ask, chain, options, anyState), {
    what: (step) => `block ${step.kind === 'blocks' ? step.blocks.at(-1)!.header.number : newestOf(step)}`,
    again: (ask, step) => stepAgain(ask, step, chain, options, anyState),
    textOf: (step) => textOfStep(step, chain),
  })

const newestOf = (step: ChainStep): number => (step.kind === 'reorg' ? step.orphaned.number : step.head)

async function stepAgain(
  ask: Ask,
  step: ChainStep,
  chain: ChainState,
  options: ReadOptions,
  anyState: boolean,
): Promise<ChainStep> {
  if (step.kind === 'idle') return step
  if (step.kind === 'reorg') {
    const now = await headerAt(ask, step.orphaned.number, options.contractBlock)
    if (!now) throw behind(step.orphaned.number)
    return now.hash === step.orphaned.hash ? { kind: 'idle', head: step.head } : step
  }
  const rangeBlocks = step.blocks.length
  const [first, last] = [step.blocks[0]!.header.number, step.blocks.at(-1)!.header.number]
  const again = await nextStep(ask, chain, { ...options, depth: 0, rangeBlocks, startBlock: first }, anyState)
  const isWhole = again.kind === 'reorg' || (again.kind === 'blocks' && again.blocks.length === rangeBlocks)
  if (!isWhole) throw behind(last)
  return again
}

function textOfStep(step: ChainStep, { open }: ChainState): string | undefined {
  if (step.kind === 'idle') return undefined
  if (step.kind === 'reorg') return `without block ${step.orphaned.number} ${step.orphaned.hash}`
  const { blocks, contractBlockOf, facts, registryChanged, slotsUnread, late, refused } = step
  return JSON.stringify([
    blocks.map(({ header, releases, slotChanges }) => {
      const { number, hash, parentHash, timestamp, contractBlock } = header
      return [number, hash, parentHash, timestamp, contractBlock, releases, slotChanges]
    }),
    open.map(({ releaseBlock }) => contractBlockOf(releaseBlock)),
    [facts.nodes, [...facts.counts], registryChanged, slotsUnread, late, refused],
  ])
}

/** The owners of slots, as `reading` gives them. */
export const agreedSlots = <T>(rpc: Pick<Rpc, 'agree'>, reading: (ask: Ask) => Promise<T>): Promise<T> =>
  rpc.agree(reading, { what: () => 'the owners of slots', textOf: (slots) => JSON.stringify(slots) })

/** A nonce so far above the agreed one is no lag of the others; nor are so many times the fee, or so small a part of the gas. */
const NONCES_ODD = 64
const FEES_ODD = 8n
const GAS_ODD = 2

/**
 * The outcome that a call would have now. Whether it can be made enough nodes must say alike, else it would be paid for and
 * revert, or a batch be given up. Numbers differ a little from node to node: of the nonce and of the fees the middle is taken, or
 * the smaller one of two, so that no single node can raise them; of the gas the larger one, so that none can make it too little.
 */
export async function agreedPrepare(
  rpc: Pick<Rpc, 'agreeing' | 'doubt'>,
  reading: (ask: Ask) => Promise<AnchorResult>,
): Promise<AnchorResult> {
  const given = await rpc.agreeing(reading, {
    what: (result) => `a call that is ${result?.outcome ?? 'to be made'}`,
    textOf: ({ outcome, error, payout }) =>
      `${outcome} ${outcome === 'REVERTED' ? error : ''} ${payout ? textOfPayout(payout) : ''}`,
  })
  const results = given.map(({ value }) => value)
  const [first] = results as [AnchorResult, ...AnchorResult[]]
  if (first.outcome === 'ALREADY_ANCHORED') return { ...first, ...placeOfMost(results) }
  if (first.outcome !== 'READY') return first
  const nonce = middle(results.map((one) => one.nonce))
  const gasLimit = middle(
    results.map((one) => one.gasLimit),
    'larger',
  )
  const { maxFee, tip } = middlePrice(
    results.map(({ maxFeePerGas, maxPriorityFeePerGas: tip }) => ({ maxFee: BigInt(maxFeePerGas), tip: BigInt(tip) })),
  )
  for (const { node, value } of given) {
    if (value.nonce > nonce + NONCES_ODD) rpc.doubt(node, `the next nonce: ${value.nonce}, and others say ${nonce}`)
    else if (value.gasLimit * GAS_ODD < gasLimit)
      rpc.doubt(node, `the gas of a call: ${value.gasLimit}, and others say ${gasLimit}`)
    else if (BigInt(value.maxFeePerGas) > FEES_ODD * maxFee)
      rpc.doubt(node, `fees: ${value.maxFeePerGas} wei, and others say ${maxFee}`)
  }
  return {
    ...first,
    nonce,
    gasLimit,
    maxFeePerGas: `${maxFee}`,
    maxPriorityFeePerGas: `${tip}`,
  }
}

/** The place of the transaction, if more than half of the nodes say the same; not every node has old logs. */
function placeOfMost(
  results: readonly AnchorResult[],
): Pick<AnchorResult, 'transactionHash' | 'blockNumber' | 'blockHash'> {
  const texts = results.map(
    ({ transactionHash, blockNumber, blockHash }) => `${transactionHash} ${blockNumber} ${blockHash}`,
  )
  const most = results.find((_, at) => texts.filter((text) => text === texts[at]).length * 2 > results.length)
  const { transactionHash, blockNumber, blockHash } = most ?? { transactionHash: '', blockNumber: NONE, blockHash: '' }
  return { transactionHash, blockNumber, blockHash }
}

/** The price that the chain asks for a transaction now: no single node can raise it. */
export async function agreedPrice(rpc: Pick<Rpc, 'agreeing'>, reading: (ask: Ask) => Promise<Price>): Promise<Price> {
  const given = await rpc.agreeing(reading, { what: () => 'the fees', textOf: () => '' })
  return middlePrice(given.map(({ value }) => value))
}

/** A tip above the fee is none that a transaction can have. */
function middlePrice(prices: readonly Price[]): Price {
  const maxFee = middle(prices.map((one) => one.maxFee))
  const tip = middle(prices.map((one) => one.tip))
  return { maxFee, tip: tip < maxFee ? tip : maxFee }
}

/** The next nonces of accounts: no single node can raise them. */
export async function agreedNonces(rpc: Pick<Rpc, 'agreeing'>, signers: readonly string[]): Promise<number[]> {
  const reading = (ask: Ask): Promise<number[]> => Promise.all(signers.map((signer) => nonceOf(ask, signer, 'latest')))
  const given = await rpc.agreeing(reading, { what: () => 'the next nonces', textOf: () => '' })
  return signers.map((_, at) => middle(given.map(({ value }) => value[at]!)))
}

/** Why a call would be refused now; undefined when it would not. */
export async function agreedRefusal(
  rpc: Pick<Rpc, 'agreeing'>,
  reading: (ask: Ask) => Promise<string | undefined>,
): Promise<string | undefined> {
  const what = (code: string | undefined) => `a call that is ${code === undefined ? 'taken' : `refused with ${code}`}`
  const [first] = await rpc.agreeing<string | undefined>(reading, { what, textOf: (code) => code ?? '' })
  return first!.value
}

/** The balance of the signer, wei: no single node can make it little or much. */
export async function agreedBalance(rpc: Pick<Rpc, 'agreeing'>, signer: string): Promise<bigint> {
  const said = { what: () => 'the balance of the signer', textOf: () => '' }
  return middle((await rpc.agreeing((ask) => balanceOf(ask, signer), said)).map(({ value }) => value))
}

/** The most gas of a block: no single node can make it too little for what was signed. */
export async function agreedBlockGas(rpc: Pick<Rpc, 'agreeing'>): Promise<number> {
  const reading = async (ask: Ask): Promise<number> => (await blockAt(ask, 'latest'))!.gasLimit
  const given = await rpc.agreeing(reading, { what: () => 'the gas of a block', textOf: () => '' })
  return middle(
    given.map(({ value }) => value),
    'larger',
  )
}

/** The hashes of canonical blocks. A node that lacks one of them is behind, and has no word. */
export async function agreedHashes(
  rpc: Pick<Rpc, 'agreeing'>,
  blocks: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const hashAt = async (ask: Ask, number: number): Promise<string> => {
    const block = await blockAt(ask, number)
    if (!block) throw behind(number)
    return block.hash
  }
  const reading = (ask: Ask): Promise<string[]> => Promise.all(blocks.map((number) => hashAt(ask, number)))
  const what = () => `block ${blocks[0]}`
  const [first] = await rpc.agreeing(reading, { what, textOf: (hashes) => hashes.join() })
  return new Map(blocks.map((number, at) => [number, first!.value[at]!]))
}

/** True when the nonce is used, and by none of these transactions. */
export async function agreedTaken(
  rpc: Pick<Rpc, 'agreeing'>,
  { signer, nonce }: Pick<AnchorIntent, 'signer' | 'nonce'>,
  hashes: readonly string[],
): Promise<boolean> {
  const reading = async (ask: Ask): Promise<'free' | 'ours' | 'taken'> => {
    if ((await nonceOf(ask, signer, 'latest')) <= nonce) return 'free'
    const receipts = await Promise.all(hashes.map((hash) => receiptOf(ask, hash)))
    return receipts.some((receipt) => receipt !== undefined) ? 'ours' : 'taken'
  }
  const [first] = await rpc.agreeing(reading, { what: () => `nonce ${nonce}`, textOf: (whose) => whose })
  return first!.value === 'taken'
}

/** Something that each node tells in words that can be compared as they are. */
export async function agreedWord<T extends string | boolean>(
  rpc: Pick<Rpc, 'agreeing'>,
  about: string,
  reading: (ask: Ask) => Promise<T>,
): Promise<T> {
  const [first] = await rpc.agreeing(reading, { what: () => about, textOf: String })
  return first!.value
}

/** The middle value; when two are in the middle, the smaller or the larger one. */
function middle<T extends number | bigint>(values: readonly T[], of: 'smaller' | 'larger' = 'smaller'): T {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return sorted[of === 'larger' ? sorted.length >> 1 : (sorted.length - 1) >> 1]!
}

const textOfPayout = ({ slots, ...others }: PayoutAnswer): string =>
  JSON.stringify([Buffer.from(slots).toString('hex'), others])

/**
 * Undefined when the nodes that agree have no such receipt, or another one. A node that has the block and no receipt may still
 * be indexing, unless the nonce of the transaction is free.
 */
export async function agreedReceipt(
  rpc: Pick<Rpc, 'agree'>,
  seen: Receipt,
  { signer, nonce }: Pick<AnchorIntent, 'signer' | 'nonce'>,
): Promise<Receipt | undefined> {
  const { transactionHash, blockNumber, blockHash } = seen
  const receipt = await rpc.agree((ask) => receiptOf(ask, transactionHash), {
    what: () => `the receipt of ${transactionHash}`,
    again: async (ask) => {
      const again = await receiptOf(ask, transactionHash)
      if (again) return again
      const block = await blockAt(ask, blockNumber)
      if (!block) throw behind(blockNumber)
      if (block.hash === blockHash && (await nonceOf(ask, signer, 'latest')) > nonce) throw behind(blockNumber)
      return undefined
    },
    textOf: textOfReceipt,
  })
  return textOfReceipt(receipt) === textOfReceipt(seen) ? receipt : undefined
}

const textOfReceipt = (receipt: Receipt | undefined): string | undefined =>
  receipt && JSON.stringify([receipt.transactionHash, receipt.blockHash, receipt.succeeded, receipt.logs])

export const behind = (block: number): EvmError =>
  new EvmError('BLOCK_MISSING', `the node does not have all of block ${block} yet`, { retriable: true })
