/** Days of data markets: what the slots did, and what the contract was told of it. */

import { orNull } from '../../../schemas/none.ts'
import type { DayKey, Payment } from '../../../schemas/types.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import type { Topics } from '../../../topology/topics.ts'
import {
  type DayFacts,
  type DayStatus,
  dayStatus,
  type RunPart,
  type SlotDayStatus,
  slotDayStatus,
} from '../../reading/day.ts'
import { histogramOf } from '../../reading/day-histogram.ts'
import type { DayDetail, DaySummary, PaymentItem, SlotDayItem } from '../days-schema.ts'
import type { Page } from '../schema.ts'
import { type DayRow, dayParts, slotDayParts } from '../view/day-rows.ts'
import { keyOf, number, partsOf, prefixOf } from '../view/keys.ts'
import { bytesOf, TABLE, timeOf } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { daysNewestFirst, pageOfDays } from './day-order.ts'
import { headEpoch } from './heads.ts'
import { type PageQuery, pageOf } from './page.ts'
import { marketsSeen } from './status.ts'

/** Calls of a run, at most: as many as a million slots take. */
const PARTS_MAX = 10_000

/** Newest first. */
export async function listDays(
  reader: ViewReader,
  topics: Topics,
  page: PageQuery,
  market?: string,
): Promise<Page<DaySummary>> {
  return pageOfDays(reader, { ...page, market }, async ({ key, row }) =>
    row.day !== null || (await isNewest(reader, key)) ? statusOf(reader, topics, key, row) : undefined,
  )
}

/**
 * The newest days of each market that has days, newest first.
 * @param unchanged the days of markets as they were read before, of which nothing has changed since
 */
export async function newestDays(
  reader: ViewReader,
  topics: Topics,
  rules: ProtocolRules,
  limit: number,
  unchanged: ReadonlyMap<string, readonly DaySummary[]>,
) {
  const markets = marketsSeen(reader, rules).map(async ({ dataMarket, rewards }) => {
    const days = unchanged.get(dataMarket) ?? (await listDays(reader, topics, { limit }, dataMarket)).items
    return { dataMarket, rewards, headEpoch: headEpoch(reader, dataMarket) ?? 0, days }
  })
  return (await Promise.all(markets)).filter(({ days }) => days.length > 0)
}

/** A day that a release alone tells of has just begun, or its rows are gone. */
const isNewest = async (reader: ViewReader, { dataMarket, day }: DayKey): Promise<boolean> =>
  (await newestDay(reader, dataMarket)) === day

/** The newest day that the log knows of: that of the newest epoch. */
export async function newestDay(reader: ViewReader, dataMarket: string): Promise<number | undefined> {
  const [newest] = await daysNewestFirst(reader, dataMarket)
  return newest?.key.day
}

export async function dayOf(reader: ViewReader, topics: Topics, key: DayKey): Promise<DayStatus | undefined> {
  const row = rowOf(reader, key)
  return row && statusOf(reader, topics, key, row)
}

const rowOf = (reader: ViewReader, key: DayKey): DayRow | undefined =>
  reader.getJson<DayRow>(keyOf(TABLE.days, ...dayParts(key)))

async function statusOf(reader: ViewReader, topics: Topics, key: DayKey, row: DayRow): Promise<DayStatus> {
  return dayStatus(key, await factsOf(reader, topics, key, row))
}

async function factsOf(reader: ViewReader, topics: Topics, key: DayKey, row: DayRow): Promise<DayFacts> {
  return {
    row: row.day ?? undefined,
    began: row.began ?? undefined,
    changedAt: row.changedAt,
    told: await newestTold(reader, topics, key),
    closing: await closingOf(reader, topics, key),
  }
}

/** The run that closes a day, in the order of its slots. */
async function closingOf(reader: ViewReader, topics: Topics, key: DayKey): Promise<readonly RunPart[]> {
  const parts = new Map<string, RunPart>()
  const of = [...dayParts(key), 'CLOSING']
  for (const [id, row] of await reader.range({ prefix: prefixOf(TABLE.payouts, ...of), limit: PARTS_MAX })) {
    const payout = topics.payouts.value.decode(bytesOf(row))
    parts.set(callOf(id), { ...nameOf(id), payout, payment: undefined })
  }
  for (const [id, row] of await reader.range({ prefix: prefixOf(TABLE.payments, ...of), limit: PARTS_MAX })) {
    const payment = topics.payments.value.decode(bytesOf(row))
    parts.set(callOf(id), { ...nameOf(id), payout: parts.get(callOf(id))?.payout, payment })
  }
  return [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part)
}

async function newestTold(reader: ViewReader, topics: Topics, key: DayKey): Promise<readonly RunPart[]> {
  const of = [...dayParts(key), 'COUNTS']
  const [newest] = await reader.range({ prefix: prefixOf(TABLE.payments, ...of), newestFirst: true, limit: 1 })
  if (!newest) return []
  const { epochId } = nameOf(newest[0])
  const prefix = prefixOf(TABLE.payments, ...of, number(epochId))
  const rows = await reader.range({ prefix, limit: PARTS_MAX })
  return rows.map(([id, row]) => ({
    ...nameOf(id),
    payout: undefined,
    payment: topics.payments.value.decode(bytesOf(row)),
  }))
}

