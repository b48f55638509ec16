/**
 * The clock's knowledge of the chain: a pure fold over the ticks it has written, so that a restart, which reads them again, knows
 * the same as before.
 */
import { NONE } from '../../../schemas/none.ts'
import type { EpochTick, MarketChange, RefusedEpoch } from '../../../schemas/types.ts'
import type { BlockHeader, ReleasedEpoch } from '../contract/chain-reader.ts'
import { type BlockPoint, windowIsOver } from '../contract/window.ts'
import type { MarketDay } from './market-day.ts'

export interface Head {
  readonly number: number
  /** `UNKNOWN_HASH` for the block below the first that the log knew, when that one left the chain. */
  readonly hash: string
  readonly parentHash: string
  /** Seconds. */
  readonly timestamp: number
  /** Offset of its HEAD in epoch-ticks. */
  readonly offset: number
}

export interface OpenEpoch extends ReleasedEpoch, MarketDay {
  readonly releaseBlock: number
  readonly releaseTimestamp: number
  readonly submissionWindow: number
  /** See EpochTick. */
  readonly skippedFrom: number
  readonly refusedFrom: number
}

/** A release that opened no epoch, and the block whose HEAD told it. */
interface ToldRefusal extends Pick<RefusedEpoch, 'dataMarket' | 'epochId' | 'skippedFrom'> {
  readonly toldIn: number
}

export interface ChainState {
  /** Canonical blocks in ascending order without a gap; the last is the newest that has ticks. */
  readonly heads: readonly Head[]
  /** Released and not yet closed, in the order of release. */
  readonly open: readonly OpenEpoch[]
  /** Told in the blocks of `heads`. */
  readonly refused: readonly ToldRefusal[]
  /** ORPHAN ticks so far, as the newest tick says. */
  readonly forks: number
}

/** Any block may have it: what lies on top is not compared with its parent. */
export const UNKNOWN_HASH = ''

export const EMPTY_CHAIN: ChainState = { heads: [], open: [], refused: [], forks: 0 }

/** A market and the measure of its submission window. */
export interface ClockMarket {
  /** Lower case. */
  readonly dataMarket: string
  readonly windowUnit: 'blocks' | 'seconds'
}

/** All there is to say of one block. */
export interface BlockFacts {
  readonly header: BlockHeader
  /** Releases of served markets that open an epoch with this block. */
  readonly releases: readonly EpochRelease[]
  /** Releases that open no epoch; of a block `REFUSED_MAX` are told. */
  readonly refused?: readonly RefusedEpoch[]
}

/** A record must have room for them, whatever the owner of a market releases. */
const REFUSED_MAX = 64

export interface EpochRelease extends ReleasedEpoch, MarketDay {
  /** As of the release. */
  readonly submissionWindow: number
  /** See EpochTick. */
  readonly skippedFrom: number
  /** Block of a release that was found late; absent: the block itself. */
  readonly releaseBlock?: number
}

/**
 * The state after one more tick. Ticks that were sent again change nothing: a HEAD counts only on top of the newest one, an
 * OPEN or a CLOSE only for the newest block.
 */
export function applyTick(state: ChainState, tick: EpochTick, offset: number): ChainState {
  const newest = state.heads.at(-1)
  // A tick that was sent again tells an older count.
  const forks = Math.max(state.forks, tick.forks)
  if (tick.kind === 'ORPHAN') return { ...withoutBlocksFrom(state, tick.blockNumber), forks }
  if (tick.kind === 'HEAD') {
    if (newest !== undefined && tick.blockNumber <= newest.number) return state
    // A step over blocks is never written: then what came before it was sent again, and reading began in the midst of it.
    const before = newest === undefined || tick.blockNumber > newest.number + 1 ? EMPTY_CHAIN : state
    const { blockNumber: number, blockHash: hash, parentHash, blockTimestamp: timestamp } = tick
    const refused = [...before.refused, ...tick.refused.map((one) => ({ ...one, toldIn: number }))]
    return { ...before, forks, refused, heads: [...before.heads, { number, hash, parentHash, timestamp, offset }] }
  }
  if (newest?.number !== tick.blockNumber || newest.hash !== tick.blockHash) return state
  const others = state.open.filter((epoch) => !isEpochOf(epoch, tick))
  if (tick.kind === 'CLOSE') return { ...state, open: others }
  if (others.length < state.open.length) return state
  const { dataMarket, epochId, begin, end, releaseBlock, submissionWindow, day, dailyQuota } = tick
  const epoch = {
    dataMarket,
    epochId,
    begin,
    end,
    releaseBlock,
    releaseTimestamp: state.heads.find(({ number }) => number === releaseBlock)?.timestamp ?? tick.blockTimestamp,
    submissionWindow,
    day,
    dailyQuota,
    skippedFrom: tick.skippedFrom,
    refusedFrom: tick.refusedFrom,
  }
  return { ...state, open: [...others, epoch] }
}

/** Sameness of an epoch includes its release: after a reorg the same id may be released anew. */
const isEpochOf = (epoch: OpenEpoch, tick: EpochTick): boolean =>
  epoch.dataMarket === tick.dataMarket && epoch.epochId === tick.epochId && epoch.releaseBlock === tick.releaseBlock

/** When no known block is left, the place stays: the next block is this one's number again, on whatever parent. */
function withoutBlocksFrom({ heads, open, refused }: ChainState, number: number): Omit<ChainState, 'forks'> {
  const left = heads.filter((head) => head.number < number)
  const place = { number: number - 1, hash: UNKNOWN_HASH, parentHash: UNKNOWN_HASH, timestamp: 0 }
  return {
    heads: left.length > 0 ? left : heads.slice(0, 1).map(({ offset }) => ({ ...place, offset })),
    open: open.filter((epoch) => epoch.releaseBlock < number),
    refused: refused.filter(({ toldIn }) => toldIn < number),
  }
}

