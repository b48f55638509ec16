/** The clock's place as the log has it when a session opens: its tables, its cursor, and the ticks behind that. */
import type { MarketKey, MarketRequest } from '../../../schemas/types.ts'
import type { OnUnreadable, ReadRecord } from '../../../streams/read-record.ts'
import { applyTick, type ChainState, EMPTY_CHAIN, forgetOldHeads } from './chain-state.ts'
import {
  anewSince,
  type Cursor,
  isCutSince,
  keptCursor,
  startFrom,
  type TableBegins,
  type TopicIdsOfClock,
  topicIdsOf,
} from './clock-cursor.ts'
import type { ClockMarkets } from './clock-markets.ts'
import { JudgedRows, type PlacedRequest } from './market-proof.ts'
import type { SlotTable } from './slot-table.ts'
import type { ClockTopics } from './tick-log.ts'
import { PARTITION, readAll, type TopicReading } from './tick-log.ts'

const FORGET_EVERY = 256
/** Rows of markets that one opening writes again, the newest: of others nobody hears until the next. None of them counts. */
const MENDED_MAX = 256

export interface PlaceObserver {
  readonly unreadable?: OnUnreadable
  /** The log begins behind offsets that the clock goes on from: somebody has deleted rows of a table, or ticks have expired. */
  readonly recordsGone?: (gone: RecordsGone) => void
}

export interface RecordsGone {
  readonly topic: string
  /** First offset that is missed. */
  readonly from: number
  /** Where the topic begins. */
  readonly start: number
  /** In words. */
  readonly consequence: string
}

export interface PlaceOptions {
  /** With the cursors. */
  readonly group: string
  readonly topics: ClockTopics
  readonly reorgDepthMax: number
  readonly observer?: PlaceObserver | undefined
}

export interface OpenedPlace {
  readonly ids: TopicIdsOfClock | undefined
  readonly begins: TableBegins
  readonly cursor: Cursor | undefined
  /** The chain as the ticks tell it. */
  readonly chain: ChainState
  /** Where `slots` and `epoch-ticks` end. */
  readonly rowsEnd: number
  readonly ticksEnd: number
  /** Offsets of the next requests. */
  readonly requestsNext: number
  readonly marketRequestsNext: number
}

const SLOTS_GONE = 'all slots are read again, and have no owners of before'
const MARKETS_GONE = 'all requests for markets that are left are decided again'
const TICKS_GONE = 'an epoch that was open then, and whose OPEN is among them, is never closed'

/** Reads it, and fills the tables. @throws LogError */
export async function readPlace(
  { group, topics, reorgDepthMax, observer }: PlaceOptions,
  reading: TopicReading,
  tables: { readonly slots: SlotTable; readonly markets: ClockMarkets },
): Promise<OpenedPlace> {
  const { log } = reading
  const { epochTicks, tickRequests, marketRequests, slots, markets } = topics
  const at = ({ name: topic }: { readonly name: string }) => ({ topic, partition: PARTITION })
  const ids = await topicIdsOf(log, topics) // before they are read: one made anew meanwhile is found next time
  const counted = [epochTicks, slots, markets, marketRequests].map(at)
  const [ofTicks, slotBounds, marketBounds, requestBounds] = await log.bounds(counted)
  const begins = { slots: slotBounds!.start, markets: marketBounds!.start }
  const rowsEnd = await readAll(reading, slots, 0, ({ value }) => {
    if (value) tables.slots.load(value)
  })
  const kept = [epochTicks, tickRequests, marketRequests, slots].map(at)
  const [committed, answered, decided, ofSlots] = await log.committedOffsets(group, kept)
  const found = keptCursor(committed, [answered, decided, ofSlots], ids)
  const isAnew = anewSince(found?.ids, ids)
  const isCut = (table: keyof TableBegins, consequence: string): boolean => {
    if (!isCutSince(found?.begins, begins, table)) return false
    const gone = { topic: topics[table].name, from: found!.begins![table], start: begins[table], consequence }
    observer?.recordsGone?.(gone)
    return true
  }
  // A table that is gone is read from the chain again; one of markets is decided again, from the requests.
  const isSlotsGone = isAnew('slots') || rowsEnd === 0 || isCut('slots', SLOTS_GONE)
  const isMarketsGone = isAnew('marketRequests', 'markets') || isCut('markets', MARKETS_GONE)
  const decidedTo = isMarketsGone ? 0 : (decided?.next ?? 0)
  const areRequestsWhole = !isAnew('marketRequests') && requestBounds!.start === 0
  const marketRequestsNext = await loadMarkets(reading, topics, tables.markets, { decidedTo, areRequestsWhole })
  const cursor = found && isSlotsGone ? { ...found, slotsReadAt: undefined } : found
  // Without a cursor (someone reset the offset) the whole topic is read: what has ticks is gone on from.
  const goesOn = cursor !== undefined && !isAnew('epochTicks')
  const from = goesOn ? committed!.next : 0
  const { start } = ofTicks!
  if (goesOn && start > from) observer?.recordsGone?.({ topic: epochTicks.name, from, start, consequence: TICKS_GONE })
  let chain = EMPTY_CHAIN
  const ticksEnd = await readAll(reading, epochTicks, from, ({ offset, value }) => {
    chain = applyTick(chain, value!, offset)
    if (offset % FORGET_EVERY === 0) chain = forgetOldHeads(chain, reorgDepthMax)
  })
  return {
    ids,
    begins,
    cursor,
    chain: startFrom(cursor, forgetOldHeads(chain, reorgDepthMax)),
    rowsEnd,
    ticksEnd,
    requestsNext: isAnew('tickRequests') ? 0 : (answered?.next ?? 0),
    marketRequestsNext,
  }
}

/**
 * Fills the table of markets with the rows that rest on requests. Another one is told, and the row before it is written again; where that
 * is not in the log any more, the request is decided again.
 * @returns offset of the next request to decide on
 */
async function loadMarkets(
  reading: TopicReading,
  { markets: topic, marketRequests }: ClockTopics,
  markets: ClockMarkets,
  { decidedTo, areRequestsWhole }: { readonly decidedTo: number; readonly areRequestsWhole: boolean },
): Promise<number> {
  const newest = new Map<string, PlacedRequest>()
  let isWhole = areRequestsWhole
  const damaged = () => {
    isWhole = false
  }
  const take = ({ key, value, offset }: ReadRecord<MarketKey, MarketRequest>) => {
    if (value) newest.set(key.dataMarket, { ...value, offset })
  }
  await readAll(reading, marketRequests, 0, take, { damaged })
  const rows = new JudgedRows(isWhole ? { newest, decidedTo } : undefined)
  await readAll(reading, topic, 0, ({ key, value: row, offset }) => {
    if (row) rows.take({ dataMarket: key.dataMarket, offset, row })
  })
  for (const [dataMarket, row] of rows.founded) markets.load(dataMarket, row)
  let next = decidedTo
  for (const { dataMarket, offset, why } of [...rows.unfounded.values()].slice(-MENDED_MAX)) {
    reading.tell({ topic: topic.name, partition: PARTITION, offset, reason: 'forged', why })
    const row = rows.founded.get(dataMarket)
    markets.mend(dataMarket, row)
    if (!row) next = Math.min(next, newest.get(dataMarket)?.offset ?? next)
  }
  return next
}
