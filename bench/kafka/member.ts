// A member of the application of handover.ts, until SIGTERM or SIGKILL. A line of JSON for each task that it opens.
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { COMMIT_INTERVAL_MS, workTopology } from './work.ts'

export interface MemberOptions {
  readonly brokers: readonly string[]
  readonly instanceId: string
  readonly appId: string
  readonly input: string
  readonly output: string
  readonly standbys: number
}

/** A task has its state and goes on. */
export interface Opened {
  readonly partition: number
  /** Changelog records that were read for it, and how long that took. */
  readonly restored: number
  readonly restoredMs: number
  /** Time of day, ms. */
  readonly at: number
}

const { brokers, instanceId, appId, input, output, standbys } = JSON.parse(process.argv[2]!) as MemberOptions
const log = await openKafkaLog({ brokers, clientId: instanceId, clock: systemClock, replicationFactor: 1 })
const runtime = new StreamsRuntime(workTopology('stateful', input, output), {
  appId,
  instanceId,
  log,
  clock: systemClock,
  commitIntervalMs: COMMIT_INTERVAL_MS,
  standbys,
  observer: {
    restored: (_stage, partition, restored, restoredMs) => {
      const opened: Opened = { partition, restored, restoredMs, at: Date.now() }
      process.stdout.write(`${JSON.stringify(opened)}\n`)
    },
  },
  onFailure: (error) => {
    throw error
  },
})
process.once('SIGTERM', async () => {
  await runtime.close()
  await log.close()
  process.exit()
})
await runtime.start()
