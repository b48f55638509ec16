/**
 * A sequencer on a real broker, registry and chain, in three processes with different roles: deployed by plan, epochs
 * anchored while one process is replaced and another is killed, ended by SIGTERM, audited from the cluster, taken away again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { auditClean } from '../audit-clean.ts'
import { readLedger } from '../ledger.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const EPOCHS = 4
const SPLIT = {
  edge: 'intake,api,validate,settle',
  middle: 'clock,tick-fanout,admit,batch',
  chain: 'consensus,anchor,anchor-effects',
}

const directory = mkdtempSync(join(tmpdir(), 'sequencer-run-'))
let world: ClusterWorld
const processes = new Map<string, StartedSequencer>()

beforeAll(async () => {
  world = await startClusterWorld(directory)
}, 900_000)
afterAll(async () => {
  for (const { child } of processes.values()) child.kill('SIGKILL')
  await world?.close()
  rmSync(directory, { recursive: true, force: true })
})

const onCluster = (...args: string[]) => runSequencer([...args, '--config', world.config])
const start = (name: keyof typeof SPLIT, config = world.config): StartedSequencer => {
  const roles = ['--roles', SPLIT[name], '--instance-id', name]
  const started = startSequencer(['run', '--config', config, '--json', ...roles])
  processes.set(name, started)
  return started
}
/** Ends a process and starts it again, as an orchestrator does. */
async function replace(name: keyof typeof SPLIT, signal: NodeJS.Signals) {
  const { child, finished } = processes.get(name)!
  child.kill(signal)
  const run = await finished
  await start(name).waitFor(({ event }) => event === 'running')
  return run
}
const goodOnes = () => readLedger(directory).filter(({ kind }) => kind === 'good')
const readyOf = async ({ waitFor }: StartedSequencer) => {
  const { ops } = (await waitFor(({ event }) => event === 'running')) as unknown as { ops: string }
  const answer = await fetch(`${ops}/readyz`)
  return { status: answer.status, ...((await answer.json()) as { ready: boolean; roles: Record<string, unknown> }) }
}

describe('deploy', () => {
  test('error: nothing runs before it is deployed', async () => {
    const run = await onCluster('run', '--roles', 'api')
    expect(run.exitCode).toBe(3)
    expect(run.stderr).toContain(`nothing is deployed under the app id ${world.appId}`)
  })

  test('default: a plan, applied, leaves nothing to do', async () => {
    const plan = await onCluster('deploy', 'plan', '--json')
    expect(plan.exitCode, plan.stderr).toBe(1)
    const changes = JSON.parse(plan.stdout) as { class: string }[]
    expect(new Set(changes.map((change) => change.class))).toEqual(new Set(['create']))
    const applied = await onCluster('deploy', 'apply')
    expect(applied.exitCode, applied.stderr).toBe(0)
    expect(applied.stdout).toBe(`Done: ${changes.length} created.\n`)
    const again = await onCluster('deploy', 'plan')
    expect(again.stdout).toMatch(/^Nothing to do: the cluster is as it should be.\n/)
    expect(again.exitCode).toBe(0)
    expect((await onCluster('deploy', 'apply')).exitCode).toBe(0)
  })

  test('error: a second app id on the same prefix is refused, and nothing is made for it', async () => {
    for (const command of [
      ['deploy', 'plan'],
      ['deploy', 'apply'],
    ]) {
      const other = await onCluster(...command, '--app-id', 'second')
      expect(other.exitCode, other.stderr).toBe(1)
      expect(other.stdout).toContain(`belong to the app id ${world.appId}, not to second`)
      expect(other.stdout).toContain('1 refused.')
    }
    const destroyed = await onCluster('deploy', 'destroy', '--yes-delete', '--app-id', 'second')
    expect(destroyed.exitCode).toBe(2)
    expect(destroyed.stderr).toContain('belong to the app id')
  })
})

