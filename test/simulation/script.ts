/** What happens around the sequencer in one simulated run, by the seed: blocks, slots, and what snapshotters send. */
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import type { EpochTick, SlotOwner, Submission } from '../../schemas/types.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import { plotOf } from './adversary.ts'
import {
  BLOCK_MS,
  type ChainStory,
  type Comings,
  chainStory,
  comingsOf,
  hash,
  headersOf,
  isQuiet,
  MARKET,
  marketsAt,
  noComings,
  OTHER_MARKET,
  releaseBlock,
  WINDOW_BLOCKS,
} from './chain-story.ts'
import { chainWords, genesisOf, hasRealClock, idOf, momentsOf, plainIds } from './chain-words.ts'
import { type DaysNow, type DayWords, dayWords, withDays } from './day-words.ts'
import type { Hostile } from './plot.ts'
import { isHostile, rulesOf } from './rules.ts'
import { type ScriptedSubmission, scripted, signed, submissionWith, uuidOf } from './submissions.ts'
import type { TruePlay } from './true-chain.ts'

const SLOTS = 6
const PROJECTS = 4
const NOBODY = `0x${'0'.repeat(40)}`
/** What the clock writes at once: rows of the slot table first, then the ticks. */
export interface Delivery {
  readonly atMs: number
  readonly slots: readonly SlotOwner[]
  readonly ticks: readonly EpochTick[]
}

export interface Script {
  readonly rules: ProtocolRules
  readonly deliveries: readonly Delivery[]
  /** Each tick that is to become a marker, in the order of the chain; where a real clock writes them, what it wrote is read. */
  readonly ticks: readonly EpochTick[]
  /** What a real clock reads, in some runs: then nothing is delivered. */
  readonly play: TruePlay | undefined
  /** Ids of the epochs of a market, in the order of their releases. */
  readonly ids: readonly number[]
  /** Ascending by time. */
  readonly submissions: readonly ScriptedSubmission[]
  /** What somebody puts into `submissions` against all of them, ascending by time; in every second run. */
  readonly hostile: readonly Hostile[]
  /** `market/epoch` of each epoch that is to be anchored, sorted. */
  readonly epochs: readonly string[]
  readonly endMs: number
  readonly dayWords: DayWords
  /** What the contract says of days after each moment of the story, where no real clock reads it. */
  readonly days: readonly DaysNow[]
}

/** The second half belongs to no slot at first. */
const WALLETS = Array.from({ length: 2 * SLOTS }, (_, i) => slotWallet(1, i + 1))

export function scriptOf(seed: number): Script {
  const random = new SeededRandom(seed ^ 0x5eed)
  const words = hasRealClock(seed) ? chainWords(seed) : undefined
  // In every third run; drawn apart, so that the others stay as they are.
  const come = seed % 3 === 2 && !words
  const others = new SeededRandom(seed ^ 0xadded)
  const comings = come ? comingsOf(others) : noComings
  const daysInWords = dayWords(seed)
  const { story, days } = withDays(chainStory(random, comings), daysInWords)
  const slots = slotsOf(story, random, words?.registryAt)
  const ids = words?.ids ?? plainIds()
  const ordinals = plainIds()
  const projects = { [MARKET]: 'project', [OTHER_MARKET]: isHostile(seed) ? 'other' : 'project' }
  const sendings = (market: string, by: SeededRandom) =>
    ordinals.flatMap((ordinal) => {
      const of = { market, projects: projects[market]!, ordinal, epochId: idOf(ids, ordinal) }
      return submissionsOf(of, story, slots, by)
    })
  const submissions = sendings(MARKET, random)
  if (come) submissions.push(...sendings(OTHER_MARKET, others))
  const plot = isHostile(seed) ? plotOf(seed, submissions, story, ids) : undefined
  const hostile = plot?.slots ?? []
  const all = [...slots, ...hostile]
  return {
    rules: rulesOf(seed),
    deliveries: words ? [] : late(deliveriesOf(story, all, random), seed),
    ticks: story.flat(),
    play: words && { genesis: genesisOf(all, daysInWords), moments: momentsOf(story, all, words, daysInWords), words },
    ids,
    submissions: (plot?.honest ?? submissions).sort((a, b) => a.atMs - b.atMs),
    hostile: plot?.plays ?? [],
    epochs: ordinals.flatMap((ordinal) => scopesOf(ordinal, idOf(ids, ordinal), comings)).sort(),
    endMs: story.length * BLOCK_MS,
    dayWords: daysInWords,
    days,
  }
}

const scopesOf = (ordinal: number, epochId: number, comings: Comings): string[] =>
  marketsAt(releaseBlock(ordinal), comings).map((market) => `${market}/${epochId}`)

/** Some slots change hands once; with another registry those that had not yet, and one of them is not in it. */
function slotsOf(story: ChainStory, random: SeededRandom, registryAt = 0): SlotOwner[] {
  return WALLETS.slice(0, SLOTS).map(({ slotId, address: owner }, i) => {
    const first = { sinceBlock: 0, owner, active: true, sinceFork: 0, untilFork: 0 }
    const buyer = WALLETS[SLOTS + i]!.address
    if (!random.chance(0.5)) {
      if (registryAt === 0) return { slotId, history: [first] }
      const isThere = slotId !== SLOTS
      return {
        slotId,
        history: [first, { ...first, sinceBlock: registryAt, owner: isThere ? buyer : NOBODY, active: isThere }],
      }
    }
    const sinceBlock = 2 + random.below(story.length - 4)
    return { slotId, history: [first, { ...first, sinceBlock, owner: buyer }] }
  })
}

