/**
 * What the chain and its nodes do in the runs with a real clock, by the seed: blocks as the story has them, epochs that the owner
 * of the market skips or releases once more, another registry of slots, and nodes that are late, behind, down, or lie.
 */
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import type { SlotOwner } from '../../schemas/types.ts'
import { type BlockContent, OTHER_NODES } from '../connectors/evm/scripted-chain.ts'
import {
  BEGIN_MS,
  BLOCK_MS,
  type ChainStory,
  EPOCHS,
  hash,
  MARKET,
  OTHER_MARKET,
  releaseBlock,
  WINDOW_BLOCKS,
} from './chain-story.ts'
import { changesIn, type DayWords } from './day-words.ts'

/** Of fourteen runs three, so that the others stay as they are. */
export const hasRealClock = (seed: number): boolean => [0, 7, 11].includes(seed % 14)

/** What a node may lie about. */
export const LIES = ['release', 'no release', 'owner', 'window', 'hash', 'reorganisation'] as const
export type Lie = (typeof LIES)[number]

export interface ChainWords {
  /** Ids of the epochs, in the order of their releases. */
  readonly ids: readonly number[]
  /** Block in which the newest epoch is released once more; 0 = none. */
  readonly repeatedAt: number
  /** Block from which on another registry of slots counts; 0 = none. */
  readonly registryAt: number
  readonly nodes: number
  /** Nodes that must say the same. */
  readonly agreement: number
  readonly liar: { readonly node: number; readonly lie: Lie; readonly fromBlock: number } | undefined
  /** Headers have bloom filters. */
  readonly hasBloom: boolean
  /** Of the releases, how many come late in the logs of a node, and by how much at most. */
  readonly lateShare: number
  readonly lateMsMax: number
  /** Share of the time that a node is a block behind. */
  readonly behindShare: number
  /** Another sequencer of the market ends epochs. */
  readonly hasRival: boolean
  /** One of the nodes that are asked for receipts lies. */
  readonly hasReceiptLiar: boolean
  /** The owner of the market lets the second epoch alone be open for long: it closes last, behind the epoch of a later day. */
  readonly hasLongWindow: boolean
  /** No node answers from the one moment to the other, ms since the beginning. */
  readonly outage: readonly [number, number]
}

/** Closes the second epoch with the last block of the story, which no reorganisation takes. */
const LONG_WINDOW = 7
const LONG_ORDINAL = 2

export const windowOf = (ordinal: number, { hasLongWindow }: ChainWords): number =>
  hasLongWindow && ordinal === LONG_ORDINAL ? LONG_WINDOW : WINDOW_BLOCKS

/** What is the same without any of it. */
const PLAIN_IDS = Array.from({ length: EPOCHS }, (_, i) => i + 1)
export const plainIds = (): readonly number[] => PLAIN_IDS

export function chainWords(seed: number): ChainWords {
  const random = new SeededRandom(seed ^ 0x10e5)
  const skip = random.chance(0.6) ? 1 + random.below(4) : 0
  const skipBefore = 2 + random.below(EPOCHS - 1)
  const nodes = random.pick([1, 2, 3, 3, 3])!
  const agreement = nodes === 3 ? 2 : 1
  const outageFrom = (1 + random.below(8)) * BLOCK_MS
  const outageMs = random.chance(0.35) ? (2 + random.below(6)) * BLOCK_MS : 0
  return {
    ids: PLAIN_IDS.map((ordinal) => (ordinal < skipBefore ? ordinal : ordinal + skip)),
    repeatedAt: random.chance(0.4) ? releaseBlock(1 + random.below(EPOCHS)) + 1 : 0,
    registryAt: random.chance(0.5) ? 3 + random.below(7) : 0,
    nodes,
    agreement,
    liar:
      agreement > 1 && random.chance(0.85)
        ? { node: random.below(nodes), lie: random.pick(LIES)!, fromBlock: 2 + random.below(8) }
        : undefined,
    hasBloom: random.chance(0.5),
    lateShare: random.pick([0, 0.3, 0.7])!,
    lateMsMax: 500 + random.below(3_500),
    behindShare: random.pick([0, 0.1, 0.3])!,
    hasRival: random.chance(0.5),
    hasReceiptLiar: random.chance(0.4),
    hasLongWindow: new SeededRandom(seed ^ 0x10a6).chance(0.4),
    outage: [outageFrom, outageFrom + outageMs],
  }
}

