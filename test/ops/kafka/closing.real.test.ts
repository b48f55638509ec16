/** How a process ends whose brokers neither answer nor refuse. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLOSE_MS_MAX } from '../../../ops/run/command.ts'
import { type Kafka, startKafka } from '../../../ops/world/brokers/start.ts'
import { runSequencer, startSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const directory = mkdtempSync(join(tmpdir(), 'sequencer-closing-'))
let kafka: Kafka
let world: ClusterWorld
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1, directory: join(directory, 'kafka') })
  world = await startClusterWorld(directory, kafka.bootstrap)
}, 900_000)
afterAll(async () => {
  await world?.close()
  await kafka?.close()
  rmSync(directory, { recursive: true, force: true })
})

const isRunning = ({ event }: { readonly event: string }): boolean => event === 'running'
const isStopping = ({ event }: { readonly event: string }): boolean => event === 'stopping'

test('behavior: SIGTERM ends it within the limit although its brokers stand still, and a second signal at once', async () => {
  expect((await runSequencer(['deploy', 'apply', '--config', world.config])).exitCode).toBe(0)
  const [patient, urgent] = ['patient', 'urgent'].map((name) =>
    startSequencer(['run', '--config', world.config, '--json', '--roles', 'admit,settle', '--instance-id', name]),
  )
  await Promise.all([patient!.waitFor(isRunning), urgent!.waitFor(isRunning)])
  const [broker] = kafka.brokers
  process.kill(broker!.pid, 'SIGSTOP')
  try {
    const asked = performance.now()
    patient!.child.kill('SIGTERM')
    urgent!.child.kill('SIGTERM')
    await urgent!.waitFor(isStopping)
    urgent!.child.kill('SIGTERM')
    expect((await urgent!.finished).exitCode).toBe(130)
    expect(performance.now() - asked).toBeLessThan(CLOSE_MS_MAX)
    const { exitCode } = await patient!.finished
    expect(exitCode).toBeOneOf([0, 1]) // 1 by the limit, when the machine is slow
    expect(performance.now() - asked).toBeLessThan(CLOSE_MS_MAX + 5_000)
  } finally {
    process.kill(broker!.pid, 'SIGCONT')
  }
})
