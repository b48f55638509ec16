/** I10 and I11: what a real clock made of the chain is held against the chain itself, whatever its nodes did meanwhile. */
import type { EpochTick, SlotOwner } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import type { ScriptedBlock } from '../connectors/evm/scripted-chain.ts'
import type { AnchorChain } from './anchor-chain.ts'
import { MARKET, releaseBlock, WINDOW_BLOCKS } from './chain-story.ts'
import { type ChainWords, windowOf } from './chain-words.ts'
import { daysEnded } from './day-words.ts'
import { readAll } from './reading.ts'
import type { TrueChain } from './true-chain.ts'

/** The ticks that a real clock has written, in their order. */
export const writtenTicks = async (log: Log, topics: Topics): Promise<EpochTick[]> =>
  (await readAll(log, topics.epochTicks)).map(({ value }) => value)

/** Those of blocks that are still on the chain. */
export function canonicalTicks(ticks: readonly EpochTick[]): EpochTick[] {
  const chain: EpochTick[] = []
  for (const tick of ticks) {
    if (tick.kind !== 'ORPHAN') chain.push(tick)
    else while (chain.length > 0 && chain.at(-1)!.blockNumber >= tick.blockNumber) chain.pop()
  }
  return chain
}

/** @returns what is not as the chain has it; undefined when all is */
export async function untrue(
  log: Log,
  topics: Topics,
  world: TrueChain,
  words: ChainWords,
  epochsPassedOver: number,
): Promise<string | undefined> {
  const { blocks } = world.chain
  const ticks = canonicalTicks(await writtenTicks(log, topics))
  const [found, expected] = [ticks.map(textOf), expectedTicks(blocks, words)]
  const at = expected.findIndex((text, i) => text !== found[i])
  if (at >= 0 || found.length !== expected.length)
    return `I10: the clock wrote "${found[Math.max(0, at)]}", and the chain has "${expected[at]}"`
  const skipped = words.ids.at(-1)! - words.ids.length
  if (epochsPassedOver !== skipped)
    return `I10: the audit tells of ${epochsPassedOver} skipped epochs, and the contract skipped ${skipped}`
  const told = world.gaps.find(({ fromEpoch, toEpoch }) => !words.ids.some((id) => fromEpoch <= id && id <= toEpoch))
  if (told)
    return `I10: epochs ${told.fromEpoch} to ${told.toEpoch} were said to be missing, and none was ever released`
  return wrongOwner(await readAll(log, topics.slots), blocks)
}

/** What is to be said of each block, from the chain alone: an epoch opens once, and what was passed over before it is told. */
function expectedTicks(blocks: readonly ScriptedBlock[], words: ChainWords): string[] {
  const { ids } = words
  const closeBlock = (ordinal: number): number => releaseBlock(ordinal) + windowOf(ordinal, words) + 1
  const epochs = ids.map((epochId, i) => {
    const { days, quotaNow } = blocks[releaseBlock(i + 1)] ?? blocks.at(-1)!
    return { dataMarket: MARKET, epochId, day: days.get(MARKET) ?? 1, dailyQuota: quotaNow, daysEnded: 0 }
  })
  /** No two epochs close with one block. */
  const openBeside = (i: number, block: number) =>
    epochs.filter((_, other) => other !== i && releaseBlock(other + 1) <= block && closeBlock(other + 1) > block)
  return blocks.slice(1).flatMap(({ number, hash }) => {
    const opens = ids.flatMap((id, i) => {
      if (releaseBlock(i + 1) !== number) return []
      const before = ids[i - 1] ?? id - 1
      const skippedFrom = id > before + 1 ? before + 1 : 0
      const window = windowText(windowOf(i + 1, words))
      return [`OPEN ${id}, ${dayText(epochs[i]!)}, released in ${number}, skipped from ${skippedFrom}${window}`]
    })
    const closes = ids.flatMap((id, i) => {
      if (closeBlock(i + 1) !== number) return []
      const headers = blocks.slice(releaseBlock(i + 1), number + 1).map((block) => block.hash)
      const day = { ...epochs[i]!, daysEnded: daysEnded(epochs[i]!, openBeside(i, number)) }
      return [`CLOSE ${id}, ${dayText(day)}, with ${headers.join()}`]
    })
    return [`HEAD ${hash}`, ...opens, ...closes].map((text) => `${number}: ${text}`)
  })
}

