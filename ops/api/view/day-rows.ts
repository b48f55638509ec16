/** The rows of days: what the ledger and the payer write, by market and day; all but the tallies go when their day goes. */
import type {
  Day,
  DayKey,
  EpochMarker,
  EpochTally,
  EpochTick,
  MarketKey,
  Payment,
  PaymentKey,
  Payout,
  SlotDayKey,
} from '../../../schemas/types.ts'
import type { LogRecord } from '../../../streams/ports.ts'
import { isMarker } from '../../../topology/topics.ts'
import type { ViewCommit } from './commit.ts'
import { keyOf, number, partsOf, prefixOf } from './keys.ts'
import { epochParts, fromJson, json, TABLE, timed } from './rows.ts'
import type { ViewReader, ViewWrite } from './store.ts'

export interface DayRow {
  /** null before its first epoch has closed. */
  readonly day: Day | null
  /** When its newest epoch was counted, ms. */
  readonly changedAt: number | null
  /** The first release of the day that was seen: epoch, quota, and when the tick was written; null when none was. */
  readonly began: { readonly epochId: number; readonly quota: number; readonly at: number } | null
  /** The newest release of the day that was seen, and when its tick was written. */
  readonly newest: { readonly epochId: number; readonly at: number } | null
}
const NO_DAY: DayRow = { day: null, changedAt: null, began: null, newest: null }

/** Where the first tally of an epoch lies. */
export interface TallyRow {
  readonly partition: number
  readonly offset: number
}

export const dayParts = ({ dataMarket, day }: DayKey): [string, string] => [dataMarket, number(day)]
export const slotDayParts = (key: DayKey, slotId: number): string[] => [...dayParts(key), number(slotId)]

type Purpose = Payout['purpose']
const callParts = (key: DayKey, purpose: Purpose, { epochId, number: of }: Pick<Payout, 'epochId' | 'number'>) => [
  ...dayParts(key),
  purpose,
  number(epochId),
  number(of),
]

function change(commit: ViewCommit, key: DayKey, by: (row: DayRow) => DayRow): void {
  const id = keyOf(TABLE.days, ...dayParts(key))
  const found = commit.get(id)
  commit.put(id, json(by(found ? fromJson<DayRow>(found) : NO_DAY)))
  commit.dayChanged(key)
}

/** A release tells which day it is, and its quota, before anything of it is counted. */
export function onDayBegan(commit: ViewCommit, { dataMarket, day, epochId, dailyQuota }: EpochTick, at: number): void {
  if (day === 0) return
  change(commit, { dataMarket, day }, (found) => {
    const before = found.began
    const isNewest = found.newest === null || epochId >= found.newest.epochId
    const row = isNewest ? { ...found, newest: { epochId, at } } : found
    if (before === null || epochId <= before.epochId) return { ...row, began: { epochId, quota: dailyQuota, at } }
    return before.quota === dailyQuota ? row : { ...row, began: { ...before, quota: dailyQuota } }
  })
}

export function onDay(commit: ViewCommit, key: DayKey, day: Day | null, changedAt: number): void {
  if (day !== null) change(commit, key, (row) => ({ ...row, day, changedAt }))
  else {
    commit.del(keyOf(TABLE.days, ...dayParts(key)))
    commit.dayChanged(key)
  }
}

export function onSlotDay(commit: ViewCommit, key: SlotDayKey, { value, timestamp }: LogRecord): void {
  const id = keyOf(TABLE.slotDays, ...slotDayParts(key, key.slotId))
  if (value === null) commit.del(id)
  else commit.put(id, timed(timestamp, value))
}

/** Only for payouts that close a day: the others are in their payments as far as anybody asks. */
export function onPayout(commit: ViewCommit, { dataMarket }: MarketKey, payout: Payout, record: LogRecord): void {
  if (payout.purpose !== 'CLOSING') return
  const key = { dataMarket, day: payout.payoutOf }
  commit.put(keyOf(TABLE.payouts, ...callParts(key, 'CLOSING', payout)), timed(record.timestamp, record.value!))
  commit.dayChanged(key)
}

export function onPayment(commit: ViewCommit, key: PaymentKey, payment: Payment | null, record: LogRecord): void {
  const id = (purpose: Purpose) => keyOf(TABLE.payments, ...callParts(key, purpose, key))
  if (payment !== null) commit.put(id(payment.purpose), timed(record.timestamp, record.value!))
  else for (const purpose of ['COUNTS', 'CLOSING'] as const) commit.del(id(purpose))
  commit.dayChanged(key)
}

export function onTally(
  commit: ViewCommit,
  { dataMarket }: MarketKey,
  event: EpochTally | EpochMarker,
  at: TallyRow,
): void {
  if (isMarker(event)) return
  const id = keyOf(TABLE.tallies, ...epochParts({ dataMarket, epochId: event.talliedEpoch }))
  if (commit.get(id) === undefined) commit.put(id, json(at))
}

/** As many as the rule `daysKept` lets be kept, of each market. */
const DAYS_MAX = 1_000
/** Rows that are taken out in one piece. */
const PIECE_ROWS = 2_000

/**
 * Rows of days that are gone: their tombstones may be gone too before they are read.
 * @returns the writes to make now; empty when nothing (more) is too much
 */
export async function surplusDays(reader: ViewReader, markets: readonly string[]): Promise<readonly ViewWrite[]> {
  for (const dataMarket of markets) {
    const days = await reader.range({ prefix: prefixOf(TABLE.days, dataMarket), newestFirst: true, limit: DAYS_MAX })
    const oldest = days.at(-1)
    if (!oldest) continue
    const [, , day] = partsOf(oldest[0])
    for (const table of [TABLE.days, TABLE.slotDays, TABLE.payouts, TABLE.payments]) {
      const rows = await reader.range({ prefix: prefixOf(table, dataMarket), limit: PIECE_ROWS })
      const gone = rows.filter(([key]) => partsOf(key)[2]! < day!)
      if (gone.length > 0) return gone.map(([key]) => ({ type: 'del', key }))
    }
  }
  return []
}
