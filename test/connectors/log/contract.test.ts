import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../../../connectors/log/embedded/embedded.ts'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { createSimulatedLog } from '../../../connectors/log/simulated/simulated.ts'
import { logContract } from '../../contract/log.ts'
import { cannot } from '../../contract/log-kit.ts'
import { PatientClock } from './patient-clock.ts'

const MAINTENANCE_INTERVAL_MS = 1_000

logContract('memory', { maintains: true, reopens: false }, async () => {
  const clock = new PatientClock(MAINTENANCE_INTERVAL_MS)
  const log = createMemoryLog({ clock, maintenanceIntervalMs: MAINTENANCE_INTERVAL_MS })
  return {
    log,
    other: log,
    now: () => clock.now(),
    maintain: (ms) => clock.maintain(ms),
    reopen: cannot,
    close: () => log.close(),
  }
})

for (const [name, tailSizeBytes] of [
  ['embedded', undefined],
  ['embedded, reading everything from disk', 0],
] as const) {
  logContract(name, { maintains: true, reopens: true }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'log-contract-'))
    const clock = new PatientClock(MAINTENANCE_INTERVAL_MS)
    const options = {
      directory,
      clock,
      maintenanceIntervalMs: MAINTENANCE_INTERVAL_MS,
      ...(tailSizeBytes !== undefined && { tailSizeBytes }),
    }
    let log = await openEmbeddedLog(options)
    return {
      log,
      other: log,
      now: () => clock.now(),
      maintain: (ms) => clock.maintain(ms),
      reopen: async () => {
        await log.close()
        log = await openEmbeddedLog(options)
        return log
      },
      close: async () => {
        await log.close()
        await rm(directory, { recursive: true })
      },
    }
  })
}

logContract('simulated, without faults', { maintains: true, reopens: false }, async () => {
  const simulation = createSimulatedLog({ seed: 1 })
  let over = false
  const limits = { stepsMax: Number.POSITIVE_INFINITY, timeMsMax: Number.POSITIVE_INFINITY }
  const running = simulation.run(() => over, limits)
  return {
    log: simulation.connect('one'),
    other: simulation.connect('two'),
    now: () => simulation.clock.now(),
    maintain: (ms) => simulation.clock.sleep(ms + 120_000),
    reopen: cannot,
    close: async () => {
      over = true
      await running
    },
  }
})
