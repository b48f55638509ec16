/** The rows of one commit as they come together. */
import type { AnchorKey, DayKey, EpochKey, EpochTick, VerdictReason } from '../../../schemas/types.ts'
import { isThrough } from '../../reading/epoch-phases.ts'
import { type EpochProgress, phaseOf, unseenEpoch, withRecord } from '../../reading/epoch-progress.ts'
import { keyOf, number } from './keys.ts'
import { createMarketRows, type MarketRows } from './market-rows.ts'
import type { Origin } from './origin.ts'
import type { RowCache } from './row-cache.ts'
import {
  type Change,
  type Counts,
  EMPTY_COUNTS,
  epochParts,
  json,
  KEPT,
  type Kept,
  NONE_KEPT,
  NOTHING,
  TABLE,
  type Unanchored,
} from './rows.ts'
import type { ViewWrite } from './store.ts'

export interface ChainHead {
  readonly blockNumber: number
  readonly at: number
}

export interface ViewCommit extends Omit<MarketRows, 'headsOf'> {
  put(key: string, value: Buffer): void
  del(key: string): void
  /** As this commit or an earlier one wrote it. */
  get(key: string): Buffer | undefined
  /** A further submission is kept, or `by` fewer. */
  kept(origin: Origin, by: 1 | -1): void
  epochRow(key: EpochKey): EpochProgress
  /** Ticks, batches or anchors name the epoch. */
  isKnown(key: EpochKey): boolean
  epoch(key: EpochKey, change: (row: EpochProgress) => EpochProgress, time: number): void
  /** A further submission of the epoch, or with a reason a further verdict. */
  count(key: EpochKey, time: number, reason?: VerdictReason): void
  /** The newest epoch of its market is at least this one; between them and the one before, none was released. */
  released(open: EpochTick, at: number): void
  chainHead(head: ChainHead): void
  anchorChanged(key: AnchorKey): void
  dayChanged(key: DayKey): void
  /** Everything to write. */
  finish(): { readonly operations: readonly ViewWrite[]; readonly change: Omit<Change, 'from' | 'to'> }
}

export const HOUR_MS = 3_600_000
export const CHAIN_HEAD = keyOf(TABLE.meta, 'chain head')

const epochKey = (key: EpochKey): string => keyOf(TABLE.epochs, ...epochParts(key))

/**
 * The number of newest epochs of a skip that may have had a release that left the chain: no reorganisation takes back more. And
 * of a gap, of those that are looked at for one that was refused.
 */
const SKIPPED_LOOKED_AT = 1_024

/** The writes of a commit, each key once; it reads its own. */
function createWrites(cache: RowCache) {
  const operations = new Map<string, ViewWrite>()
  return {
    operations,
    put: (key: string, value: Buffer): void => void operations.set(key, { type: 'put', key, value }),
    del: (key: string): void => void operations.set(key, { type: 'del', key }),
    get(key: string): Buffer | undefined {
      const written = operations.get(key)
      if (written === undefined) return cache.onDisk(key)
      return written.type === 'put' ? written.value : undefined
    },
  }
}

/** The epochs between the newest release and this one: missing, and skipped by the market's owner. Refused ones have rows of their own. */
function missingBefore(
  open: EpochTick,
  released: number,
  knownRow: (key: EpochKey) => EpochProgress | undefined,
): [EpochKey, Unanchored][] {
  const { dataMarket, epochId, releaseBlock, skippedFrom } = open
  const skipped = skippedFrom > 0 ? skippedFrom : epochId
  const missing: [EpochKey, Unanchored][] = []
  let first = released > 0 ? released + 1 : skipped
  const miss = (last: number): void => {
    if (first <= last)
      missing.push([
        { dataMarket, epochId: first },
        { last, before: epochId },
      ])
  }
  for (let one = Math.max(first, skipped - SKIPPED_LOOKED_AT); one < skipped; one++) {
    if (!knownRow({ dataMarket, epochId: one })?.refused) continue
    miss(one - 1)
    first = one + 1
  }
  miss(skipped - 1)
  if (skipped < epochId)
    missing.push([
      { dataMarket, epochId: skipped },
      { last: epochId - 1, before: epochId, skippedInBlock: releaseBlock },
    ])
  return missing
}

interface Telling {
  readonly del: (key: string) => void
  readonly unanchored: (key: EpochKey, row: Unanchored) => void
  readonly heads: MarketRows['heads']
}

