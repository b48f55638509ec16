/**
 * `npm run bench:api`: reads of the query API at a fixed rate while epochs close. Requests start when the clock says so,
 * whether or not the ones before are answered, so a stall shows in every request that it delays.
 *
 * The server, its view and the log in memory are in this process; the load comes from another one, over loopback.
 */
import { fork } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { systemClock } from '../../connectors/system-clock.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import type { OutgoingRecord } from '../../streams/ports.ts'
import { createStory, startApi } from '../ops/api/story.ts'
import { createFixture } from '../ops/look/fixture.ts'
import type { LoadReport } from './api-load.ts'

const SLOTS = 200
const EPOCHS_BEFORE = 50
const EPOCH_MS = 1_000
/** Without requests, to know what following the log costs. */
const QUIET_SECONDS = 5
const { values } = parseArgs({
  options: { rate: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '20' } },
})

const seconds = Number(values.seconds)
const fixture = await createFixture()
const { epochs, append } = await recordEpochs(EPOCHS_BEFORE + 3 * seconds + QUIET_SECONDS)
for (const records of epochs.splice(0, EPOCHS_BEFORE)) await append(records)
const building = performance.now()
const api = await startApi(fixture)
await api.caughtUp()
const built = performance.now()
await api.server.listen({ host: '127.0.0.1', port: 0 })
const { port } = api.server.server.address() as AddressInfo

let going = true
let closed = 0
const goesOn = (async () => {
  while (going && closed < epochs.length) {
    await append(epochs[closed++]!)
    await systemClock.sleep(EPOCH_MS)
  }
})()
const quiet = process.cpuUsage()
await systemClock.sleep(QUIET_SECONDS * 1_000)
const following = coresSince(quiet, QUIET_SECONDS)
const closedBefore = closed
const used = process.cpuUsage()
const load = fork(new URL('api-load.ts', import.meta.url), [String(port), values.rate, values.seconds])
const report = await new Promise<LoadReport>((resolve, reject) => {
  load.on('message', (message) => resolve(message as LoadReport))
  load.on('exit', (code) => reject(new Error(`the load ended with ${code}`)))
})
const cores = coresSince(used, report.seconds)
going = false
await goesOn
await api.close()

/** The records of epochs, made before anything is measured; appended in this order they lie where they say they do. */
async function recordEpochs(count: number) {
  const appender = await fixture.log.appender()
  const ends = new Map<string, number>()
  const recorded: OutgoingRecord[][] = []
  const story = await createStory({
    ...fixture,
    async put(topic, key, value) {
      const keyBytes = topic.key.encode(key)
      const partition = partitionFor(keyBytes, topic.partitions)
      const place = `${topic.name}/${partition}`
      const offset = ends.get(place) ?? 0
      ends.set(place, offset + 1)
      const bytes = { key: keyBytes, value: topic.value.encode(value) }
      recorded.at(-1)!.push({ topic: topic.name, partition, timestamp: 0, ...bytes })
      return { partition, offset }
    },
  })
  for (let epochId = 1; epochId <= count; epochId++) {
    recorded.push([])
    await story.epoch(epochId, SLOTS)
  }
  return { epochs: recorded, append: (records: readonly OutgoingRecord[]) => appender.append(records) }
}

function coresSince(before: NodeJS.CpuUsage, inSeconds: number): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6 / inSeconds
}

const ms = (value: number): string => `${value.toFixed(2)} ms`
const rows = EPOCHS_BEFORE * (2 * SLOTS + 10)
const perRequest = ((cores - following) * report.seconds * 1_000) / report.answered
process.stdout.write(
  [
    `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, load average ${loadavg()[0]!.toFixed(1)}`,
    `the view of ${EPOCHS_BEFORE} epochs of ${SLOTS} submissions built from about ${rows} records in ${ms(built - building)}`,
    `${report.sent} requests at ${values.rate}/s for ${values.seconds} s, ${closed - closedBefore} epochs of ${SLOTS} submissions closed meanwhile`,
    `answered ${report.answered} (${report.failed} not with 200 or 304), ${(report.answered / report.seconds).toFixed(0)}/s`,
    `p50 ${ms(report.p50)}, p99 ${ms(report.p99)}, max ${ms(report.max)}`,
    `the server's process used ${cores.toFixed(2)} cores, without requests ${following.toFixed(2)}: ${ms(perRequest)} a request`,
    '',
  ].join('\n'),
)
process.exitCode = report.failed > 0 ? 1 : 0
