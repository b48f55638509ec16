/** Looks at the newest days every few seconds, for the metrics. It only looks on: what fails is looked at again. */
import { systemClock } from '../../connectors/system-clock.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import type { DaySummary } from '../api/days-schema.ts'
import { newestDays } from '../api/queries/days.ts'
import type { View } from '../api/view/view.ts'
import type { Closeable } from '../base/lifecycle.ts'
import type { Metrics } from '../watch/metrics/create.ts'
import { setDays } from '../watch/metrics/days.ts'
import { DAYS_LOOKED_AT } from '../watch/metrics/table/days.ts'

/** A day takes hours, and an epoch seconds. */
const LOOK_MS = 5_000

export interface DaysWatched {
  readonly view: Pick<View, 'read' | 'journal'>
  readonly topics: Topics
  readonly rules: ProtocolRules
}

export function followDays(watched: DaysWatched, metrics: Metrics): Closeable {
  const stop = new AbortController()
  const days = createDayLook(watched, metrics)
  const looking = (async () => {
    while (!stop.signal.aborted) {
      await days.look().catch(() => undefined) // the view says itself that it cannot be read
      await systemClock.sleep(LOOK_MS, stop.signal).catch(() => undefined)
    }
  })()
  return {
    async close() {
      stop.abort()
      days.close()
      await looking
    },
  }
}

/** Only the days of markets in which one has changed are read and decoded; how far a market is, at each look. */
export function createDayLook({ view, topics, rules }: DaysWatched, metrics: Metrics) {
  const known = new Map<string, readonly DaySummary[]>()
  /** Since the last look; of what is changed and told of while one reads, it may have seen nothing. */
  const changed = new Set<string>()
  const forget = view.journal.watch(({ days }) => {
    for (const { dataMarket } of days) changed.add(dataMarket)
  })
  return {
    async look(): Promise<void> {
      for (const dataMarket of changed) known.delete(dataMarket)
      changed.clear()
      const markets = await view.read((reader) => newestDays(reader, topics, rules, DAYS_LOOKED_AT, known))
      for (const market of markets) {
        known.set(market.dataMarket, market.days)
        setDays(metrics, market)
      }
    },
    close: (): void => void forget(),
  }
}