describe('run', () => {
  test(`default: three processes anchor ${EPOCHS} epochs, while one is replaced and one is killed`, async () => {
    const [edge] = (Object.keys(SPLIT) as (keyof typeof SPLIT)[]).map((name) => start(name))
    const { intake } = (await edge!.waitFor(({ event }) => event === 'running')) as unknown as { intake: string[] }
    await Promise.all([...processes.values()].map(({ waitFor }) => waitFor(({ event }) => event === 'running')))
    await world.startEpochs()
    const load = world.snapshotters(intake[0]!, EPOCHS)
    expect((await replace('middle', 'SIGTERM')).exitCode).toBe(0)
    expect((await replace('chain', 'SIGKILL')).signal).toBe('SIGKILL')
    const { exitCode, stderr } = await load.finished
    expect(exitCode, stderr).toBe(0)
    const last = Math.max(...goodOnes().map(({ epochId }) => epochId))
    await edge!.waitFor(({ event, epochId }) => event === 'anchored' && epochId === last)
    for (const [name, started] of processes)
      await vi.waitFor(async () => expect(await readyOf(started), name).toMatchObject({ status: 200, ready: true }), {
        timeout: 30_000,
        interval: 500,
      })
  })

  test('behavior: only the roles of a process are in its health, and its metrics are its own', async () => {
    const { roles } = await readyOf(processes.get('chain')!)
    // `storage` is a part of the role that stores batches
    expect(Object.keys(roles).sort()).toEqual([...SPLIT.chain.split(','), 'storage'].sort())
  })

  test('error: a process with other rules is turned away, and a plan says to stop the others first', async () => {
    const market = { dataMarket: world.chain.markets[0], votesMin: 2 }
    const config = world.configWith({ markets: [market] })
    const other = await runSequencer(['run', '--config', config, '--roles', 'validate', '--instance-id', 'other'])
    expect(other.exitCode, other.stderr).toBe(2)
    expect(other.stderr).toContain('rules.markets.0.votesMin 1 → 2')
    const plan = await runSequencer(['deploy', 'plan', '--config', config, '--json'])
    expect(JSON.parse(plan.stdout)).toMatchObject([{ class: 'drain', kind: 'settings' }])
  })

  test('error: a cluster in use is not taken away', async () => {
    const destroyed = await onCluster('deploy', 'destroy', '--yes-delete')
    expect(destroyed.exitCode).toBe(1)
    expect(destroyed.stderr).toContain('processes still run')
  })

  test('behavior: look-ups and the audit read the cluster while it runs', async () => {
    const { submissionId, epochId } = goodOnes()[0]!
    const [epoch, why] = await Promise.all([
      onCluster('epoch', String(epochId), '--json'),
      onCluster('why', '--submission-id', submissionId, '--json'),
    ])
    expect(JSON.parse(epoch.stdout), epoch.stderr).toMatchObject({ items: [{ epochId }], unread: null })
    expect(JSON.parse(why.stdout).items, why.stderr).toMatchObject([{ submissionId }])
  })

  test('behavior: SIGTERM ends each cleanly, and the audit of cluster and contract is clean', async () => {
    for (const { child } of processes.values()) child.kill('SIGTERM')
    for (const [name, { finished }] of processes) {
      const { exitCode, stderr, stdout } = await finished
      expect(exitCode, `${name}: ${stderr}`).toBe(0)
      expect(stdout, name).not.toContain('did not close cleanly')
    }
    const report = await auditClean('--config', world.config)
    expect(report.acknowledged).toBeGreaterThan(0)
    expect(report.epochsOnChain).toBeGreaterThanOrEqual(EPOCHS)
  })
})

describe('destroy', () => {
  test('default: only what carries our names goes', async () => {
    const shown = await onCluster('deploy', 'destroy')
    expect(shown.exitCode).toBe(1)
    expect(shown.stdout).toContain('Nothing was deleted')
    const destroyed = await onCluster('deploy', 'destroy', '--yes-delete')
    expect(destroyed.exitCode, destroyed.stderr).toBe(0)
    for (const line of destroyed.stdout.trim().split('\n')) expect(line).toContain(world.appId)
    expect((await onCluster('deploy', 'destroy')).stdout).toBe('Nothing of this sequencer is there.\n')
  })
})
