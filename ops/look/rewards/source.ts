/** Where the command finds days: the process that runs on a directory, by its query API, or the log. */
import type { DayKey } from '../../../schemas/types.ts'
import type { Page } from '../../api/schema.ts'
import { askRunning } from '../../ground/running-process.ts'
import type { DayStatus, SlotDayStatus } from '../../reading/day.ts'
import type { DayLedger } from '../../reading/day-ledger.ts'

export interface DaySource {
  /** Of every market, or one, newest first. */
  days(market: string | undefined): Promise<readonly DayStatus[]>
  slotsOf(key: DayKey): Promise<readonly SlotDayStatus[]>
}

const PAGE = '500'

export const ledgerSource = ({ days, slotsOf }: DayLedger): DaySource => ({
  days: async (market) => days.filter(({ dataMarket }) => (market ?? dataMarket) === dataMarket),
  slotsOf: async (key) => slotsOf(key),
})

/** Undefined when no process runs there. */
export async function runningSource(dataDir: string): Promise<DaySource | undefined> {
  const list = async <T>(path: string, market: string | undefined): Promise<readonly T[]> => {
    const items: T[] = []
    let cursor: string | undefined
    do {
      const asked = { market, limit: PAGE, cursor }
      const page: Page<T> | undefined = await askRunning<Page<T>>(dataDir, path, asked, { items: [], next: null })
      items.push(...(page?.items ?? []))
      cursor = page?.next ?? undefined
    } while (cursor !== undefined)
    return items
  }
  const running = await askRunning<unknown>(dataDir, '/v1/markets', {})
  if (running === undefined) return undefined
  return {
    days: (market) => list('/v1/days', market),
    slotsOf: ({ dataMarket, day }) => list(`/v1/days/${day}/slots`, dataMarket),
  }
}
