/**
 * The days of a simulated run, by the seed: how many epochs they have, what the owner of the market changes, and what else happens
 * to those who are paid. The same change comes in a block and mostly not in those that replace it, so that reorganisations
 * take days and quotas back.
 */
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import type { EpochTick } from '../../schemas/types.ts'
import type { BlockContent } from '../connectors/evm/scripted-chain.ts'
import { BLOCK_MS, type ChainStory, epochAt, hash } from './chain-story.ts'
import type { ContractDays } from './pay-chain.ts'

/** What the contract says of the days of a market after a block. */
export type MarketDays = Required<Pick<BlockContent, 'day' | 'quota' | 'epochsInADay'>>

export interface DayWords {
  readonly first: MarketDays
  /** By block. */
  readonly changes: ReadonlyMap<number, Partial<MarketDays>>
  /** Slots that the contract passes over from some moment on, ms since the beginning. */
  readonly burned: ReadonlyMap<number, number>
  /** Another sequencer of the market tells counts and closes days. */
  readonly hasRival: boolean
  /** From when till when the counter is back at 1, by a mistake of the owner, ms since the beginning; behind the last release. */
  readonly backAtFirst: readonly [number, number] | undefined
}

/** So long that a run has one day. */
const LONG = 720
/** Releases are in 2, 5 and 8, and the calls that close the first day come from 8 on. */
const LAST_RELEASE = 8
const QUOTA_BLOCKS = [2, 2, 3, 5, 6, 8, 9, 9, 10, 11, 12, 13]

export function dayWords(seed: number): DayWords {
  const random = new SeededRandom(seed ^ 0xda75)
  const first = { day: 1, epochsInADay: random.pick([2, 2, 2, 2, 3, LONG])!, quota: random.pick([1, 2, 2, 3, 4])! }
  const changes = new Map<number, Partial<MarketDays>>()
  const change = (chance: number, block: number, to: Partial<MarketDays>): void => {
    if (random.chance(chance)) changes.set(block, { ...changes.get(block), ...to })
  }
  // Not below what the counter may be by then: what waits for a day of the past would wait for ever.
  change(0.35, 2 + random.below(7), { day: 3 + random.below(2) })
  change(0.35, random.pick(QUOTA_BLOCKS)!, { quota: 1 + random.below(4) })
  change(0.25, 2 + random.below(7), { epochsInADay: random.pick([2, 3, LONG])! })
  const burned = new Map<number, number>()
  for (let i = 0; i < 2; i++)
    if (random.chance(0.3)) burned.set(1 + random.below(6), 5 * BLOCK_MS + random.below(15 * BLOCK_MS))
  return { first, changes, burned, hasRival: random.chance(0.3), backAtFirst: backAtFirst(seed) }
}

function backAtFirst(seed: number): DayWords['backAtFirst'] {
  if (seed % 16 !== 3) return undefined
  const random = new SeededRandom(seed ^ 0xbac1)
  const from = (LAST_RELEASE + 1 + random.next() * 4) * BLOCK_MS
  return [from, from + (1 + random.next()) * BLOCK_MS]
}

/** In the first block of its number, and in about half of those that replace it. */
export function changesIn({ changes }: DayWords, block: number, blockHash: string): Partial<MarketDays> {
  const isFirst = blockHash === hash(`block ${block}, fork 0`)
  return (isFirst || Number.parseInt(blockHash.at(-1)!, 16) < 8) && changes.get(block) ? changes.get(block)! : {}
}

/** Blocks on top of one that no reorganisation of a story takes. */
export const SETTLED_BLOCKS = 2

/** What the contract says after each moment of a story. */
export interface DaysNow {
  readonly head: MarketDays
  /** Of the newest block that stays. */
  readonly settled: MarketDays
}

/** The story with the days in its ticks, as the contract has them; of plain epochs. */
export function withDays(story: ChainStory, words: DayWords): { readonly story: ChainStory; readonly days: DaysNow[] } {
  /** By block number. */
  const states: MarketDays[] = [words.first]
  let open: EpochTick[] = []
  const told = (tick: EpochTick): EpochTick => {
    const { kind, blockNumber, blockHash, releaseBlock } = tick
    if (kind === 'ORPHAN') {
      states.length = blockNumber
      open = open.filter((epoch) => epoch.releaseBlock < blockNumber)
    } else if (kind === 'HEAD') states[blockNumber] = next(states[blockNumber - 1]!, words, blockNumber, blockHash)
    if (kind !== 'OPEN' && kind !== 'CLOSE') return tick
    const { day, quota: dailyQuota } = states[releaseBlock]!
    const at = { ...tick, day, dailyQuota }
    const others = open.filter((epoch) => epoch.dataMarket !== at.dataMarket || epoch.epochId !== at.epochId)
    open = kind === 'OPEN' ? [...others, at] : others
    return kind === 'OPEN' ? at : { ...at, daysEnded: daysEnded(at, open) }
  }
  const days: DaysNow[] = []
  const ticks = story.map((moment) => {
    const withDay = moment.map(told)
    days.push({ head: states.at(-1)!, settled: states[Math.max(0, states.length - 1 - SETTLED_BLOCKS)]! })
    return withDay
  })
  return { story: ticks, days }
}

function next(before: MarketDays, words: DayWords, block: number, blockHash: string): MarketDays {
  const now = { ...before, ...changesIn(words, block, blockHash) }
  const released = epochAt(block, 0)
  const isNewDay = released !== undefined && released > 1 && released % now.epochsInADay === 1
  return isNewDay ? { ...now, day: now.day + 1 } : now
}

type EpochDay = Pick<EpochTick, 'dataMarket' | 'epochId' | 'day'>

/** @param open the others that have opened and not closed; of all markets */
export function daysEnded(closing: EpochDay, open: readonly EpochDay[]): number {
  const others = open.filter(({ dataMarket }) => dataMarket === closing.dataMarket)
  const newest = [closing, ...others].reduce((a, b) => (b.epochId > a.epochId ? b : a))
  return Math.max(0, Math.min(newest.day, ...others.map(({ day }) => day)) - 1)
}

export const burnedAt = ({ burned }: DayWords, ms: number): ReadonlySet<number> =>
  new Set([...burned].filter(([, since]) => since <= ms).map(([slotId]) => slotId))

/** The contract while its owner has put the counter back, too. @param ms since the beginning */
export function withMistake(days: ContractDays, { backAtFirst }: DayWords, ms: () => number): ContractDays {
  if (!backAtFirst) return days
  const [from, to] = backAtFirst
  const isBack = (): boolean => from <= ms() && ms() < to
  return { ...days, now: () => ({ ...days.now(), ...(isBack() && { dayCounter: 1 }) }) }
}

/** The contract as the story has it. @param ms since the beginning @param isCalm nothing is taken back any more */
export function storyDays(
  days: readonly DaysNow[],
  words: DayWords,
  ms: () => number,
  isCalm: () => boolean,
): ContractDays {
  const at = (): DaysNow => {
    const moment = Math.floor(ms() / BLOCK_MS) - 1
    return moment < 0 ? { head: words.first, settled: words.first } : days[Math.min(moment, days.length - 1)]!
  }
  return {
    now: () => ({ dayCounter: at().head.day, quota: at().head.quota, burned: burnedAt(words, ms()) }),
    settledDay: () => (isCalm() ? at().head : at().settled).day,
  }
}
