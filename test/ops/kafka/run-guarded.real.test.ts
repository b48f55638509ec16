/**
 * The settings that `run.real.test.ts` leaves at their defaults, all at once: TLS, a login by SCRAM, transactions as before
 * KIP-890, and warm copies of each task's state in another process, which takes over when one is killed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STAGES } from '../../../ops/base/roles.ts'
import { PASSWORD, type SecureBroker, startSecureBroker, USER } from '../../real/secure-broker.ts'
import { auditClean } from '../audit-clean.ts'
import { readLedger } from '../ledger.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const EPOCHS = 3
const ROLES = { edge: ['intake', 'api', ...STAGES], inner: ['clock', 'anchor-effects', ...STAGES] }

const directory = mkdtempSync(join(tmpdir(), 'sequencer-guarded-'))
const processes: StartedSequencer[] = []
let broker: SecureBroker
let world: ClusterWorld
let config: string

beforeAll(async () => {
  broker = await startSecureBroker(directory)
  world = await startClusterWorld(directory, [broker.address])
  const [caFile, passwordFile] = [join(directory, 'ca.pem'), join(directory, 'password')]
  writeFileSync(caFile, broker.certificate)
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 })
  config = world.configWith({
    kafka: {
      ...{ brokers: [broker.address], replicationFactor: 1, minInsyncReplicas: 1 },
      ...{ transactions: 'v1', standbys: 1 },
      tls: { enabled: true, caFile },
      sasl: { mechanism: 'scram-sha-512', username: USER, passwordFile },
    },
  })
}, 900_000)
afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL')
  await world?.close()
  await broker?.kafka.close()
  rmSync(directory, { recursive: true, force: true })
})

const onCluster = (...args: string[]) => runSequencer([...args, '--config', config])
async function start(name: keyof typeof ROLES) {
  const roles = ['--roles', ROLES[name].join(), '--instance-id', name]
  const started = startSequencer(['run', '--config', config, '--json', ...roles])
  processes.push(started)
  return { ...started, running: await started.waitFor(({ event }) => event === 'running') }
}

test(`default: ${EPOCHS} epochs are anchored, while one of two processes is killed, and the audit is clean`, async () => {
  const applied = await onCluster('deploy', 'apply')
  expect(applied.exitCode, applied.stderr).toBe(0)
  const [edge, inner] = await Promise.all([start('edge'), start('inner')])
  await world.startEpochs()
  const load = world.snapshotters((edge.running.intake as string[])[0]!, EPOCHS)
  await edge.waitFor(({ event }) => event === 'anchored')
  inner.child.kill('SIGKILL')
  await inner.finished
  const again = await start('inner')
  expect((await load.finished).exitCode).toBe(0)
  const good = readLedger(directory).filter(({ kind }) => kind === 'good')
  const last = Math.max(...good.map(({ epochId }) => epochId))
  await edge.waitFor(({ event, epochId }) => event === 'anchored' && epochId === last)
  for (const { child, finished } of [edge, again]) {
    child.kill('SIGTERM')
    const { exitCode, stderr } = await finished
    expect(exitCode, stderr).toBe(0)
  }
  const report = await auditClean('--config', config)
  expect(report.epochsOnChain).toBeGreaterThanOrEqual(EPOCHS)
  expect(report.acknowledged).toBeGreaterThan(0)
})