const callOf = (id: string): string => keyOf(...partsOf(id).slice(4))
const nameOf = (id: string): { epochId: number; number: number } => {
  const [, , , , epochId, of] = partsOf(id)
  return { epochId: Number(epochId), number: Number(of) }
}

export async function dayDetail(reader: ViewReader, topics: Topics, key: DayKey): Promise<DayDetail | undefined> {
  const status = await dayOf(reader, topics, key)
  if (!status) return undefined
  const counts: number[] = []
  for await (const { counted } of slotsOf(reader, topics, key)) counts.push(counted)
  const before = await lengthBefore(reader, key)
  return { ...status, epochsOfDayBefore: before, histogram: [...histogramOf(counts, status.quota)] }
}

const CHUNK = 2_000

/** Every slot of a day, ascending. */
export async function* slotsOf(reader: ViewReader, topics: Topics, key: DayKey) {
  const prefix = prefixOf(TABLE.slotDays, ...dayParts(key))
  let after: string | undefined
  for (;;) {
    const rows = await reader.range({ prefix, after, limit: CHUNK })
    for (const [id, row] of rows)
      yield { slotId: Number(partsOf(id)[3]), ...topics.slotDays.value.decode(bytesOf(row)) }
    if (rows.length < CHUNK) return
    after = rows.at(-1)![0]
  }
}

/** From its first release to that of the next day, as far as both are known. */
async function lengthBefore(reader: ViewReader, { dataMarket, day }: DayKey): Promise<number | null> {
  const firstOf = (of: number): number | undefined => {
    const row = rowOf(reader, { dataMarket, day: of })
    return row?.day?.epochs[0]?.first ?? row?.began?.epochId
  }
  const [first, before] = [firstOf(day), firstOf(day - 1)]
  return first === undefined || before === undefined || first <= before ? null : first - before
}

export interface SlotsQuery extends PageQuery {
  /** Only those with as many as the quota, or only the others. */
  readonly eligible?: 'true' | 'false' | undefined
}

/** Slots of a day, ascending. */
export async function slotsOfDay(
  reader: ViewReader,
  topics: Topics,
  key: DayKey,
  query: SlotsQuery,
): Promise<Page<SlotDayItem> | undefined> {
  const day = rowOf(reader, key)
  if (!day) return undefined
  const facts = await factsOf(reader, topics, key, day)
  const status = dayStatus(key, facts)
  const { eligible } = query
  const list = { prefix: prefixOf(TABLE.slotDays, ...dayParts(key)), page: query, filtered: eligible !== undefined }
  return pageOf(reader, list, (id, row) => {
    const item = slotDayStatus(
      status,
      Number(partsOf(id)[3]),
      topics.slotDays.value.decode(bytesOf(row)),
      facts.closing,
    )
    return eligible === undefined || item.eligible === (eligible === 'true') ? item : undefined
  })
}

/** The days of a slot, newest first; days in which it did nothing are left out. */
export async function daysOfSlot(
  reader: ViewReader,
  topics: Topics,
  slotId: number,
  query: PageQuery & { readonly market?: string | undefined },
): Promise<Page<SlotDayItem>> {
  return pageOfDays(reader, query, async ({ key, row }): Promise<SlotDayStatus | undefined> => {
    const found = reader.get(keyOf(TABLE.slotDays, ...slotDayParts(key, slotId)))
    if (!found) return undefined
    const facts = await factsOf(reader, topics, key, row)
    return slotDayStatus(dayStatus(key, facts), slotId, topics.slotDays.value.decode(bytesOf(found)), facts.closing)
  })
}

/** Calls of a day, the last first; of one purpose, or first the calls in its course. Undefined: nobody knows of such a day. */
export async function paymentsOfDay(
  reader: ViewReader,
  topics: Topics,
  key: DayKey,
  page: PageQuery & { readonly purpose?: Payment['purpose'] | undefined },
): Promise<Page<PaymentItem> | undefined> {
  const of = page.purpose === undefined ? [] : [page.purpose]
  const prefix = prefixOf(TABLE.payments, ...dayParts(key), ...of)
  const found = await pageOf(reader, { prefix, page, newestFirst: true }, (id, row) =>
    paymentItem(id, topics.payments.value.decode(bytesOf(row)), timeOf(row)),
  )
  return found.items.length > 0 || rowOf(reader, key) ? found : undefined
}

function paymentItem(id: string, payment: Payment, changedAt: number): PaymentItem {
  const [, dataMarket, day] = partsOf(id)
  const { payoutOffset: _, purpose, nonce, leftOut, paidBefore, paid, paymentState: state, ...rest } = payment
  const of = { dataMarket: dataMarket!, day: Number(day), ...nameOf(id), purpose, state }
  const { blockHash: __, ...more } = rest
  const slots = { leftOut: [...leftOut], paidBefore: [...paidBefore], paid: orNull(paid) }
  return { ...of, ...more, ...slots, nonce: orNull(nonce), changedAt }
}
