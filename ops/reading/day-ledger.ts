/** The days that the log keeps, read from its topics: for commands on a log on which nothing runs. */
import type { DayKey, SlotDay } from '../../schemas/types.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import type { Log } from '../../streams/ports.ts'
import { type ReadRecord, readRecords } from '../../streams/read-record.ts'
import type { Topics } from '../../topology/topics.ts'
import { type DayFacts, type DayStatus, dayStatus, type RunPart, type SlotDayStatus, slotDayStatus } from './day.ts'
import { exists } from './market-rows.ts'
import { silently } from './read.ts'
import { scanTopic } from './scan.ts'

export interface DayLedger {
  /** Days of every market, newest first. */
  readonly days: readonly DayStatus[]
  /** Ascending. */
  slotsOf(key: DayKey): readonly SlotDayStatus[]
}

interface Known extends DayFacts {
  readonly key: DayKey
  readonly slots: Map<number, SlotDay>
  readonly parts: { readonly told: Map<string, RunPart>; readonly closing: Map<string, RunPart> }
}

/** A log that is older than the ledger has no days. */
export async function readDays(log: Log, topics: Topics): Promise<DayLedger> {
  const known = new Map<string, Known>()
  const of = (key: DayKey): Known => {
    const id = idOf(key)
    const found = known.get(id) ?? newDay(key)
    known.set(id, found)
    return found
  }
  for await (const { key, value, timestamp } of recordsOf(log, topics.days))
    if (value === null) known.delete(idOf(key))
    else known.set(idOf(key), { ...of(key), row: value, changedAt: timestamp })
  const isKept = (key: DayKey): boolean => known.has(idOf(key)) // the others are gone, or their tombstones were
  for await (const { key, value } of recordsOf(log, topics.slotDays))
    if (!isKept(key)) continue
    else if (value === null) of(key).slots.delete(key.slotId)
    else of(key).slots.set(key.slotId, value)
  for await (const { key, value: payout } of recordsOf(log, topics.payouts)) {
    const day = { dataMarket: key.dataMarket, day: payout?.payoutOf ?? 0 }
    if (payout?.purpose !== 'CLOSING' || !isKept(day)) continue
    const { epochId, number } = payout
    of(day).parts.closing.set(callOf({ epochId, number }), { epochId, number, payout, payment: undefined })
  }
  for await (const { key, value: payment } of recordsOf(log, topics.payments)) {
    if (!payment || !isKept(key)) continue
    const { epochId, number } = key
    const parts = of(key).parts[payment.purpose === 'CLOSING' ? 'closing' : 'told']
    parts.set(callOf(key), { epochId, number, payout: parts.get(callOf(key))?.payout, payment })
  }
  return ledgerOf([...known.values()].map(withRuns))
}

const idOf = ({ dataMarket, day }: DayKey): string => `${dataMarket}/${day}`
const callOf = ({ epochId, number }: { epochId: number; number: number }): string => `${epochId}/${number}`
const newDay = (key: DayKey): Known => ({
  key,
  row: undefined,
  began: undefined,
  changedAt: null,
  told: [],
  closing: [],
  slots: new Map(),
  parts: { told: new Map(), closing: new Map() },
})

async function* recordsOf<K, V>(log: Log, topic: KafkaTopic<K, V>): AsyncGenerator<ReadRecord<K, V>> {
  if (!(await exists(log, topic.name))) return
  for await (const { partition, records } of scanTopic(log, topic, silently))
    yield* readRecords(topic, partition, records, silently)
}

function withRuns(day: Known): Known {
  const inOrder = (parts: Iterable<RunPart>): RunPart[] =>
    [...parts].sort((a, b) => a.epochId - b.epochId || a.number - b.number)
  const told = inOrder(day.parts.told.values())
  const newest = told.at(-1)?.epochId
  const newestRun = told.filter(({ epochId }) => epochId === newest)
  return { ...day, told: newestRun, closing: inOrder(day.parts.closing.values()) }
}

function ledgerOf(known: readonly Known[]): DayLedger {
  const statuses = new Map(known.map((day) => [idOf(day.key), dayStatus(day.key, day)]))
  const byId = new Map(known.map((day) => [idOf(day.key), day]))
  return {
    days: [...statuses.values()].sort(newestFirst),
    slotsOf(key) {
      const [day, status] = [byId.get(idOf(key)), statuses.get(idOf(key))]
      if (!day || !status) return []
      const slots = [...day.slots].sort(([a], [b]) => a - b)
      return slots.map(([slotId, row]) => slotDayStatus(status, slotId, row, day.closing))
    },
  }
}

/** By the newest epoch: the owner of a market may put the day counter back. */
const newestFirst = (a: DayStatus, b: DayStatus): number =>
  a.dataMarket === b.dataMarket
    ? (b.lastEpoch ?? 0) - (a.lastEpoch ?? 0) || b.day - a.day
    : a.dataMarket < b.dataMarket
      ? -1
      : 1
