/** The rows of one commit as they come together. */
import type { AnchorKey, DayKey, EpochKey, VerdictReason } from '../../../schemas/types.ts'
import { createEpochRows, type EpochRows } from './epoch-rows.ts'
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
} from './rows.ts'
import type { ViewWrite } from './store.ts'

export interface ChainHead {
  readonly blockNumber: number
  readonly at: number
}

export interface ViewCommit
  extends Pick<MarketRows, 'refused' | 'heads' | 'beginAnew' | 'market'>,
    Omit<EpochRows, 'changedEpochs'> {
  put(key: string, value: Buffer): void
  del(key: string): void
  /** As this commit or an earlier one wrote it. */
  get(key: string): Buffer | undefined
  /** A further submission is kept, or `by` fewer. */
  kept(origin: Origin, by: 1 | -1): void
  /** A further submission of the epoch, or with a reason a further verdict. */
  count(key: EpochKey, time: number, reason?: VerdictReason): void
  chainHead(head: ChainHead): void
  anchorChanged(key: AnchorKey): void
  dayChanged(key: DayKey): void
  /** Everything to write. */
  finish(): { readonly operations: readonly ViewWrite[]; readonly change: Omit<Change, 'from' | 'to'> }
}

export const HOUR_MS = 3_600_000
export const CHAIN_HEAD = keyOf(TABLE.meta, 'chain head')

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
  const { operations, ...writes } = createWrites(cache)
  const { put } = writes
  const changed = { rows: new Set<string>(), counts: new Map<string, EpochKey>() }
  const { listed, ...told } = createTold()
  const keep = (key: string, row: object): void => {
    cache.set(key, row)
    changed.rows.add(key)
  }
  const countsChanged = (key: EpochKey, time: number, change: (counts: Counts) => Counts): void => {
    const id = keyOf(TABLE.counts, ...epochParts(key))
    const counts = cache.get<Counts>(id) ?? EMPTY_COUNTS
    const hour = Math.floor(time / HOUR_MS)
    if (hour !== counts.hour) put(keyOf(TABLE.hours, number(hour), ...epochParts(key)), NOTHING)
    keep(id, { ...change(counts), hour: Math.max(hour, counts.hour) })
  }
  const seenAt = (key: EpochKey, time: number): void => countsChanged(key, time, (counts) => counts)
  const markets = createMarketRows(cache, keep)
  const { changedEpochs, ...epochs } = createEpochRows(cache, { ...writes, keep, seenAt, markets })
  return {
    ...writes,
    kept(origin, by) {
      const before = cache.get<Kept>(KEPT) ?? NONE_KEPT
      keep(KEPT, { ...before, [origin]: before[origin] + by })
    },
    ...epochs,
    count(key, time, reason) {
      countsChanged(key, time, (counts) =>
        reason === undefined
          ? { ...counts, submissions: counts.submissions + 1 }
          : { ...counts, reasons: { ...counts.reasons, [reason]: (counts.reasons[reason] ?? 0) + 1 } },
      )
      changed.counts.set(keyOf(...epochParts(key)), key)
    },
    refused: markets.refused,
    heads: markets.heads,
    beginAnew: markets.beginAnew,
    market: markets.market,
    chainHead: (head) => keep(CHAIN_HEAD, head),
    ...told,
    finish() {
      const ofEpochs = changedEpochs()
      for (const key of changed.rows) put(key, json(cache.get(key)))
      const verdicts = [...changed.counts.values()].filter((key) => epochs.isKnown(key))
      return { operations: [...operations.values()], change: { epochs: ofEpochs, verdicts, ...listed() } }
    },
  }
}
