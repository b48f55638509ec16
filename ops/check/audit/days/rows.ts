/** The rows of the ledger, the newest of each key. */
import type { Day, SlotDay } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import { readRecords } from '../../../../streams/read-record.ts'
import type { Topics } from '../../../../topology/topics.ts'
import { exists } from '../../../reading/market-rows.ts'
import { scanTopic } from '../../../reading/scan.ts'
import type { Findings } from '../report.ts'

/** Rows of one day in the log. */
export interface FoundDay {
  day: Day | undefined
  /** By slot; some 100 bytes each, of as many days as the rule `daysKept` keeps. */
  readonly slots: Map<number, SlotDay>
}

/** Market → day → what is there. */
export type FoundDays = ReadonlyMap<string, Map<number, FoundDay>>

export async function readFoundDays(log: Log, topics: Topics, findings: Findings): Promise<FoundDays> {
  const found = new Map<string, Map<number, FoundDay>>()
  const at = (dataMarket: string, day: number): FoundDay => {
    const market = found.get(dataMarket) ?? new Map<number, FoundDay>()
    found.set(dataMarket, market)
    const one = market.get(day) ?? { day: undefined, slots: new Map() }
    market.set(day, one)
    return one
  }
  const { days, slotDays } = topics
  if (await exists(log, days.name))
    for await (const { partition, records } of scanTopic(log, days, findings.unreadable))
      for (const { key, value } of readRecords(days, partition, records, findings.unreadable))
        at(key.dataMarket, key.day).day = value ?? undefined
  if (await exists(log, slotDays.name))
    for await (const { partition, records } of scanTopic(log, slotDays, findings.unreadable))
      for (const { key, value } of readRecords(slotDays, partition, records, findings.unreadable)) {
        const { slots } = at(key.dataMarket, key.day)
        if (value === null) slots.delete(key.slotId)
        else slots.set(key.slotId, plain(value))
      }
  for (const market of found.values())
    for (const [day, { day: row, slots }] of market) if (!row && slots.size === 0) market.delete(day)
  return found
}

/** Without what the decoder hangs on to. */
const plain = ({ accepted, counted, lastEpoch, inPayout }: SlotDay): SlotDay => ({
  accepted,
  counted,
  lastEpoch,
  inPayout,
})
