/** The rows of epochs in a commit: how far each is, and those that were never released. */
import type { EpochKey, EpochTick } from '../../../schemas/types.ts'
import { isThrough } from '../../reading/epoch-phases.ts'
import { type EpochProgress, phaseOf, unseenEpoch, withRecord } from '../../reading/epoch-progress.ts'
import { keyOf } from './keys.ts'
import type { MarketRows } from './market-rows.ts'
import type { RowCache } from './row-cache.ts'
import { epochParts, json, TABLE, type Unanchored } from './rows.ts'

export interface EpochRows {
  epochRow(key: EpochKey): EpochProgress
  /** Ticks, batches or anchors name the epoch. */
  isKnown(key: EpochKey): boolean
  epoch(key: EpochKey, change: (row: EpochProgress) => EpochProgress, time: number): void
  /** The newest epoch of its market is at least this one; between them and the one before, none was released. */
  released(open: EpochTick, at: number): void
  /** Blocks left the chain, with the releases in them. */
  orphaned(orphan: EpochTick, at: number): void
  /** Tells of each epoch that has changed whether it is anchored, and lists them. */
  changedEpochs(): readonly EpochKey[]
}

export interface EpochWrites {
  put(key: string, value: Buffer): void
  del(key: string): void
  keep(key: string, row: object): void
  /** Something of the epoch was written at this time, ms. */
  seenAt(key: EpochKey, time: number): void
  readonly markets: MarketRows
}

/**
 * The number of newest epochs of a skip that may have had a release that left the chain: no reorganisation takes back more. And
 * of a gap, of those that are looked at for one that was refused.
 */
const SKIPPED_LOOKED_AT = 1_024

const epochKey = (key: EpochKey): string => keyOf(TABLE.epochs, ...epochParts(key))

export function createEpochRows(cache: RowCache, { put, del, keep, seenAt, markets }: EpochWrites): EpochRows {
  const changed = new Map<string, EpochKey>()
  const knownRow = (key: EpochKey): EpochProgress | undefined => cache.get<EpochProgress>(epochKey(key))
  const epochRow = (key: EpochKey): EpochProgress => knownRow(key) ?? unseenEpoch(key.epochId)
  const unanchored = (key: EpochKey, row: Unanchored): void =>
    put(keyOf(TABLE.unanchored, ...epochParts(key)), json(row))

  const epoch: EpochRows['epoch'] = (key, change, time) => {
    keep(epochKey(key), change(epochRow(key)))
    changed.set(epochKey(key), key)
    seenAt(key, time)
  }

  const tellWhetherAnchored = (key: EpochKey): void => {
    const row = epochRow(key)
    if (row.skippedInBlock !== null) return // `released` has said so
    if (isThrough(phaseOf(row))) {
      del(keyOf(TABLE.unanchored, ...epochParts(key)))
      markets.heads(key.dataMarket, { final: key.epochId })
    } else unanchored(key, {})
  }

  return {
    epochRow,
    isKnown: (key) => knownRow(key) !== undefined,
    epoch,
    released(open, at) {
      for (const key of skippedBy(open)) {
        const [row, after] = [knownRow(key), withRecord(epochRow(key), { tick: open, at })]
        if (row === undefined || after === row) continue
        keep(epochKey(key), after)
        del(keyOf(TABLE.unanchored, ...epochParts(key))) // the row of the first is written next
      }
      const { released } = markets.headsOf(open.dataMarket)
      for (const [key, row] of missingBefore(open, released, knownRow)) unanchored(key, row)
      markets.opened(open)
    },
    orphaned(tick, at) {
      for (const key of markets.newestEpochs()) {
        const before = epochRow(key)
        const after = withRecord(before, { tick, at })
        if (after !== before) epoch(key, () => after, at)
      }
      markets.takenBack(knownRow)
    },
    changedEpochs() {
      for (const key of changed.values()) tellWhetherAnchored(key)
      return [...changed.values()]
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

/** The epochs that a release says were skipped, the newest of them: they may have had a release. */
function skippedBy({ dataMarket, epochId: last, skippedFrom }: EpochTick): EpochKey[] {
  const from = skippedFrom > 0 ? Math.max(skippedFrom, last - SKIPPED_LOOKED_AT) : last
  return Array.from({ length: last - from }, (_, i) => ({ dataMarket, epochId: from + i }))
}
