/**
 * Holds the releases that the logs of some blocks tell against what the contract counts. A node may answer with no logs, or
 * with too few; the contract's count of epochs, as of a block, does not depend on them.
 */
import { type BlockHeader, EPOCH_MAX, type ReleasedEpoch, type StateAt } from '../contract/chain-reader.ts'
import { isRevert } from '../contract/market-check.ts'
import type { NotSaid } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { countBefore, countOf, releasesOf, side } from './epoch-counts.ts'

/** The number of the lowest and of the highest epochs between two releases that are looked up one by one. */
const SKIPPED_LOOKED_UP = 128

/** Newest epoch of each market as of a block; 0 when the contract released none. */
export type EpochCounts = ReadonlyMap<string, number>

export interface ReleaseGap {
  readonly dataMarket: string
  readonly fromEpoch: number
  readonly toEpoch: number
  /** As of this block the contract counts them. */
  readonly block: number
}

/** The contract counts epochs whose release is in none of the logs that the node gave. */
export class LogsIncomplete extends EvmError {
  readonly gap: ReleaseGap
  constructor(gap: ReleaseGap) {
    const { dataMarket, fromEpoch, toEpoch, block } = gap
    super(
      'LOGS_INCOMPLETE',
      `As of block ${block} the contract has released epochs ${fromEpoch} to ${toEpoch} of ${dataMarket}, and the logs that the ` +
        'node gave tell of no such release. Nothing is written; the logs are asked for again',
      { retriable: true },
    )
    this.gap = gap
  }
}

/** A release and its block. */
export interface ReleaseAt {
  readonly header: BlockHeader
  readonly release: ReleasedEpoch
}

/** The nature of a release beside the release before it. */
export interface ReleaseKind {
  /** The market's owner released an epoch once more that the market has had (forceSkipEpoch to the end it is at). */
  readonly isRepeated: boolean
  /** First of the epochs skipped right before it; 0 = none. */
  readonly skippedFrom: number
}

export interface CheckedReleases {
  /** As of the last block; a market that could not be counted is not in it. */
  readonly counts: EpochCounts
  readonly kinds: ReadonlyMap<ReleasedEpoch, ReleaseKind>
}

export interface ReleasesToCheck {
  readonly protocolState: string
  readonly markets: readonly string[]
  /** Linked, in order. */
  readonly headers: readonly BlockHeader[]
  /** In the order of the chain. */
  readonly releases: readonly ReleaseAt[]
  /** As of the block before the first, where they are known already. */
  readonly before: EpochCounts | undefined
  /** The nodes have dropped the state of these blocks. */
  readonly anyState: boolean
  /** The contract is there: what it does not say is not waited for. Absent where the contract said nothing at all. */
  readonly notSaid?: NotSaid
}

/** Rejects with LogsIncomplete, or EvmError `INCONSISTENT` when logs tell more than the contract counts. */
export async function checkReleases(ask: Ask, checked: ReleasesToCheck): Promise<CheckedReleases> {
  const counts = new Map<string, number>()
  const kinds = new Map<ReleasedEpoch, ReleaseKind>()
  const checks = checked.markets.map(async (dataMarket) => {
    const releases = checked.releases.filter(({ release }) => release.dataMarket === dataMarket)
    const newest = await checkMarket(ask, { ...checked, dataMarket, releases }, kinds)
    if (newest !== undefined) counts.set(dataMarket, newest)
  })
  await Promise.all(checks)
  return { counts, kinds }
}

interface MarketToCheck extends ReleasesToCheck {
  readonly dataMarket: string
}

/** @returns the newest epoch as of the last block; undefined when nothing tells it */
async function checkMarket(
  ask: Ask,
  market: MarketToCheck,
  kinds: Map<ReleasedEpoch, ReleaseKind>,
): Promise<number | undefined> {
  const { headers, dataMarket, anyState } = market
  const [first, at] = [headers[0]!, anyState ? ('latest' as const) : { blockHash: headers.at(-1)!.hash }]
  const known = market.before?.get(dataMarket)
  const before = known ?? (await (anyState ? newestBefore(ask, market, first, at) : countBefore(ask, market, first)))
  const isUnknown = !before && market.releases.length === 0
  const after = await countOf(ask, market, at, (refusal) => isUnknown && isRevert(refusal))
  // The contract may not have said before what it counted: then its own word on these epochs tells where the step begins.
  const isCountedAnew = !anyState && !before && after !== undefined && after > 0
  const uncounted = after === undefined ? before || undefined : before
  const start = isCountedAnew ? ((await newestBefore(ask, market, first, at)) ?? before) : uncounted
  const newest = await followReleases(ask, market, start, kinds)
  if (after === undefined) return undefined
  if (anyState) await lookBehind(ask, market, newest, after)
  else expectCount(market, newest ?? 0, after)
  return newest
}

