/** The rows of the ledger in the stores of its task, and which of them a CLOSE has changed. */
import type { Day, DayKey, SlotDay, SlotDayKey } from '../../schemas/types.ts'
import type { OutputTypes, ProcessorContext } from '../../streams/processor.ts'
import type { LedgerStores } from '../ledger-stores.ts'
import type { MarketRules } from '../rules.ts'

export function createRows<O extends OutputTypes>(context: ProcessorContext<O>, stores: LedgerStores) {
  const slotDays = context.store(stores.slotDays)
  const days = context.store(stores.days)
  const changed = new Map<string, SlotDayKey>()

  const slotsOf = function* (dataMarket: string, day: number): Generator<readonly [slotId: number, row: SlotDay]> {
    const prefix = dayPrefix(dataMarket, day)
    for (const [key, row] of slotDays.entries()) if (key.startsWith(prefix)) yield [numberBehind(key, prefix), row]
  }

  const daysOf = (dataMarket: string): Map<number, Day> => {
    const prefix = `${dataMarket}/`
    const found = [...days.entries()].filter(([key]) => key.startsWith(prefix))
    return new Map(found.map(([key, row]) => [numberBehind(key, prefix), row]))
  }

  const putSlot = (dataMarket: string, day: number, slotId: number, row: SlotDay): void => {
    const key = `${dayPrefix(dataMarket, day)}${slotId}`
    slotDays.put(key, row)
    changed.set(key, { dataMarket, slotId, day })
  }

  const slot = (dataMarket: string, day: number, slotId: number): SlotDay | undefined =>
    slotDays.get(`${dayPrefix(dataMarket, day)}${slotId}`)

  return {
    slot,
    putSlot,
    /** In no order. A look at all rows that are kept: for the end of a day, and every so many epochs. */
    slotsOf,
    daysOf,

    putInPayout(dataMarket: string, day: number, slotId: number, inPayout: number): void {
      putSlot(dataMarket, day, slotId, { ...slot(dataMarket, day, slotId)!, inPayout })
    },

    putDay: (dataMarket: string, day: number, row: Day): void => days.put(`${dataMarket}/${day}`, row),

    /** The rows of slots that changed since it was asked last, each once. */
    takeChanged(): [SlotDayKey, SlotDay][] {
      const rows = [...changed].map(([key, name]): [SlotDayKey, SlotDay] => [name, slotDays.get(key)!])
      changed.clear()
      return rows
    },

    /** Lets the days go that had an epoch longest ago, down to `daysKept` of a market. @returns whose rows are gone */
    forgetOldest({ dataMarket, daysKept }: MarketRules): [DayKey, SlotDayKey[]][] {
      const oldest = [...daysOf(dataMarket)].sort(([, a], [, b]) => b.lastEpoch - a.lastEpoch).slice(daysKept)
      return oldest.map(([day]) => {
        const slotIds = [...slotsOf(dataMarket, day)].map(([slotId]) => slotId)
        for (const slotId of slotIds) slotDays.delete(`${dayPrefix(dataMarket, day)}${slotId}`)
        days.delete(`${dataMarket}/${day}`)
        return [{ dataMarket, day }, slotIds.map((slotId) => ({ dataMarket, slotId, day }))]
      })
    },
  }
}

const dayPrefix = (dataMarket: string, day: number): string => `${dataMarket}/${day}/`
const numberBehind = (key: string, prefix: string): number => Number(key.slice(prefix.length))