/** Drops the heads that nothing asks for: neither an open epoch nor a walk back over `reorgDepthMax` blocks. */
export function forgetOldHeads(state: ChainState, reorgDepthMax: number): ChainState {
  const newest = state.heads.at(-1)
  if (!newest) return state
  const needed = state.open.reduce(
    (min, { releaseBlock }) => Math.min(min, releaseBlock),
    newest.number - reorgDepthMax,
  )
  return {
    ...state,
    heads: state.heads.filter((head) => head.number >= needed),
    refused: state.refused.filter(({ toldIn }) => toldIn >= needed),
  }
}

/** The facts that ticks need beside those of their block. */
interface TickFacts {
  /** The measure of a market's window; also of one that is no longer served, whose open epochs still close. */
  readonly unitOf: (dataMarket: string) => ClockMarket['windowUnit']
  /** A canonical block as the contract counts it (window.ts). */
  readonly contractBlockOf: (blockNumber: number) => number
  readonly slotsOffset: number
  readonly acceptedHeadersMax: number
  readonly markets?: readonly MarketChange[]
}

/**
 * The ticks of a block that follows the newest head: HEAD, OPEN for each release, CLOSE for each open epoch whose window
 * lies behind. An epoch closes once; when only the block that closed it is orphaned, it stays closed.
 */
export function ticksOf(
  state: ChainState,
  { header, releases, refused = [] }: BlockFacts,
  { unitOf, contractBlockOf, slotsOffset, acceptedHeadersMax, markets = [] }: TickFacts,
): EpochTick[] {
  const head = headTick(header, slotsOffset, state.forks)
  const told = refused.slice(0, REFUSED_MAX)
  const opens = releases.map((release) => {
    const refusedFrom = firstRefused(release, [...state.refused, ...told])
    return { ...head, releaseBlock: header.number, ...release, refusedFrom, kind: 'OPEN' } as const
  })
  let open: readonly EpochDay[] = [...state.open, ...releases]
  const closes = state.open
    .filter((epoch) => {
      const release = { contractBlock: contractBlockOf(epoch.releaseBlock), timestamp: epoch.releaseTimestamp }
      return windowIsOver(unitOf(epoch.dataMarket), epoch.submissionWindow, release, header)
    })
    .map((epoch) => {
      const { dataMarket, epochId, releaseBlock, submissionWindow, day, dailyQuota, skippedFrom, refusedFrom } = epoch
      const blocks = [...state.heads.filter(({ number }) => number >= releaseBlock), header]
      const acceptedHeaders = blocks.slice(-acceptedHeadersMax).map(({ hash }) => hash)
      const daysEnded = daysEndedWith(epoch, open)
      open = open.filter((other) => other !== epoch)
      const said = { dataMarket, epochId, releaseBlock, submissionWindow, day, dailyQuota, skippedFrom, refusedFrom }
      return { ...head, ...said, daysEnded, kind: 'CLOSE', acceptedHeaders } as const
    })
  return [{ ...head, markets, refused: told }, ...opens, ...closes]
}

/** From epoch to epoch downwards, over those that were skipped; 0 when none of them was refused. */
function firstRefused(
  { dataMarket, epochId, skippedFrom }: EpochRelease,
  refused: readonly Omit<ToldRefusal, 'toldIn'>[],
): number {
  const ofMarket = new Map(refused.filter((one) => one.dataMarket === dataMarket).map((one) => [one.epochId, one]))
  let [first, found] = [skippedFrom || epochId, 0]
  for (let one = ofMarket.get(first - 1); one; one = ofMarket.get(first - 1)) {
    first = one.skippedFrom || one.epochId
    found = first
  }
  return found
}

type EpochDay = Pick<OpenEpoch, 'dataMarket' | 'epochId' | 'day'>

/** The newest day of which no epoch is open any more when this one has closed, and none will be released. */
function daysEndedWith(closing: EpochDay, open: readonly EpochDay[]): number {
  const ofMarket = open.filter(({ dataMarket }) => dataMarket === closing.dataMarket)
  const newest = ofMarket.reduce((a, b) => (b.epochId > a.epochId ? b : a))
  const days = ofMarket.filter((other) => other !== closing).map(({ day }) => day)
  return Math.max(0, days.reduce((a, b) => Math.min(a, b), newest.day) - 1)
}

/** ORPHAN names the first block that left the chain, as it was. @param forks with this one */
export const orphanTick = (head: Head, slotsOffset: number, forks: number): EpochTick => ({
  ...headTick(head, slotsOffset, forks),
  kind: 'ORPHAN',
})

type TickBlock = Omit<Head, 'offset'> & Partial<Pick<BlockPoint, 'contractBlock'>>

const headTick = (block: TickBlock, slotsOffset: number, forks: number): EpochTick => ({
  kind: 'HEAD',
  dataMarket: '',
  epochId: 0,
  blockNumber: block.number,
  blockHash: block.hash,
  parentHash: block.parentHash,
  blockTimestamp: block.timestamp,
  slotsOffset,
  contractBlock: block.contractBlock ?? NONE,
  releaseBlock: 0,
  begin: 0,
  end: 0,
  skippedFrom: 0,
  refusedFrom: 0,
  submissionWindow: 0,
  acceptedHeaders: [],
  forks,
  markets: [],
  day: 0,
  dailyQuota: 0,
  daysEnded: 0,
  refused: [],
})
