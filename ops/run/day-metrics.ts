/** Looks at the newest days every few seconds, for the metrics. It only looks on: what fails is looked at again. */
import { systemClock } from '../../connectors/system-clock.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import { newestDays } from '../api/queries/days.ts'
import type { View } from '../api/view/view.ts'
import type { Closeable } from '../base/lifecycle.ts'
import type { Metrics } from '../watch/metrics/create.ts'
import { setDays } from '../watch/metrics/days.ts'
import { DAYS_LOOKED_AT } from '../watch/metrics/table/days.ts'

/** A day takes hours, and an epoch seconds. */
const LOOK_MS = 5_000

export interface DaysWatched {
  readonly view: Pick<View, 'read'>
  readonly topics: Topics
  readonly rules: ProtocolRules
}

export function followDays({ view, topics, rules }: DaysWatched, metrics: Metrics): Closeable {
  const stop = new AbortController()
  const look = async (): Promise<void> => {
    const markets = await view.read((reader) => newestDays(reader, topics, rules, DAYS_LOOKED_AT))
    for (const market of markets) setDays(metrics, market)
  }
  const looking = (async () => {
    while (!stop.signal.aborted) {
      await look().catch(() => undefined) // the view says itself that it cannot be read
      await systemClock.sleep(LOOK_MS, stop.signal).catch(() => undefined)
    }
  })()
  return {
    async close() {
      stop.abort()
      await looking
    },
  }
}
