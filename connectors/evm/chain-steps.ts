/** What to do next, read from one node: nothing, further blocks, or going back to a common ancestor. */
import {
  type BlockHeader,
  blockNumber,
  type ContractAddresses,
  type ContractBlockSource,
  eventsOf,
  headerAt,
  type ReleasedEpoch,
  type SlotChange,
  type StateAt,
  submissionWindow,
} from './chain-reader.ts'
import type { BlockFacts, ChainState, Head } from './chain-state.ts'
import { EvmError } from './errors.ts'
import type { Ask } from './rpc.ts'

export interface ReadOptions {
  readonly addresses: ContractAddresses
  /** Whether the release of an epoch is taken up. */
  readonly follows: (dataMarket: string, epochId: number) => boolean
  /** Blocks behind the head that the clock stays. */
  readonly depth: number
  /** Blocks in one step, at most. */
  readonly rangeBlocks: number
  /** First block ever; absent = the newest one at the depth. */
  readonly startBlock?: number | undefined
  readonly contractBlock: ContractBlockSource
}

export interface BlockRead extends BlockFacts {
  readonly slotChanges: readonly SlotChange[]
}

export type ChainStep =
  | { readonly kind: 'idle'; readonly head: number }
  | {
      readonly kind: 'blocks'
      readonly head: number
      readonly blocks: readonly BlockRead[]
      /** A release block or a block of this step as the contract counts it. */
      readonly contractBlockOf: (blockNumber: number) => number
    }
  /** The blocks from `orphaned` on have left the chain. */
  | { readonly kind: 'reorg'; readonly head: number; readonly orphaned: Head }

const inconsistent = (message: string): EvmError => new EvmError('INCONSISTENT', message, { retriable: true })

/**
 * @param anyState the nodes have dropped the state of these blocks: read windows from the newest state instead
 */
export async function nextStep(
  ask: Ask,
  chain: ChainState,
  options: ReadOptions,
  anyState: boolean,
): Promise<ChainStep> {
  const newest = chain.heads.at(-1)
  const { contractBlock } = options
  const [head, same] = await Promise.all([
    blockNumber(ask),
    newest === undefined ? undefined : headerAt(ask, newest.number, contractBlock),
  ])
  // A node that does not have our newest block is behind; only another block in its place is a reorg.
  if (newest && same && same.hash !== newest.hash) return reorg(ask, chain, head, contractBlock)
  const last = head - options.depth
  const first = newest ? newest.number + 1 : (options.startBlock ?? Math.max(0, last))
  if (last < first) return { kind: 'idle', head }
  const headers = await headersOf(ask, first, Math.min(last, first + options.rangeBlocks - 1), contractBlock)
  if (newest && headers[0]!.parentHash !== newest.hash) return reorg(ask, chain, head, contractBlock)
  const [blocks, contractBlockOf] = await Promise.all([
    Promise.all(headers.map((header) => readBlock(ask, header, options, anyState))),
    contractBlocks(ask, chain, headers, contractBlock),
  ])
  return { kind: 'blocks', head, blocks, contractBlockOf }
}

/** Linked headers from `first` on; they end before the first that the node does not have. */
async function headersOf(ask: Ask, first: number, last: number, source: ContractBlockSource): Promise<BlockHeader[]> {
  const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i)
  const answers = await Promise.all(numbers.map((number) => headerAt(ask, number, source)))
  const missing = answers.indexOf(undefined)
  const headers = answers.slice(0, missing < 0 ? answers.length : missing) as BlockHeader[]
  if (headers.length === 0) {
    throw new EvmError('BLOCK_MISSING', `the node has no block ${first} below its own head`, { retriable: true })
  }
  for (const [i, header] of headers.entries()) {
    const parent = headers[i - 1]
    if (parent && header.parentHash !== parent.hash)
      throw inconsistent(`block ${header.number} does not follow its parent`)
  }
  return headers
}

async function readBlock(
  ask: Ask,
  header: BlockHeader,
  { addresses, follows }: ReadOptions,
  anyState: boolean,
): Promise<BlockRead> {
  const { releases, slotChanges } = await eventsOf(ask, header, addresses)
  const ours = releases.filter(({ dataMarket, epochId }) => follows(dataMarket, epochId))
  const at: StateAt = anyState ? 'latest' : { blockHash: header.hash }
  const withWindow = async (release: ReleasedEpoch) => ({
    ...release,
    submissionWindow: await submissionWindow(ask, addresses.protocolState, release.dataMarket, at),
  })
  return { header, releases: await Promise.all(ours.map(withWindow)), slotChanges }
}

/** Where the contract counts otherwise than the chain, the release blocks of open epochs are looked up. */
async function contractBlocks(
  ask: Ask,
  { open }: ChainState,
  headers: readonly BlockHeader[],
  source: ContractBlockSource,
): Promise<(blockNumber: number) => number> {
  if (source === 'number') return (blockNumber) => blockNumber
  const releases = await Promise.all(open.map(({ releaseBlock }) => headerAt(ask, releaseBlock, source)))
  const known = new Map([...releases, ...headers].map((header) => [header?.number, header?.contractBlock]))
  return (blockNumber) => {
    const counted = known.get(blockNumber)
    if (counted === undefined)
      throw inconsistent(`the node has no block ${blockNumber}, in which an open epoch was released`)
    return counted
  }
}

/** Walks back to the newest block that both know. */
async function reorg(ask: Ask, { heads }: ChainState, head: number, source: ContractBlockSource): Promise<ChainStep> {
  let orphaned: Head | undefined
  let orphanedSeen = false
  for (const known of heads.toReversed()) {
    const now = await headerAt(ask, known.number, source)
    if (now?.hash === known.hash) {
      // Its successor must be there and be another one: a node that is merely behind lacks it.
      if (!orphaned || !orphanedSeen) throw inconsistent(`block ${known.number} left the chain and is back`)
      return { kind: 'reorg', head, orphaned }
    }
    orphaned = known
    orphanedSeen = now !== undefined
  }
  const [oldest, newest] = [heads[0]!, heads.at(-1)!]
  if (!orphanedSeen) throw inconsistent(`the node has no block ${oldest.number}`)
  throw new EvmError(
    'FOREIGN_CHAIN',
    `None of the blocks ${oldest.number} to ${newest.number} that the log knows is on this chain any more. Either the node ` +
      'serves another chain, or the reorganization is deeper than is kept. Nothing was written; check the RPC URL.',
  )
}
