/** The stores of a process that anchors: what is given to them, and what is said of them. */
import { type BatchStorage, createStorage, STORAGE_DEFAULTS } from '../../../connectors/ipfs/storage.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Health } from '../../base/health.ts'
import type { EventLog } from '../../watch/logging/log.ts'
import type { Metrics } from '../../watch/metrics/create.ts'
import { openKeepers, requiredOf, type StorageConfig } from './keepers.ts'
import { checkOnSchedule } from './schedule.ts'
import { watchStorage } from './watch.ts'

export interface StoragePorts {
  readonly metrics: Metrics
  readonly health: Health
  readonly log: EventLog
  readonly topics: Topics
  /** Where the batches lie that a store lacks. */
  readonly records: Log
  /** Batches given to one store at once. */
  readonly atOnce?: number | undefined
}

export interface RunningStorage {
  readonly batches: BatchStorage
  /** This process stores, or no longer. */
  readonly owning: (owns: boolean) => void
  close(): Promise<void>
}

const CHECK_HOURS = 24

/** Writing a batch and reading it back, each within the time of a request; beyond that a store has let go of it. */
const REQUESTS_OF_ATTEMPT = 3

export async function startStorage(config: StorageConfig, ports: StoragePorts): Promise<RunningStorage> {
  const keepers = await openKeepers(config)
  const required = requiredOf(config)
  const watch = watchStorage(keepers, required, { ...ports, now: systemClock.now })
  const { timeoutMs } = config
  const tuning = {
    atOnce: ports.atOnce ?? STORAGE_DEFAULTS.atOnce,
    ...(timeoutMs !== undefined && { attemptMs: REQUESTS_OF_ATTEMPT * timeoutMs }),
  }
  const options = { version: config.cidVersion, keepers, required, ...tuning }
  const batches = createStorage(options, { clock: systemClock, observer: watch.observer })
  const abort = new AbortController()
  let owner = false
  const checking = checkOnSchedule(
    { checkMinutes: 0, checkHours: CHECK_HOURS, keepDays: 0, ...config },
    {
      ...{ keepers, batches, clock: systemClock, signal: abort.signal, owns: () => owner },
      ...{ log: ports.records, topics: ports.topics, metrics: ports.metrics, events: ports.log },
    },
  )
  return {
    batches,
    owning(owns) {
      owner = owns
      watch.owning(owns)
    },
    async close() {
      abort.abort()
      await Promise.all([batches.close(), checking])
    },
  }
}