/** @returns the newest epoch behind the releases of these blocks; undefined when nothing tells it */
async function followReleases(
  ask: Ask,
  market: MarketToCheck,
  before: number | undefined,
  kinds: Map<ReleasedEpoch, ReleaseKind>,
): Promise<number | undefined> {
  let newest = before
  for (const one of market.releases) {
    const { epochId } = one.release
    // Beside an id that cannot be no other is late, skipped or repeated: an owner who has mended it may begin anew.
    const isBeside = isAbsurd(newest) || isAbsurd(epochId)
    kinds.set(one.release, await kindOf(ask, market, one, isBeside ? undefined : newest))
    newest = isBeside ? epochId : Math.max(newest ?? 0, epochId)
  }
  return newest
}

/** Compared with the state of the last block itself. */
function expectCount({ dataMarket, headers }: MarketToCheck, newest: number, counted: number): void {
  const block = headers.at(-1)!.number
  if (counted > newest) throw new LogsIncomplete({ dataMarket, fromEpoch: newest + 1, toEpoch: counted, block })
  if (counted < newest)
    throw new EvmError(
      'INCONSISTENT',
      `the logs tell of epoch ${newest} of ${dataMarket}, the contract counts ${counted} as of block ${block}`,
      { retriable: true },
    )
}

/** With the newest state alone: none of the next epochs may have been released before the last of these blocks. */
async function lookBehind(ask: Ask, market: MarketToCheck, newest: number | undefined, counted: number): Promise<void> {
  if (newest === undefined) return
  const last = market.headers.at(-1)!
  const next = rangeOf(newest + 1, Math.min(counted, newest + SKIPPED_LOOKED_UP))
  const releases = await releasesOf(ask, market, next, 'latest')
  const missing = next.filter((_, i) => ['before', 'in'].includes(releases[i] ? side(releases[i], last) : ''))
  if (missing.length > 0)
    throw new LogsIncomplete({
      dataMarket: market.dataMarket,
      fromEpoch: missing[0]!,
      toEpoch: missing.at(-1)!,
      block: last.number,
    })
}

/** The newest epoch released before a block, by what a later state says of the last ones; undefined when that is not enough. */
async function newestBefore(
  ask: Ask,
  market: MarketToCheck,
  first: BlockHeader,
  at: StateAt,
): Promise<number | undefined> {
  const counted = await countOf(ask, market, at)
  if (counted === undefined) return undefined
  const epochIds = rangeOf(Math.max(1, counted - SKIPPED_LOOKED_UP + 1), counted)
  const sides = (await releasesOf(ask, market, epochIds, at)).map((one) => one && side(one, first))
  const newest = sides.lastIndexOf('before')
  if (sides.includes('unclear')) return undefined
  if (newest >= 0) return epochIds[newest]
  return (epochIds[0] ?? 1) === 1 ? 0 : undefined
}

async function kindOf(
  ask: Ask,
  market: MarketToCheck,
  { header, release: { epochId } }: ReleaseAt,
  before: number | undefined,
): Promise<ReleaseKind> {
  if (before === undefined) return { isRepeated: false, skippedFrom: 0 }
  if (epochId <= before) return { isRepeated: true, skippedFrom: 0 }
  if (epochId > before + 1) await expectSkipped(ask, market, before, epochId)
  await expectNoneBefore(ask, market, header, before)
  if (epochId === before + 1) return { isRepeated: false, skippedFrom: 0 }
  // The first epochs of a market may have any number: nothing was skipped before them.
  return { isRepeated: false, skippedFrom: before === 0 ? 0 : before + 1 }
}

/** A skip leaves no trace of the epochs it passes over: the contract has no release of theirs. */
async function expectSkipped(ask: Ask, market: MarketToCheck, before: number, epochId: number): Promise<void> {
  const { dataMarket, headers, anyState } = market
  const passed =
    epochId - before - 1 <= 2 * SKIPPED_LOOKED_UP
      ? rangeOf(before + 1, epochId - 1)
      : [...rangeOf(before + 1, before + SKIPPED_LOOKED_UP), ...rangeOf(epochId - SKIPPED_LOOKED_UP, epochId - 1)]
  const at = anyState ? 'latest' : { blockHash: headers.at(-1)!.hash }
  const releases = await releasesOf(ask, market, passed, at)
  const missing = passed.filter((_, i) => releases[i])
  if (missing.length > 0)
    throw new LogsIncomplete({
      dataMarket,
      fromEpoch: missing[0]!,
      toEpoch: missing.at(-1)!,
      block: headers.at(-1)!.number,
    })
}

/**
 * As of the block before a release the count must still be where it was: more may have been passed over than was looked up, and an
 * epoch whose first release is in no log may have been released once more.
 */
async function expectNoneBefore(
  ask: Ask,
  { anyState, headers, releases, ...market }: MarketToCheck,
  header: BlockHeader,
  before: number,
): Promise<void> {
  const isCounted = header === headers[0] // as of its parent, so `before` says it
  if (anyState || isCounted || releases.some((one) => one.header === header && one.release.epochId === before)) return
  const counted = await countOf(ask, market, { blockHash: header.parentHash })
  const { dataMarket } = market
  if (counted !== undefined && counted > before)
    throw new LogsIncomplete({ dataMarket, fromEpoch: before + 1, toEpoch: counted, block: header.number - 1 })
}

const isAbsurd = (epochId: number | undefined): boolean => epochId !== undefined && epochId > EPOCH_MAX

const rangeOf = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
