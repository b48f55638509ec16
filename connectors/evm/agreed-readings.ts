/** What must not be one node's word: what opens and closes epochs, who holds a slot, and what became of a transaction. */
import type { AnchorIntent, AnchorResult, PayoutAnswer } from '../../schemas/types.ts'
import type { ChainState } from './clock/chain-state.ts'
import { type ChainStep, nextStep, type ReadOptions } from './clock/chain-steps.ts'
import { headerAt } from './contract/chain-reader.ts'
import { EvmError } from './errors.ts'
import type { Ask } from './nodes/ask.ts'
import { type Receipt, receiptOf } from './nodes/log-answers.ts'
import { blockAt, nonceOf } from './nodes/node-answers.ts'
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
  const { blocks, contractBlockOf, facts, registryChanged, late } = step
  return JSON.stringify([
    blocks.map(({ header, releases, slotChanges }) => {
      const { number, hash, parentHash, timestamp, contractBlock } = header
      return [number, hash, parentHash, timestamp, contractBlock, releases, slotChanges]
    }),
    open.map(({ releaseBlock }) => contractBlockOf(releaseBlock)),
    [facts.nodes, [...facts.counts], registryChanged, late],
  ])
}

/** Who holds slots, as `reading` gives it. */
export const agreedSlots = <T>(rpc: Pick<Rpc, 'agree'>, reading: (ask: Ask) => Promise<T>): Promise<T> =>
  rpc.agree(reading, { what: () => 'the owners of slots', textOf: (slots) => JSON.stringify(slots) })

/** What a call would come to now. That it can be made is no danger; that it cannot decides over a batch. */
export const agreedPrepare = (
  rpc: Pick<Rpc, 'agree'>,
  reading: (ask: Ask) => Promise<AnchorResult>,
): Promise<AnchorResult> =>
  rpc.agree(reading, {
    what: ({ outcome }) => `a call that is ${outcome}`,
    textOf: ({ outcome, error, payout }) => {
      if (payout) return `${outcome} ${error} ${textOfPayout(payout)}` // what is paid to whom is one node's word in no case
      return outcome === 'READY' ? undefined : outcome === 'REVERTED' ? `${outcome} ${error}` : outcome
    },
  })

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

const behind = (block: number): EvmError =>
  new EvmError('BLOCK_MISSING', `the node does not have all of block ${block} yet`, { retriable: true })
