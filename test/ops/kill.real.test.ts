import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startAnvil } from '../../ops/world/chain/anvil.ts'
import { newFolder } from '../folder.ts'
import { auditClean } from './audit-clean.ts'
import { paidDays, paymentsTold } from './days-paid.ts'
import { chainOfDev } from './dev-chain.ts'
import { seededRandom } from './random.ts'
import { runSequencer, startSequencer } from './run-sequencer.ts'

const KILLS = Number(process.env.KILLS ?? 25)
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000)
/** Up to this long after the process said that it runs, the kill falls. */
const KILL_WITHIN_MS = 4_000
/** A process that is killed so soon releases an epoch or two, so that a day ends every few kills. */
const DAY_EPOCHS = 5
/** By the last process, which nobody kills. */
const LAST_DAYS = 2

const directory = newFolder()
const ports = ['--listen-port', '0', '--ops-port', '0', '--chain-port', '0']
const days = ['--day-epochs', `${DAY_EPOCHS}`, '--day-quota', '1']
const dev = ['dev', '--data-dir', directory, '--json', ...ports, ...days]

describe('dev under kill -9', () => {
  it(`behavior: ${KILLS} kills lose, double and skip nothing, and each day is paid once (KILL_SEED=${SEED})`, {
    timeout: 20 * 60_000,
  }, async () => {
    console.log(`KILL_SEED=${SEED}`)
    const random = seededRandom(SEED)
    for (let kill = 0; kill < KILLS; kill++) {
      const run = startSequencer(dev)
      // every third kill falls while the process is still starting, the others under load
      if (kill % 3 !== 0) await run.waitFor(({ event }) => event === 'running')
      await new Promise((resolve) => setTimeout(resolve, random() * KILL_WITHIN_MS))
      run.child.kill('SIGKILL')
      const { signal, stderr } = await run.finished
      expect(signal, stderr).toBe('SIGKILL')
    }
    const last = await runSequencer([...dev, '--epochs', `${LAST_DAYS * DAY_EPOCHS}`])
    expect(last.exitCode, last.stderr).toBe(0)
    const report = await auditClean('--data-dir', directory)
    console.log(`after ${KILLS} kills: ${JSON.stringify(report)}`)
    expect(report.epochsAnchored).toBeGreaterThan(3)
    expect(report.epochsOnChain).toBeGreaterThan(3)
    const { days, wrong } = await paidDays(await paymentsOfChain(), '--data-dir', directory)
    console.log(`days paid: ${JSON.stringify(days)}`)
    expect(wrong).toEqual([])
    expect(days.length).toBeGreaterThan(LAST_DAYS)
  })
})

async function paymentsOfChain() {
  const node = await startAnvil({ ...chainOfDev, directory: join(directory, 'chain'), port: 0 })
  try {
    return await paymentsTold(node.rpcUrl)
  } finally {
    await node.close()
  }
}
