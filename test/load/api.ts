/**
 * `npm run bench:api`: reads of the query API at a fixed rate while epochs close. Requests start when the clock says so,
 * whether or not the ones before are answered, so a stall shows in every request that it delays.
 *
 * The server, its view and the log are in this process; the load comes from another one, over loopback.
 */
import { fork } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { systemClock } from '../../connectors/log/system-clock.ts'
import { createStory, startApi } from '../ops/api/story.ts'
import type { LoadReport } from './api-load.ts'

const SLOTS = 200
const EPOCHS_BEFORE = 50
const EPOCH_MS = 1_000
const { values } = parseArgs({
  options: { rate: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '20' } },
})

const story = await createStory()
const filled = performance.now()
for (let epochId = 1; epochId <= EPOCHS_BEFORE; epochId++) await story.epoch(epochId, SLOTS)
const building = performance.now()
const api = await startApi(story.fixture)
await api.caughtUp()
const built = performance.now()
await api.server.listen({ host: '127.0.0.1', port: 0 })
const { port } = api.server.server.address() as AddressInfo

let going = true
let closed = 0
const goesOn = (async () => {
  for (let epochId = EPOCHS_BEFORE + 1; going; epochId++) {
    await story.epoch(epochId, SLOTS)
    closed++
    await systemClock.sleep(EPOCH_MS)
  }
})()
const used = process.cpuUsage()
const load = fork(new URL('api-load.ts', import.meta.url), [String(port), values.rate, values.seconds])
const report = await new Promise<LoadReport>((resolve, reject) => {
  load.on('message', (message) => resolve(message as LoadReport))
  load.on('exit', (code) => reject(new Error(`the load ended with ${code}`)))
})
const { user, system } = process.cpuUsage(used)
going = false
await goesOn
await api.close()

const ms = (value: number): string => `${value.toFixed(1)} ms`
const rows = EPOCHS_BEFORE * (2 * SLOTS + 10)
const core = (user + system) / 1e6 / report.seconds
process.stdout.write(
  [
    `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, load average ${loadavg()[0]!.toFixed(1)}`,
    `${EPOCHS_BEFORE} epochs of ${SLOTS} submissions written in ${ms(building - filled)}; the view built from about ${rows} records in ${ms(built - building)}`,
    `${report.sent} requests at ${values.rate}/s for ${values.seconds} s, ${closed} epochs of ${SLOTS} submissions closed meanwhile`,
    `answered ${report.answered} (${report.failed} not with 200 or 304), ${(report.answered / report.seconds).toFixed(0)}/s`,
    `p50 ${ms(report.p50)}, p99 ${ms(report.p99)}, max ${ms(report.max)}; the server's process used ${core.toFixed(2)} cores`,
    '',
  ].join('\n'),
)
process.exitCode = report.failed > 0 ? 1 : 0