function textOf({ kind, blockNumber, blockHash, dataMarket, epochId, ...tick }: EpochTick): string {
  const market = dataMarket === MARKET ? '' : ` of ${dataMarket}`
  const epoch = `${kind} ${epochId}${market}, ${dayText(tick)}`
  if (kind === 'HEAD') return `${blockNumber}: HEAD ${blockHash}`
  if (kind === 'CLOSE') return `${blockNumber}: ${epoch}, with ${tick.acceptedHeaders.join()}`
  const { releaseBlock, skippedFrom, submissionWindow } = tick
  const window = windowText(submissionWindow)
  return `${blockNumber}: ${epoch}, released in ${releaseBlock}, skipped from ${skippedFrom}${window}`
}

const windowText = (window: number): string => (window === WINDOW_BLOCKS ? '' : `, with a window of ${window}`)

const dayText = ({ day, dailyQuota, daysEnded }: Pick<EpochTick, 'day' | 'dailyQuota' | 'daysEnded'>): string =>
  `of day ${day} with quota ${dailyQuota}, up to ${daysEnded} ended`

/** I11: of every block each slot is whose it is on the chain. */
function wrongOwner(
  rows: readonly { readonly value: SlotOwner }[],
  blocks: readonly ScriptedBlock[],
): string | undefined {
  const table = new Map(rows.map(({ value }) => [value.slotId, value.history]))
  const slotIds = new Set(blocks.flatMap(({ owners }) => [...owners.keys()]))
  for (const { number, owners } of blocks.slice(1))
    for (const slotId of slotIds) {
      const entry = table.get(slotId)?.findLast(({ sinceBlock, untilFork }) => untilFork === 0 && sinceBlock <= number)
      const [found, owner] = [entry?.active ? entry.owner : NOBODY, owners.get(slotId) ?? NOBODY]
      if (found !== owner) return `I11: as of block ${number} slot ${slotId} is ${found}'s, and on the chain ${owner}'s`
    }
  return undefined
}

const NOBODY = `0x${'0'.repeat(40)}`

/** What a chain and its nodes may do in these runs. */
export const CHAIN_WORDS = [
  'releases that the logs lacked',
  'epochs that were skipped',
  'epochs that were released once more',
  'other registries of slots',
  'epochs that closed behind a later one',
  'blocks that left the chain',
  'disagreements about blocks and slots',
  'disagreements about receipts',
  'epochs that another sequencer ended',
  'outages of all nodes',
] as const

/** How often each of them was met in a run. */
export async function chainMet(
  log: Log,
  topics: Topics,
  { gaps, disagreed, words }: TrueChain,
  { endedByRival }: AnchorChain,
): Promise<Record<(typeof CHAIN_WORDS)[number], number>> {
  const ticks = await writtenTicks(log, topics)
  return {
    'releases that the logs lacked': gaps.length,
    'epochs that were skipped': words.ids.at(-1)! - words.ids.length,
    'epochs that were released once more': Number(words.repeatedAt > 0),
    'other registries of slots': Number(words.registryAt > 0),
    'epochs that closed behind a later one': Number(words.hasLongWindow),
    'blocks that left the chain': ticks.filter(({ kind }) => kind === 'ORPHAN').length,
    'disagreements about blocks and slots': disagreed.blocks,
    'disagreements about receipts': disagreed.receipts,
    'epochs that another sequencer ended': endedByRival.size,
    'outages of all nodes': Number(words.outage[1] > words.outage[0]),
  }
}