/** The id of the how manyth epoch, also of one that never comes; what is below the first stays as it is. */
export const idOf = (ids: readonly number[], ordinal: number): number => {
  if (ordinal < 1) return ordinal
  return ids[ordinal - 1] ?? ids.at(-1)! + ordinal - ids.length
}

/** At one moment of the story: so many of the newest blocks go, and these come. */
export interface Moment {
  readonly atMs: number
  readonly gone: number
  readonly blocks: readonly BlockContent[]
}

/** The block before the first of the story. */
export const genesisOf = (slots: readonly SlotOwner[], { first }: DayWords): BlockContent => ({
  ...first,
  hash: hash('block 0, fork 0'),
  window: WINDOW_BLOCKS,
  slots: slots.map(({ slotId, history }) => ({ slotId, owner: history[0]!.owner })),
})

export function momentsOf(story: ChainStory, slots: readonly SlotOwner[], words: ChainWords, days: DayWords): Moment[] {
  let head = 0
  return story.map((ticks, i): Moment => {
    const orphan = ticks.find(({ kind }) => kind === 'ORPHAN')
    const gone = orphan ? head - orphan.blockNumber + 1 : 0
    const heads = ticks.filter(({ kind }) => kind === 'HEAD')
    head = heads.at(-1)!.blockNumber
    const blocks = heads.map(({ blockNumber, blockHash }) => ({
      ...contentOf(blockNumber, blockHash, slots, words),
      ...changesIn(days, blockNumber, blockHash),
    }))
    return { atMs: (i + 1) * BLOCK_MS, gone, blocks }
  })
}

function contentOf(number: number, blockHash: string, slots: readonly SlotOwner[], words: ChainWords): BlockContent {
  const { ids, repeatedAt, registryAt } = words
  const released = ids.filter((_, i) => releaseBlock(i + 1) === number)
  const again = number === repeatedAt ? ids.filter((_, i) => releaseBlock(i + 1) === number - 1) : []
  const others = number % 4 === 0 ? [{ dataMarket: OTHER_MARKET, epochId: number }] : []
  const sold = slots.flatMap(({ slotId, history }) => {
    const change = history.find(({ sinceBlock }) => sinceBlock === number && sinceBlock > 0)
    return change ? [{ slotId, ...(change.active && { owner: change.owner }) }] : []
  })
  const place = { hash: blockHash, at: BEGIN_MS / 1_000 + (number * BLOCK_MS) / 1_000 }
  const releases = [...released, ...again].map((epochId) => ({ dataMarket: MARKET, epochId }))
  const ordinal = 1 + ids.findIndex((_, i) => releaseBlock(i + 1) === number)
  const content = { ...place, releases: [...releases, ...others], window: windowOf(ordinal, words) }
  if (number !== registryAt) return { ...content, slots: sold }
  const owners = new Map(
    slots.flatMap(({ slotId, history }) => {
      const { owner, active } = history.findLast(({ sinceBlock }) => sinceBlock <= number)!
      return active ? [[slotId, owner] as const] : []
    }),
  )
  return { ...content, registry: { address: OTHER_NODES, owners } }
}

/** What a node that lies makes of a block; `number` is that of the block. */
export function liedAbout(content: BlockContent, number: number, words: ChainWords): BlockContent {
  const { lie, fromBlock } = words.liar!
  const releases = content.releases ?? []
  switch (lie) {
    case 'release':
      return number === fromBlock
        ? { ...content, releases: [...releases, { dataMarket: MARKET, epochId: nextId(number, words.ids) }] }
        : content
    case 'no release':
      return number >= fromBlock
        ? { ...content, releases: releases.filter(({ dataMarket }) => dataMarket !== MARKET) }
        : content
    case 'owner':
      // Where all slots are read: at the beginning, and from another registry.
      return number === 0 || content.registry
        ? { ...content, silently: [{ slotId: 1 + (fromBlock % 6), owner: THIEF }] }
        : content
    case 'window':
      return { ...content, window: WINDOW_BLOCKS - 1 }
    default:
      return number >= fromBlock && content.hash ? { ...content, hash: hash(`a lie about ${content.hash}`) } : content
  }
}

const THIEF = `0x${'7e'.repeat(20)}`
const nextId = (number: number, ids: readonly number[]): number =>
  1 + Math.max(0, ...ids.filter((_, i) => releaseBlock(i + 1) <= number))
