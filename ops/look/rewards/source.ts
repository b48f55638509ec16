/** Where the command finds days: the process that runs on a directory, by its query API, or the log. */
import type { DayKey } from '../../../schemas/types.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { askRunning } from '../../ground/running-process.ts'
import type { DayStatus, SlotDayStatus } from '../../reading/day.ts'
import type { DayLedger } from '../../reading/day-ledger.ts'
import { pagesOf } from '../pages.ts'

export interface DaySource {
  /** Days of every market, or of one, newest first. */
  days(market: string | undefined): Promise<readonly DayStatus[]>
  slotsOf(key: DayKey): Promise<readonly SlotDayStatus[]>
  /** The days of a slot, as `days` has them. */
  daysOfSlot(slotId: number, market: string | undefined): Promise<readonly SlotDayStatus[]>
}

export const ledgerSource = ({ days, slotsOf }: DayLedger): DaySource => ({
  days: async (market) => daysIn(days, market),
  slotsOf: async (key) => slotsOf(key),
  daysOfSlot: async (slotId, market) =>
    daysIn(days, market).flatMap((day) => slotsOf(day).filter((slot) => slot.slotId === slotId)),
})

const daysIn = (days: readonly DayStatus[], market: string | undefined): readonly DayStatus[] =>
  days.filter(({ dataMarket }) => (market ?? dataMarket) === dataMarket)

/** Undefined when no process runs there. */
export async function runningSource(dataDir: string): Promise<DaySource | undefined> {
  const list = async <T>(path: string, market: string | undefined): Promise<readonly T[]> => {
    const items: T[] = []
    for await (const page of pagesOf<T>(dataDir, path, { market })) {
      if (page === undefined)
        throw new CliError(`the process on ${dataDir} has ended`, 'Ask again: the log answers then.', EXIT.unavailable)
      items.push(...page.items)
    }
    return items
  }
  const running = await askRunning<unknown>(dataDir, '/v1/markets', {})
  if (running === undefined) return undefined
  return {
    days: (market) => list('/v1/days', market),
    slotsOf: ({ dataMarket, day }) => list(`/v1/days/${day}/slots`, dataMarket),
    daysOfSlot: (slotId, market) => list(`/v1/slots/${slotId}/days`, market),
  }
}
