/**
 * `npm run alerts`: every fault against every alert, with a real Prometheus; prints the table. `--scale 1` leaves the times of
 * the rules as they are, `--hold 60` keeps a fault for so many seconds after its alert.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installMissing } from '../../../real/debian.ts'
import { FAULTS, SCALE, settle, tryFault } from './faults.ts'
import { startPrometheus } from './server.ts'
import { startWorld } from './world.ts'

/** The hold is longer than the slowest symptom takes: an epoch is stuck after 18 s, a node fails after 30 s. */
const { values } = parseArgs({
  options: { scale: { type: 'string', default: String(SCALE) }, hold: { type: 'string', default: '40' } },
})
const [scale, holdMs] = [Number(values.scale), Number(values.hold) * 1_000]

installMissing(['prometheus'])
const directory = mkdtempSync(join(tmpdir(), 'sequencer-alerts-'))
const world = await startWorld(join(directory, 'data'))
const prometheus = await startPrometheus(join(directory, 'prometheus'), world.targets, scale)
let wrong = 0
try {
  console.log('| fault | fired | after | cleared after mending |\n|---|---|---|---|')
  const atRest = await settle(prometheus, 5)
  console.log(`| none, from the first sample to the fifth epoch | ${atRest.join(', ') || 'nothing'} | | |`)
  wrong += atRest.length
  for (const fault of FAULTS) {
    const { fired, secondsToFire, secondsToClear } = await tryFault(fault, world, prometheus, holdMs)
    if (fired.join() !== fault.alert) wrong++
    console.log(
      `| ${fault.name} | ${fired.join(', ')} | ${secondsToFire.toFixed(0)} s | ${secondsToClear.toFixed(0)} s |`,
    )
  }
} finally {
  await prometheus.close()
  await world.close()
  rmSync(directory, { recursive: true, force: true })
}
process.exit(wrong === 0 ? 0 : 1)
