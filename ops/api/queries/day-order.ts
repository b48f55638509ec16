/**
 * Days by their newest epoch. The owner of a market may put the day counter back, or on, so that their numbers give no order: the
 * day of the newest epoch is the newest one.
 */
import type { DayKey } from '../../../schemas/types.ts'
import type { Page } from '../schema.ts'
import type { DayRow } from '../view/day-rows.ts'
import { keyOf, number, partsOf, prefixOf } from '../view/keys.ts'
import { fromJson, TABLE } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { fromCursor, type PageQuery, toCursor } from './page.ts'

export interface DayOfView {
  readonly key: DayKey
  readonly row: DayRow
}

/** Rows that are put in order, as many as ten markets with the most days have. */
const DAYS_MAX = 10_000

/** The newest first; of several markets one behind the other. */
export async function daysNewestFirst(reader: ViewReader, market?: string): Promise<readonly DayOfView[]> {
  return (await placesOf(reader, market)).map(({ day }) => day)
}

/** @param itemOf undefined when a filter keeps the day out */
export async function pageOfDays<T>(
  reader: ViewReader,
  { market, limit, cursor }: PageQuery & { readonly market?: string | undefined },
  itemOf: (day: DayOfView) => Promise<T | undefined>,
): Promise<Page<T>> {
  const list = `days of ${market ?? 'all markets'}`
  const after = cursor === undefined ? undefined : fromCursor(list, cursor)
  const places = (await placesOf(reader, market)).filter(({ place }) => after === undefined || place < after)
  const items: T[] = []
  let last = ''
  for (const { place, day } of places) {
    if (items.length === limit) return { items, next: toCursor(list, last) }
    const item = await itemOf(day)
    if (item !== undefined) items.push(item)
    last = place
  }
  return { items, next: null }
}

async function placesOf(reader: ViewReader, market: string | undefined) {
  const prefix = market === undefined ? prefixOf(TABLE.days) : prefixOf(TABLE.days, market)
  const rows = await reader.range({ prefix, newestFirst: true, limit: DAYS_MAX })
  const places = rows.map(([id, bytes]) => {
    const [, dataMarket, day] = partsOf(id)
    const row = fromJson<DayRow>(bytes)
    const key = { dataMarket: dataMarket!, day: Number(day) }
    return { place: placeOf(key, row), day: { key, row } }
  })
  return places.sort((a, b) => (a.place < b.place ? 1 : -1))
}

/** Where two days have one newest epoch, the release of the one that was told of earlier has left the chain. */
function placeOf({ dataMarket, day }: DayKey, { day: counted, newest }: DayRow): string {
  const epochId = Math.max(newest?.epochId ?? 0, counted?.epochs.at(-1)?.last ?? 0)
  return keyOf(dataMarket, number(epochId), number(newest?.at ?? 0), number(day))
}
