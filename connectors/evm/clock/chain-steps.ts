/** Decides the next step by one node: nothing, further blocks, or going back to a common ancestor. */
import type { RefusedEpoch } from '../../../schemas/types.ts'
import {
  type BlockHeader,
  type ContractBlockSource,
  eventsOf,
  headerAt,
  type ReleasedEpoch,
  type SlotChange,
} from '../contract/chain-reader.ts'
import type { NotSaid } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { blockAt, blockNumber } from '../nodes/node-answers.ts'
import { type BlockFacts, type ChainState, type EpochRelease, type Head, UNKNOWN_HASH } from './chain-state.ts'
import { checkTimes, headersOf } from './linked-headers.ts'
import { openingsOf } from './openings.ts'
import { registryOf } from './registry-check.ts'
import { checkReleases, type EpochCounts } from './release-check.ts'
import { type FirstLooks, type LateEvents, lookAgain } from './second-look.ts'

export interface ReadOptions {
  readonly protocolState: string
  /** Whether the release of an epoch is taken up. */
  readonly follows: (dataMarket: string, epochId: number) => boolean
  /** Whether it takes up releases of the market at all. */
  readonly isOurs: (dataMarket: string) => boolean
  /** Markets whose epochs must all be there. */
  readonly served: readonly string[]
  /** Blocks behind the head that the clock stays. */
  readonly depth: number
  /** Blocks in one step, at most. */
  readonly rangeBlocks: number
  /** Ms since 1970, by our own clock. */
  readonly now: number
  /** First block ever; absent = the newest one at the depth. */
  readonly startBlock?: number | undefined
  readonly contractBlock: ContractBlockSource
  readonly secondLookBlocks: number
  readonly firstLooks: FirstLooks
  readonly notSaid: NotSaid
  /** As of the newest block that has ticks, where it is known. */
  readonly facts: { readonly [K in keyof ContractFacts]: ContractFacts[K] | undefined }
  /** The log's knowledge beyond `chain`, for a reorganization deeper than that; read when `pastNeeded` was told. */
  readonly past?: ChainPast | undefined
  readonly pastNeeded: () => void
}

/** The contract's facts as of a block. */
export interface ContractFacts {
  /** The registry of slots. */
  readonly nodes: string
  readonly counts: EpochCounts
}

/** The chain as the whole log knows it. */
export interface ChainPast {
  readonly chain: ChainState
  /** Nothing was decided by it and it is short: it may be begun anew. */
  readonly mayBeginAnew: boolean
  /** Hash of block 0 when the log began; empty when it was not told. */
  readonly genesis: string
}

export interface BlockRead extends BlockFacts {
  readonly slotChanges: readonly SlotChange[]
}

export interface BlocksStep {
  readonly kind: 'blocks'
  readonly head: number
  readonly blocks: readonly BlockRead[]
  /** A release block or a block of this step as the contract counts it. */
  readonly contractBlockOf: (blockNumber: number) => number
  /** As of the last of the blocks. */
  readonly facts: ContractFacts
  /** The registry of slots is another one from the last of the blocks on. */
  readonly registryChanged: boolean
  /** An event of the registry could not be read: all slots are to be. */
  readonly slotsUnread: boolean
  /** Events that were overlooked in blocks before; their epochs open now. */
  readonly late: readonly (LateEvents & { readonly releases: readonly EpochRelease[] })[]
  /** Releases of ours that open no epoch, since a number of the contract is none that can be; in order. */
  readonly refused: readonly RefusedEpoch[]
  /** Tells a second look what this one found; to be called when the blocks have ticks. */
  readonly remember: () => void
}

export type ChainStep =
  | { readonly kind: 'idle'; readonly head: number }
  | BlocksStep
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
  const isKnown = newest !== undefined && newest.hash !== UNKNOWN_HASH
  const { contractBlock } = options
  const [head, same] = await Promise.all([
    blockNumber(ask),
    isKnown ? headerAt(ask, newest.number, contractBlock) : undefined,
  ])
  // A node that does not have our newest block is behind; only another block in its place is a reorg.
  if (isKnown && same && same.hash !== newest.hash) return reorg(ask, chain, head, options)
  const last = head - options.depth
  const first = newest ? newest.number + 1 : (options.startBlock ?? Math.max(0, last))
  if (last < first) return { kind: 'idle', head }
  const headers = await headersOf(ask, first, Math.min(last, first + options.rangeBlocks - 1), contractBlock)
  if (isKnown && headers[0]!.parentHash !== newest.hash) return reorg(ask, chain, head, options)
  checkTimes(headers, newest, options.now)
  return readBlocks(ask, chain, { head, headers }, options, anyState)
}

