// One instance of the sums application on Kafka, until its parent kills it.
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

export interface SumsInstance {
  readonly brokers: readonly string[]
  readonly instanceId: string
  readonly prefix: string
  readonly transactionsVersion: 1 | 2
  readonly sessionTimeoutMs: number
  readonly standbys: number
}

const options = JSON.parse(process.argv[2]!) as SumsInstance
const { brokers, instanceId, prefix, transactionsVersion, sessionTimeoutMs, standbys } = options
const clock = systemClock
const log = await openKafkaLog({ brokers, clientId: instanceId, clock, transactionsVersion, sessionTimeoutMs })
const runtime = new StreamsRuntime(sumsTopology(sumsTopics({ prefix })), {
  appId: `${prefix}app`,
  instanceId,
  log,
  clock,
  standbys,
  purgeIntervalMs: 2_000,
  onFailure: (error) => {
    process.stdout.write(`failed ${error.stack}\n`)
    process.exit(1)
  },
})
await runtime.start()
process.stdout.write('started\n')