/** Block by block; now and then a block's ticks are written again, or a block only after the next one. */
function deliveriesOf(story: ChainStory, slots: readonly SlotOwner[], random: SeededRandom): Delivery[] {
  const written = story.map((ticks, i) => {
    const repeated = random.chance(0.2) ? (story[i - 1 - random.below(2)] ?? []) : []
    return random.chance(0.5) ? [...repeated, ...ticks] : [...ticks, ...repeated]
  })
  // The first block is where the log begins, and the last have nothing after them to wait for.
  for (let i = 1; i + 3 < written.length; i++) {
    if (!isQuiet(story.slice(i, i + 4)) || !random.chance(0.15)) continue
    written.splice(i, 2, written[i + 1]!, written[i]!)
    i++
  }
  const before = slots.map(({ slotId, history }) => ({ slotId, history: history.slice(0, 1) }))
  let known = 0
  const deliveries = written.map((ticks, i): Delivery => {
    const newest = Math.max(known, ...ticks.map(({ blockNumber }) => blockNumber))
    const sold = slots.filter(
      ({ history: [, second] }) => second && second.sinceBlock > known && second.sinceBlock <= newest,
    )
    known = newest
    return { atMs: (i + 1) * BLOCK_MS, slots: sold, ticks }
  })
  return [{ atMs: 0, slots: before, ticks: [] }, ...deliveries]
}

/** In every fourth run the clock stands still for some blocks; then it tells all of them at once. */
function late(deliveries: readonly Delivery[], seed: number): readonly Delivery[] {
  if (seed % 4 !== 1 && seed % 8 !== 2) return deliveries
  const random = new SeededRandom(seed ^ 0x57a11)
  const from = (2 + random.below(5)) * BLOCK_MS
  const to = from + (5 + random.below(6)) * BLOCK_MS
  return deliveries.map((delivery) =>
    delivery.atMs >= from && delivery.atMs < to ? { ...delivery, atMs: to } : delivery,
  )
}

interface Sending {
  readonly market: string
  /** How the ids of its projects begin. */
  readonly projects: string
  /** The how manyth epoch it is. */
  readonly ordinal: number
  readonly epochId: number
}

/** Mostly good; some twice, from a foreign slot, over quota, with an unknown header, late, or of another CID. */
function submissionsOf(
  of: Sending,
  story: ChainStory,
  slots: readonly SlotOwner[],
  random: SeededRandom,
): ScriptedSubmission[] {
  const release = releaseBlock(of.ordinal)
  const headers = headersOf(story, of.ordinal)
  return slots.flatMap(({ slotId, history }) =>
    Array.from({ length: 1 + random.below(4) }, () => {
      const late = random.chance(0.1)
      const atMs = Math.floor((release + (late ? WINDOW_BLOCKS + 2 : random.next() * WINDOW_BLOCKS)) * BLOCK_MS)
      const isSold = (history[1]?.sinceBlock ?? Number.POSITIVE_INFINITY) * BLOCK_MS <= atMs
      const byBuyer = history.length > 1 && random.chance(0.8) === isSold
      const { privateKey } = WALLETS[slotId - 1 + (byBuyer ? SLOTS : 0)]!
      const header = random.chance(0.07) ? hash(`no block ${random.next()}`) : random.pick(headers)!
      const submission = submissionOf(of, slotId, privateKey, header, random)
      return withCopy(scripted(submission, atMs, random), headers, random)
    }).flat(),
  )
}

function submissionOf(
  { market, projects, ordinal, epochId }: Sending,
  slotId: number,
  privateKey: Uint8Array,
  header: string,
  random: SeededRandom,
): Submission {
  const projectId = `${projects}:${random.below(PROJECTS)}`
  const fields = {
    slotId: random.chance(0.05) ? (slotId % SLOTS) + 1 : slotId,
    deadline: releaseBlock(ordinal) + 10 + random.below(3),
    snapshotCid: `cid-${epochId}-${projectId}-${random.chance(0.25) ? random.below(2) : 'right'}`,
    epochId: random.chance(0.03) ? 0 : epochId,
    projectId,
  }
  return submissionWith({
    ...fields,
    submissionId: uuidOf(random),
    signature: random.chance(0.05) ? 'ff'.repeat(65) : signed(fields, privateKey),
    header,
    dataMarket: random.chance(0.03) ? `0x${'99'.repeat(20)}` : market,
  })
}

/** Anyone who saw a submission can send it again, under another name, with another header, through another intake. */
function withCopy(first: ScriptedSubmission, headers: readonly string[], random: SeededRandom): ScriptedSubmission[] {
  if (!random.chance(0.2)) return [first]
  const copy = { ...first.submission, submissionId: uuidOf(random), header: random.pick(headers)! }
  return [first, scripted(copy, first.atMs + random.below(2 * BLOCK_MS), random)]
}