async function readBlocks(
  ask: Ask,
  chain: ChainState,
  { head, headers: offered }: { head: number; headers: readonly BlockHeader[] },
  options: ReadOptions,
  anyState: boolean,
): Promise<ChainStep> {
  const { protocolState, contractBlock, facts, firstLooks, secondLookBlocks, notSaid } = options
  const isFirst = chain.heads.length === 0
  const base = { blockHash: isFirst || offered[0]!.number === 0 ? offered[0]!.hash : offered[0]!.parentHash }
  const offer = { headers: offered, base, known: facts.nodes }
  const { headers, before, nodes, isSaid } = await registryOf(ask, protocolState, offer, anyState, notSaid)
  const addresses = { protocolState, nodes: before }
  const last = headers.at(-1)!.number
  const again = dueAgain(chain, headers, secondLookBlocks)
  const [events, contractBlockOf, late] = await Promise.all([
    Promise.all(headers.map((header) => eventsOf(ask, header, addresses, options.isOurs))),
    contractBlocks(ask, chain, headers, contractBlock),
    lookAgain(ask, again, { ...addresses, isOurs: options.isOurs }, firstLooks),
  ])
  const checked = await checkReleases(ask, {
    protocolState,
    markets: options.served,
    headers,
    releases: headers.flatMap((header, i) => events[i]!.releases.map((release) => ({ header, release }))),
    before: facts.counts,
    anyState,
    ...(isSaid && { notSaid }),
  })
  const isCounted = !anyState && options.served.every((market) => checked.counts.has(market))
  const refused: RefusedEpoch[] = []
  const openings = (block: Pick<BlockHeader, 'hash' | 'number'>, releases: readonly ReleasedEpoch[]) =>
    openingsOf(ask, { block, releases, kinds: checked.kinds, anyState, refuse: (one) => refused.push(one) }, options)
  const blocks = headers.map(async (header, i) => {
    const { releases, slotChanges } = events[i]!
    return { header, releases: await openings(header, releases), slotChanges }
  })
  const overlooked = late.map(async (one) => {
    const releases = await openings(one.block, one.releases)
    return { ...one, releases: releases.map((release) => ({ ...release, releaseBlock: one.block.number })) }
  })
  const opened = await Promise.all([Promise.all(blocks), Promise.all(overlooked)])
  return {
    kind: 'blocks',
    head,
    blocks: opened[0],
    contractBlockOf,
    facts: { nodes, counts: checked.counts },
    // Unknown before, it may have changed unseen.
    registryChanged: before !== nodes || (facts.nodes === undefined && !isFirst),
    slotsUnread: events.some(({ slotsUnread }) => slotsUnread),
    late: opened[1],
    refused: refused.toSorted(byPlace),
    remember: () => {
      for (const [i, header] of headers.entries())
        firstLooks.note(header, events[i]!, isCounted, addresses, last - 2 * secondLookBlocks - options.rangeBlocks)
    },
  }
}

/** The blocks that come to lie so deep with these headers that they are looked at for the second time. */
const dueAgain = ({ heads }: ChainState, headers: readonly BlockHeader[], secondLookBlocks: number) => {
  const last = headers.at(-1)!.number - secondLookBlocks
  return heads.filter(
    ({ number, hash }) =>
      hash !== UNKNOWN_HASH && secondLookBlocks > 0 && number > last - headers.length && number <= last,
  )
}

const byPlace = (a: RefusedEpoch, b: RefusedEpoch): number =>
  a.block - b.block || byText(a.dataMarket, b.dataMarket) || a.epochId - b.epochId
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** When the contract counts otherwise than the chain, the release blocks of open epochs are looked up. */
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

/** Walks back to the newest block that both know; beyond the blocks at hand by what the log holds. */
async function reorg(
  ask: Ask,
  { heads }: ChainState,
  head: number,
  { contractBlock, past, pastNeeded }: ReadOptions,
): Promise<ChainStep> {
  let orphaned: Head | undefined
  let orphanedSeen = false
  for (const known of heads.toReversed()) {
    const now = known.hash === UNKNOWN_HASH ? known : await headerAt(ask, known.number, contractBlock)
    if (now?.hash === known.hash) {
      // Its successor must be there and be another one: a node that is merely behind lacks it.
      if (!orphaned || !orphanedSeen) throw inconsistent(`block ${known.number} left the chain and is back`)
      return { kind: 'reorg', head, orphaned }
    }
    orphaned = known
    orphanedSeen = now !== undefined
  }
  if (!orphanedSeen) throw inconsistent(`the node has no block ${heads[0]!.number}`)
  if (past) return { kind: 'reorg', head, orphaned: await firstOrphaned(ask, past, contractBlock) }
  pastNeeded()
  throw new EvmError('FOREIGN_CHAIN', 'none of the blocks at hand is on this chain', { retriable: true })
}

/** By bisection: whatever lies below a block that both have, both have. */
async function firstOrphaned(ask: Ask, past: ChainPast, source: ContractBlockSource): Promise<Head> {
  const heads = past.chain.heads.filter(({ hash }) => hash !== UNKNOWN_HASH)
  const [oldest, newest] = [heads[0]!, heads.at(-1)!]
  const isThere = async ({ number, hash }: Head) => (await headerAt(ask, number, source))?.hash === hash
  let [low, high] = [0, heads.length - 1] // the newest is known to be gone
  while (low < high) {
    const middle = (low + high) >> 1
    if (await isThere(heads[middle]!)) low = middle + 1
    else high = middle
  }
  const orphaned = heads[low]!
  if (!(await headerAt(ask, orphaned.number, source))) throw inconsistent(`the node has no block ${orphaned.number}`)
  if (low > 0) return orphaned
  const genesis = await genesisHash(ask)
  const isOther = past.genesis !== '' && genesis !== '' && past.genesis !== genesis
  if (past.mayBeginAnew && !isOther) return orphaned
  throw new EvmError(
    'FOREIGN_CHAIN',
    `None of the blocks ${oldest.number} to ${newest.number} that the log knows is on this chain any more. ${
      isOther
        ? `The node serves another chain: its block 0 is ${genesis}, that of the log ${past.genesis}. `
        : 'Either the node serves another chain, or the reorganization is deeper than the log can take back. '
    }Nothing is written; check the RPC URL`,
    { retriable: true },
  )
}

/** Empty when the node does not tell. */
export async function genesisHash(ask: Ask): Promise<string> {
  const block = await blockAt(ask, 0).catch(() => undefined)
  return block?.hash ?? ''
}