function tellWhetherAnchored(key: EpochKey, row: EpochProgress, { del, unanchored, heads }: Telling): void {
  if (row.skippedInBlock !== null) return // `released` has said so
  if (isThrough(phaseOf(row))) {
    del(keyOf(TABLE.unanchored, ...epochParts(key)))
    heads(key.dataMarket, { final: key.epochId })
  } else unanchored(key, {})
}

/** The epochs that a release says were skipped, the newest of them: they may have had a release. */
function skippedBy({ dataMarket, epochId: last, skippedFrom }: EpochTick): EpochKey[] {
  const from = skippedFrom > 0 ? Math.max(skippedFrom, last - SKIPPED_LOOKED_AT) : last
  return Array.from({ length: last - from }, (_, i) => ({ dataMarket, epochId: from + i }))
}

/** Anchors and days that have changed, each once. */
function createTold() {
  const anchors = new Map<string, AnchorKey>()
  const days = new Map<string, DayKey>()
  return {
    anchorChanged: (key: AnchorKey): void =>
      void anchors.set(keyOf(...epochParts(key), number(key.batchIndex + 1)), key),
    dayChanged: ({ dataMarket, day }: DayKey): void => void days.set(`${dataMarket}/${day}`, { dataMarket, day }),
    listed: () => ({ anchors: [...anchors.values()], days: [...days.values()] }),
  }
}

export function createCommit(cache: RowCache): ViewCommit {
  const { operations, put, del, get } = createWrites(cache)
  const changed = { rows: new Set<string>(), epochs: new Map<string, EpochKey>(), counts: new Map<string, EpochKey>() }
  const { listed, ...told } = createTold()
  const keep = (key: string, row: object): void => {
    cache.set(key, row)
    changed.rows.add(key)
  }
  const knownRow = (key: EpochKey): EpochProgress | undefined => cache.get<EpochProgress>(epochKey(key))
  const epochRow = (key: EpochKey): EpochProgress => knownRow(key) ?? unseenEpoch(key.epochId)

  const countsChanged = (key: EpochKey, time: number, change: (counts: Counts) => Counts): void => {
    const id = keyOf(TABLE.counts, ...epochParts(key))
    const counts = cache.get<Counts>(id) ?? EMPTY_COUNTS
    const hour = Math.floor(time / HOUR_MS)
    if (hour !== counts.hour) put(keyOf(TABLE.hours, number(hour), ...epochParts(key)), NOTHING)
    keep(id, { ...change(counts), hour: Math.max(hour, counts.hour) })
  }
  const { headsOf, ...ofMarkets } = createMarketRows(cache, keep)
  const unanchored = (key: EpochKey, row: Unanchored): void =>
    put(keyOf(TABLE.unanchored, ...epochParts(key)), json(row))
  return {
    put,
    del,
    get,
    kept(origin, by) {
      const before = cache.get<Kept>(KEPT) ?? NONE_KEPT
      keep(KEPT, { ...before, [origin]: before[origin] + by })
    },
    epochRow,
    isKnown: (key) => knownRow(key) !== undefined,
    epoch(key, change, time) {
      keep(epochKey(key), change(epochRow(key)))
      changed.epochs.set(epochKey(key), key)
      countsChanged(key, time, (counts) => counts)
    },
    count(key, time, reason) {
      countsChanged(key, time, (counts) =>
        reason === undefined
          ? { ...counts, submissions: counts.submissions + 1 }
          : { ...counts, reasons: { ...counts.reasons, [reason]: (counts.reasons[reason] ?? 0) + 1 } },
      )
      changed.counts.set(epochKey(key), key)
    },
    ...ofMarkets,
    released(open, at) {
      for (const key of skippedBy(open)) {
        const [row, after] = [knownRow(key), withRecord(epochRow(key), { tick: open, at })]
        if (row === undefined || after === row) continue
        keep(epochKey(key), after)
        del(keyOf(TABLE.unanchored, ...epochParts(key))) // the row of the first is written next
      }
      for (const [key, row] of missingBefore(open, headsOf(open.dataMarket).released, knownRow)) unanchored(key, row)
      ofMarkets.heads(open.dataMarket, { released: open.epochId })
    },
    chainHead: (head) => keep(CHAIN_HEAD, head),
    ...told,
    finish() {
      const telling = { del, unanchored, heads: ofMarkets.heads }
      for (const key of changed.epochs.values()) tellWhetherAnchored(key, epochRow(key), telling)
      for (const key of changed.rows) put(key, json(cache.get(key)))
      const verdicts = [...changed.counts].filter(([id]) => cache.get(id) !== undefined).map(([, key]) => key)
      return {
        operations: [...operations.values()],
        change: { epochs: [...changed.epochs.values()], verdicts, ...listed() },
      }
    },
  }
}
