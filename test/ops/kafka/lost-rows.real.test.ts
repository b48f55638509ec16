/**
 * What an operator's tools, and a client with the right to write, do to the topics of a sequencer that runs: partitions added, rows of
 * changelogs deleted, rows of the tables forged. Every voice says the same, and nothing is passed over.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs, { type Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditReport } from '../../../ops/check/audit/report.ts'
import { type DeployedGround, openGround } from '../../../ops/ground/cluster/open.ts'
import type { Finding } from '../../../ops/look/doctor/finding.ts'
import { readAddress } from '../../../ops/settings/parse.ts'
import type { RecordTopic } from '../../../streams/kafka-topic.ts'
import { sharedKafka } from '../../real/kafka.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const { Kafka, logLevel } = kafkajs
const WAIT = { timeout: 120_000, interval: 500 }
const LIMIT = { timeout: 900_000 }

const directory = mkdtempSync(join(tmpdir(), 'sequencer-lost-rows-'))
let world: ClusterWorld
let process: StartedSequencer
let admin: Admin
let ground: DeployedGround
let probes: string
let intake: readonly string[]

const start = async (): Promise<void> => {
  process = startSequencer(['run', '--config', world.config, '--json', '--instance-id', 'all'])
  const running = await process.waitFor(({ event }) => event === 'running')
  ;({ ops: probes, intake } = running as unknown as { ops: string; intake: string[] })
}
const stop = async (): Promise<void> => {
  process.child.kill('SIGTERM')
  expect((await process.finished).exitCode).toBe(0)
}
async function anchorEpochs(epochs: number): Promise<void> {
  const anchored = () => process.events.filter(({ event }) => event === 'anchored').length
  const before = anchored()
  const { exitCode, stderr } = await world.snapshotters(intake[0]!, epochs).finished
  expect(exitCode, stderr).toBe(0)
  await process.waitFor(() => anchored() >= before + epochs)
}
const doctor = async (check: string): Promise<Finding> => {
  const { stdout } = await runSequencer(['doctor', '--config', world.config, '--json'])
  return (JSON.parse(stdout) as Finding[]).find((one) => one.check === check)!
}
const audit = async (): Promise<AuditReport> => {
  const { stdout } = await runSequencer(['audit', '--config', world.config, '--rpc', world.chain.rpcUrl, '--json'])
  return JSON.parse(stdout) as AuditReport
}
async function forge<K, V>({ name: topic, key, value }: RecordTopic<K, V>, k: K, v: V): Promise<number> {
  const appender = await ground.log.appender()
  const record = { topic, partition: 0, timestamp: Date.now(), key: key.encode(k), value: value.encode(v) }
  const [offset] = await appender.append([record])
  await appender.close()
  return offset!
}

beforeAll(async () => {
  world = await startClusterWorld(directory)
  const applied = await runSequencer(['deploy', 'apply', '--config', world.config])
  expect(applied.exitCode, applied.stderr).toBe(0)
  admin = new Kafka({ brokers: [...sharedKafka().bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  ground = await openGround(readAddress({ config: world.config }, {}), 'operator')
  await start()
  await world.startEpochs()
}, 900_000)
afterAll(async () => {
  process?.child.kill('SIGKILL')
  await admin?.disconnect()
  await ground?.close()
  await world?.close()
  rmSync(directory, { recursive: true, force: true })
})

test('behavior: partitions that somebody adds stop nothing, running or at a start', LIMIT, async () => {
  await anchorEpochs(1)
  const { submissions, verdicts, anchorIntents, slots } = ground.topics
  const more = [submissions, verdicts, anchorIntents, slots].map(({ name, partitions }) => ({
    topic: name,
    count: partitions + 1,
  }))
  await admin.createPartitions({ topicPartitions: more })
  await anchorEpochs(2)
  await stop()
  await start()
  await anchorEpochs(1)
  expect((await doctor('topic settings')).detail).toContain(`${verdicts.name}: 3 partitions, of which 2 are used`)
  const plan = await runSequencer(['deploy', 'plan', '--config', world.config])
  expect(plan.stdout).toContain('Nothing stands still: nobody here writes or reads them')
})

test(
  'error: forged rows of slots and markets are named, and put right at the next start of the clock',
  LIMIT,
  async () => {
    const { slots, markets } = ground.topics
    const [dataMarket] = world.chain.markets
    const market = dataMarket!.toLowerCase()
    const history = [{ sinceBlock: 0, owner: `0x${'9'.repeat(40)}`, active: true, sinceFork: 0, untilFork: 0 }]
    const slotId = 3
    const ofSlot = await forge(slots, { slotId }, { slotId, history })
    const removed = { serving: 'REMOVED', sinceBlock: 1, lastEpoch: 0, requestId: 'forged', refused: '' } as const
    const ofMarket = await forge(markets, { dataMarket: market }, removed)
    expect(await doctor('slots')).toMatchObject({
      ok: false,
      detail: expect.stringContaining(`offset ${ofSlot}: slot 3 is 0x9`),
    })
    expect(await doctor('markets')).toMatchObject({
      ok: false,
      detail: expect.stringContaining(`offset ${ofMarket}: it says`),
    })
    await stop()
    const { differences } = await audit()
    const named = differences.map(({ where }) => where)
    expect(named).toContain(`${slots.name}[0] offset ${ofSlot}`)
    expect(named).toContain(`${markets.name}[0] offset ${ofMarket}`)
    world = { ...world, config: world.configWith({ clock: { ...clockOf(), slotsRereadBlocks: 1 } }) }
    await start()
    await anchorEpochs(1)
    expect(await doctor('slots')).toMatchObject({ ok: true })
    expect(await doctor('markets')).toMatchObject({ ok: true })
  },
)
const clockOf = () => ({ startBlock: world.chain.startBlock, depth: 0, pollMs: 200 })

test(
  'error: rows deleted from changelogs are told while the stage runs, and missed at its next start',
  LIMIT,
  async () => {
    const changelog = `${world.appId}-heads-changelog`
    const [end] = await ground.log.ends([{ topic: changelog, partition: 1 }])
    await admin.deleteTopicRecords({ topic: changelog, partitions: [{ partition: 1, offset: String(end! - 1) }] })
    const words = `${changelog}/1 begins at offset ${end! - 1}, but the state of stage validate needs its rows from 0 on`
    const told = await doctor('validate')
    expect(told).toMatchObject({ ok: false, detail: expect.stringContaining(words) })
    expect(told.advice).toContain('do not stop it')
    await stop()
    expect((await audit()).differences.map(({ message }) => message)).toContainEqual(expect.stringContaining(words))
    await start()
    const ready = async () => {
      const answer = await fetch(`${probes}/readyz`)
      return `${answer.status} ${await answer.text()}`
    }
    await expect.poll(ready, WAIT).toContain(words)
    expect(await ready()).toMatch(/^503 /)
    expect(process.child.exitCode).toBeNull()

    await stop()
    const reset = await runSequencer(['reset', '--stages', 'all', '--to-latest', '--config', world.config])
    expect(reset.exitCode, reset.stderr).toBe(0)
    await start()
    await anchorEpochs(1)
    expect(await doctor('validate')).toMatchObject({ ok: true })
  },
)
