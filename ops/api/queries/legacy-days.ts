/**
 * The days as the endpoints of the deployed collector give them: from the view, and from the contract for days that the view does
 * not have.
 */

import type { Day, DayKey, EpochKey, EpochRange } from '../../../schemas/types.ts'
import { isMarker } from '../../../topology/topics.ts'
import { lookedUp, silently } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'
import type { Asked } from '../asked.ts'
import { type DayRow, dayParts, slotDayParts, type TallyRow } from '../view/day-rows.ts'
import { keyOf, number, partsOf, prefixOf } from '../view/keys.ts'
import { bytesOf, fromJson, TABLE } from '../view/rows.ts'
import { newestDay, slotsOf } from './days.ts'

/** Epochs behind the one asked for that are taken off again: so many a day has at one every 12 s. */
const LATER_EPOCHS_MAX = 7_200

/** The newest day that the log knows; of the contract when it knows none. Undefined: nobody can say. */
export const currentDay = async (asked: Asked, dataMarket: string): Promise<number | undefined> =>
  (await newestDay(asked.reader, dataMarket)) ?? (await orUndefined(asked.contract?.dayCounter(dataMarket)))

const orUndefined = <T>(asked: Promise<T> | undefined): Promise<T | undefined> =>
  asked?.catch(() => undefined) ?? Promise.resolve(undefined)

export const dayIn = ({ reader }: Asked, key: DayKey): Day | undefined =>
  reader.getJson<DayRow>(keyOf(TABLE.days, ...dayParts(key)))?.day ?? undefined

/** The contract's counts of days that the ledger does not have; undefined when it cannot be asked. */
async function fromContract(
  { contract }: Asked,
  days: readonly number[],
  ask: (contract: NonNullable<Asked['contract']>) => Promise<readonly number[]>,
): Promise<ReadonlyMap<number, number> | undefined> {
  if (days.length === 0) return new Map()
  const found = await orUndefined(contract && ask(contract))
  return found && new Map(days.map((day, i) => [day, found[i]!]))
}

/** Today first. Undefined: the contract has to be asked about a day, and does not answer. */
export async function submissionsByDay(asked: Asked, dataMarket: string, slotId: number, days: readonly number[]) {
  const missing = await daysMissing(asked, dataMarket, days)
  const counts = await fromContract(asked, missing, (one) => one.countsOfSlot(dataMarket, slotId, missing))
  return (
    counts &&
    days.map((day) => {
      const row = asked.reader.get(keyOf(TABLE.slotDays, ...slotDayParts({ dataMarket, day }, slotId)))
      const slot = row && asked.topics.slotDays.value.decode(bytesOf(row))
      const eligibleSubmissions = counts.get(day) ?? slot?.counted ?? 0
      return { day, eligibleSubmissions, totalSubmissions: slot?.accepted ?? 0 }
    })
  )
}

/** Days that this log has not counted, without the newest one. */
async function daysMissing(asked: Asked, dataMarket: string, days: readonly number[]): Promise<readonly number[]> {
  const newest = await newestDay(asked.reader, dataMarket)
  return days.filter((day) => day !== newest && !dayIn(asked, { dataMarket, day }))
}

/** Today first; with `withSlots` their ids, as texts. Undefined as above. */
export async function eligibleNodes(asked: Asked, dataMarket: string, days: readonly number[], withSlots: boolean) {
  const missing = await daysMissing(asked, dataMarket, days)
  const counts = await fromContract(asked, missing, (one) => one.eligibleNodes(dataMarket, missing))
  if (!counts) return undefined
  const found: { day: number; eligibleNodesCount: number; slotIDs: string[] }[] = []
  for (const day of days) {
    const row = dayIn(asked, { dataMarket, day })
    const slotIDs = row && withSlots ? await eligibleSlots(asked, { dataMarket, day }, row.quota) : []
    const counted = withSlots && row ? slotIDs.length : row?.eligibleSlots
    found.push({ day, eligibleNodesCount: counts.get(day) ?? counted ?? 0, slotIDs })
  }
  return found
}

async function eligibleSlots({ reader, topics }: Asked, key: DayKey, quota: number): Promise<string[]> {
  const slots: string[] = []
  for await (const { slotId, counted } of slotsOf(reader, topics, key)) if (counted >= quota) slots.push(`${slotId}`)
  return slots
}

export const isIn = (ranges: readonly EpochRange[], epochId: number): boolean =>
  ranges.some(({ first, last }) => first <= epochId && epochId <= last)

/**
 * The counts that the slots had of the day when the epoch was counted: their present counts, without the counts of later epochs
 * of the day. Undefined when those are more than can be looked through.
 */
export async function countsAfter(asked: Asked, { dataMarket, epochId }: EpochKey, day: number) {
  const row = dayIn(asked, { dataMarket, day })
  const counts = new Map<number, { counted: number; lastEpoch: number }>()
  if (!row || !isIn(row.epochs, epochId)) return []
  const later = await laterTallies(asked, { dataMarket, epochId }, row)
  if (!later) return undefined
  for await (const { slotId, counted, lastEpoch } of slotsOf(asked.reader, asked.topics, { dataMarket, day }))
    counts.set(slotId, { counted, lastEpoch })
  for await (const { talliedEpoch, counted } of later)
    for (const slotId of counted) {
      const slot = counts.get(slotId)
      if (slot && talliedEpoch <= slot.lastEpoch) slot.counted-- // else its row does not have that epoch yet
    }
  return [...counts].filter(([, { counted }]) => counted > 0).map(([slotID, { counted: count }]) => ({ slotID, count }))
}

async function laterTallies(
  { reader, log, topics }: Asked,
  { dataMarket, epochId }: EpochKey,
  { epochs }: Day,
): Promise<AsyncIterable<{ talliedEpoch: number; counted: readonly number[] }> | undefined> {
  const prefix = prefixOf(TABLE.tallies, dataMarket)
  const after = keyOf(TABLE.tallies, dataMarket, number(epochId))
  const rows = await reader.range({ prefix, after, limit: LATER_EPOCHS_MAX + 1 })
  const ofDay = rows.filter(([id]) => isIn(epochs, Number(partsOf(id)[2])))
  if (ofDay.length > LATER_EPOCHS_MAX) return undefined
  const places = ofDay.map(([, row]) => fromJson<TallyRow>(row))
  const wanted = new Set(ofDay.map(([id]) => Number(partsOf(id)[2])))
  const partition = places[0]?.partition ?? 0
  const from = places.reduce((min, { offset }) => Math.min(min, offset), Number.POSITIVE_INFINITY)
  return (async function* () {
    if (places.length === 0) return
    const at = { topic: topics.tallies.name, partition }
    for await (const records of scan(log, at, { from, tell: silently }))
      for (const record of records) {
        const read = lookedUp(topics.tallies, partition, record)
        const event = read?.key.dataMarket === dataMarket ? read.value : undefined
        if (event && !isMarker(event) && 'talliedEpoch' in event && wanted.has(event.talliedEpoch)) yield event
      }
  })()
}
