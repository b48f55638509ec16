/** Deploying to a real broker and registry what others have meddled with; a reset of stages that stand still. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs, { type Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { openAdmin } from '../../../ops/ground/cluster/connect.ts'
import { readConfiguration } from '../../../ops/settings/parse.ts'
import { runSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const directory = mkdtempSync(join(tmpdir(), 'sequencer-deploy-'))
let world: ClusterWorld
let admin: Admin

beforeAll(async () => {
  world = await startClusterWorld(directory)
  admin = await openAdmin(settings().kafka, 'test')
}, 900_000)
afterAll(async () => {
  await admin?.disconnect()
  await world?.close()
  rmSync(directory, { recursive: true, force: true })
})

const settings = () => readConfiguration({ config: world.config }, {}).settings
const run = (...args: string[]) => runSequencer([...args, '--config', world.config])
const withoutNames = (text: string): string =>
  text
    .replaceAll(world.appId, 'APP')
    .replace(/id was [\w-]{22}/g, 'id was ID')
    .replace(/ {2,}/g, '  ')

async function setConfig(topic: string, name: string, value: string): Promise<void> {
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }
  await admin.alterConfigs({ validateOnly: false, resources: [resource] })
}

test('default: drift is told apart, and apply mends what is safe, keeping what others set', async () => {
  expect((await run('deploy', 'apply')).exitCode).toBe(0)
  const topic = (name: string) => `${world.prefix}${name}`
  await setConfig(topic('epoch-ticks'), 'retention.ms', '3600000') // AlterConfigs drops all the other settings too
  await setConfig(topic('admitted'), 'retention.ms', '-1')
  await admin.createPartitions({ topicPartitions: [{ topic: topic('verdicts'), count: 4 }] })
  await admin.deleteTopics({ topics: [topic('tick-requests')] })
  const registry = createConfluentRegistry({ url: settings().registry.url })
  await registry.deleteSubject(`${world.prefix}anchors-value`)

  const plan = await run('deploy', 'plan')
  expect(plan.exitCode).toBe(1)
  await expect(withoutNames(plan.stdout)).toMatchFileSnapshot('drift.golden.txt')

  const applied = await run('deploy', 'apply')
  expect(applied.exitCode).toBe(1) // something is left
  const again = await run('deploy', 'plan', '--json')
  const left = (JSON.parse(again.stdout) as { class: string; name: string }[]).map((one) => `${one.class} ${one.name}`)
  expect(left.map(withoutNames)).toEqual(['refused APP-tick-requests', 'refused APP-verdicts', 'deletes APP-admitted'])

  expect((await run('deploy', 'apply', '--yes-delete', '--accept-recreated')).exitCode).toBe(1)
  const last = JSON.parse((await run('deploy', 'plan', '--json')).stdout) as { class: string }[]
  expect(last.map((one) => one.class)).toEqual(['refused'])
})

test('error: a reset that would double the input of stages left out', async () => {
  const refused = await run('reset', '--stages', 'consensus', '--to-earliest')
  expect(refused.exitCode).toBe(2)
  expect(refused.stderr).toContain(`settle reads ${world.prefix}finalizations`)
})

test('default: a reset moves offsets and empties state', async () => {
  const changelog = `${world.appId}-slot-quota-changelog`
  const producer = new kafkajs.Kafka({ brokers: settings().kafka.brokers as string[], logLevel: 0 }).producer()
  await producer.connect()
  const messages = [0, 1, 2].flatMap((partition) => ['a', 'b'].map((value) => ({ partition, key: 'k', value })))
  await producer.send({ topic: changelog, messages })
  await producer.send({ topic: `${world.prefix}validated`, messages })
  await producer.disconnect()
  const stages = ['--stages', 'admit,consensus,settle,batch', '--force']
  const dry = await run('reset', ...stages, '--to-latest', '--dry-run')
  expect(dry.stdout).toContain('Nothing was done')
  expect(await highsOf(changelog)).toEqual([2, 2, 2])

  const done = await run('reset', ...stages, '--to-offset', '1')
  expect(done.exitCode, done.stderr).toBe(0)
  expect(await highsOf(changelog)).toEqual([0, 0, 0])
  expect(await committed('admit', 'validated')).toEqual([1, 1, 1])
  await run('reset', ...stages, '--shift-by', '-5')
  expect(await committed('admit', 'validated')).toEqual([0, 0, 0])
  expect((await run('deploy', 'plan', '--json')).stdout).not.toContain('slot-quota')
})

const highsOf = async (topic: string): Promise<number[]> =>
  (await admin.fetchTopicOffsets(topic)).map(({ high }) => Number(high))

async function committed(stage: string, topic: string): Promise<number[]> {
  const [answer] = await admin.fetchOffsets({ groupId: `${world.appId}-${stage}`, topics: [`${world.prefix}${topic}`] })
  return answer!.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))
}
