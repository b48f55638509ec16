/** The anchor chain of one simulated run: blocks with their epochs, and the reorganisations between them. */
import { createHash } from 'node:crypto'
import type { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import type { EpochTick } from '../../schemas/types.ts'

export const MARKET = `0x${'a1'.repeat(20)}`
/** Not configured; in some runs it is added on the way. */
export const OTHER_MARKET = `0x${'c3'.repeat(20)}`
export const EPOCHS = 3
export const WINDOW_BLOCKS = 2
export const BLOCK_MS = 1_000
/** When every simulation begins, ms: what looks older than it is would expire. */
export const BEGIN_MS = Date.UTC(2024, 0, 1)
const BLOCKS_PER_EPOCH = 3
const BLOCKS = EPOCHS * BLOCKS_PER_EPOCH + WINDOW_BLOCKS + 2

/** How many blocks after its release an epoch opens: the clock found the release only then. By epoch, 0 mostly. */
type Lateness = (epochId: number) => number

/** The ticks of each moment a block comes, in order: the block's own, and before it what a reorganisation changes. */
export type ChainStory = readonly (readonly EpochTick[])[]

/** Blocks in which the one market is added and the configured one is removed; in some runs neither is. */
export interface Comings {
  readonly addedAt: number
  readonly removedAt: number
}

export const noComings: Comings = { addedAt: Number.POSITIVE_INFINITY, removedAt: Number.POSITIVE_INFINITY }

export const comingsOf = (random: SeededRandom): Comings => ({
  addedAt: 2 + random.below(5),
  removedAt: 4 + random.below(6),
})

/** Markets whose releases in this block are taken up. */
export const marketsAt = (block: number, { addedAt, removedAt }: Comings): string[] => [
  ...(block < removedAt ? [MARKET] : []),
  ...(block >= addedAt ? [OTHER_MARKET] : []),
]

export const hash = (text: string): string => `0x${createHash('sha256').update(text).digest('hex')}`
export const releaseBlock = (epochId: number): number => (epochId - 1) * BLOCKS_PER_EPOCH + 2
/** The epoch that was released so many blocks before. */
export const epochAt = (block: number, distance: number): number | undefined => {
  const epochId = (block - distance - 2) / BLOCKS_PER_EPOCH + 1
  return Number.isInteger(epochId) && epochId >= 1 && epochId <= EPOCHS ? epochId : undefined
}

export function chainStory(random: SeededRandom, comings: Comings): ChainStory {
  /** How often a block was replaced. */
  const forks = new Map<number, number>()
  const hashOf = (block: number) => hash(`block ${block}, fork ${forks.get(block) ?? 0}`)
  const lateBy = Array.from({ length: EPOCHS }, () => (random.chance(0.2) ? 1 + random.below(2) : 0))
  // What is found late of a market that is not served any more is not taken up, so nothing of it may be expected.
  const isServedAlike = (from: number, to: number) => `${marketsAt(from, comings)}` === `${marketsAt(to, comings)}`
  const lateness: Lateness = (epochId) => {
    const [release, late] = [releaseBlock(epochId), lateBy[epochId - 1]!]
    return isServedAlike(release, release + late) ? late : 0
  }
  const told: Telling = { hashOf, comings, lateness, open: new Set() }
  const story = Array.from({ length: BLOCKS }, (_, i) => {
    const block = i + 1
    const depth = random.chance(0.3) ? 1 + random.below(2) : 0
    const gone = Array.from({ length: depth }, (_, back) => block - depth + back)
    // What has closed an epoch is deep enough: the clock follows the head at a distance.
    if (depth === 0 || gone[0]! < 2 || gone.some((number) => epochClosed(number) !== undefined))
      return ticksOf(block, told)
    const orphan: EpochTick = { ...headOf(gone[0]!, hashOf), kind: 'ORPHAN' }
    for (const number of gone) {
      forks.set(number, (forks.get(number) ?? 0) + 1)
      told.open.delete(epochAt(number, 0) ?? 0)
    }
    return [orphan, ...gone.flatMap((number) => ticksOf(number, told)), ...ticksOf(block, told)]
  })
  let orphans = 0
  const counted = (tick: EpochTick) => ({ ...tick, forks: tick.kind === 'ORPHAN' ? ++orphans : orphans })
  return story.map((ticks) => ticks.map(counted))
}

/** Hashes of the release block and of the one after it, in all their forks. */
export const headersOf = (story: ChainStory, epochId: number): string[] => {
  const release = releaseBlock(epochId)
  return story
    .flat()
    .filter(({ kind, blockNumber }) => kind === 'HEAD' && (blockNumber === release || blockNumber === release + 1))
    .map(({ blockHash }) => blockHash)
}

/** Whether there is no reorganisation in this part of the story. */
export const isQuiet = (story: ChainStory): boolean => story.flat().every(({ kind }) => kind !== 'ORPHAN')

const epochClosed = (block: number): number | undefined => epochAt(block, WINDOW_BLOCKS + 1)

interface Telling {
  readonly hashOf: (block: number) => string
  readonly comings: Comings
  readonly lateness: Lateness
  /** Epochs that have opened, and whose release is still on the chain: they open once, whatever becomes of a later block. */
  readonly open: Set<number>
}

function ticksOf(blockNumber: number, { hashOf, comings, lateness, open }: Telling): EpochTick[] {
  const head = headOf(blockNumber, hashOf)
  const epoch = (dataMarket: string, epochId: number) => ({
    ...head,
    dataMarket,
    epochId,
    releaseBlock: releaseBlock(epochId),
    submissionWindow: WINDOW_BLOCKS,
  })
  const opened = [0, 1, 2].map((late) => epochAt(blockNumber, late)).find((id, late) => id && lateness(id) === late)
  const closed = epochClosed(blockNumber)
  const opens = opened === undefined || open.has(opened) ? [] : marketsAt(releaseBlock(opened), comings)
  if (opened !== undefined) open.add(opened)
  const from = closed === undefined ? 0 : releaseBlock(closed)
  const closes = closed === undefined ? [] : marketsAt(from, comings)
  const acceptedHeaders = Array.from({ length: blockNumber - from + 1 }, (_, i) => hashOf(from + i))
  return [
    { ...head, markets: changesAt(blockNumber, comings) },
    ...opens.map((market) => ({ ...epoch(market, opened!), kind: 'OPEN', begin: opened!, end: opened! }) as const),
    ...closes.map((market) => ({ ...epoch(market, closed!), kind: 'CLOSE', acceptedHeaders }) as const),
  ]
}

const changesAt = (block: number, { addedAt, removedAt }: Comings): EpochTick['markets'] => [
  ...(block === addedAt ? [{ dataMarket: OTHER_MARKET, served: true }] : []),
  ...(block === removedAt ? [{ dataMarket: MARKET, served: false }] : []),
]

const headOf = (blockNumber: number, hashOf: (block: number) => string): EpochTick => ({
  kind: 'HEAD',
  dataMarket: '',
  epochId: 0,
  blockNumber,
  blockHash: hashOf(blockNumber),
  parentHash: hashOf(blockNumber - 1),
  blockTimestamp: (BEGIN_MS + blockNumber * BLOCK_MS) / 1_000,
  slotsOffset: 0,
  contractBlock: blockNumber,
  releaseBlock: 0,
  begin: 0,
  end: 0,
  submissionWindow: 0,
  acceptedHeaders: [],
  skippedFrom: 0,
  refusedFrom: 0,
  forks: 0,
  markets: [],
  day: 0,
  dailyQuota: 0,
  daysEnded: 0,
  refused: [],
})
