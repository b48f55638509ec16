import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { findTool } from '../../../../ops/world/brokers/tools.ts'
import type { Log } from '../../../../streams/ports.ts'
import {
  append,
  commit,
  createTopic,
  expectCommitted,
  fetchOne,
  fresh,
  Listener,
  record,
  records,
} from '../../../contract/log-kit.ts'
import { sharedKafka } from '../../../real/kafka.ts'

/** What the driver asks of a cluster, as others see it. */
const QUICK_MS = 2_000
const TOPIC_RESOURCE = 2
const HOUR_MS = 3_600_000

let log: Log

beforeAll(async () => {
  log = await openKafkaLog({ brokers: sharedKafka().bootstrap, clientId: 'test', clock: systemClock })
})
afterAll(() => log.close())

async function asAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new Kafka({ brokers: [...sharedKafka().bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

async function configOf(topic: string): Promise<Record<string, string>> {
  const { resources } = await asAdmin((admin) =>
    admin.describeConfigs({ includeSynonyms: false, resources: [{ type: TOPIC_RESOURCE, name: topic }] }),
  )
  return Object.fromEntries(resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]))
}

test('default: topics get the settings that the engine relies on', async () => {
  const deleted = await createTopic(log, 1, { retentionMs: HOUR_MS })
  expect(await configOf(deleted)).toMatchObject({
    'cleanup.policy': 'delete',
    'retention.ms': String(HOUR_MS),
    'message.timestamp.type': 'CreateTime',
  })
  const compacted = await createTopic(log, 1, { cleanup: 'compact' })
  expect(await configOf(compacted)).toMatchObject({ 'cleanup.policy': 'compact,delete', 'retention.ms': '-1' })
})

test('behavior: records of a compacted topic can be deleted; where the policy forbids it, they are kept', async () => {
  const topic = await createTopic(log, 1, { cleanup: 'compact' })
  await append(
    log,
    ['a', 'b', 'c'].map((key) => record(topic, 0, 'value', key)),
  )
  await log.deleteRecords([{ topic, partition: 0, offset: 2 }])
  expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 2, stable: 3 }])
  const kafka = new Kafka({ brokers: [...sharedKafka().bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: TOPIC_RESOURCE, name: topic, configEntries }] })
  await admin.disconnect()
  await log.deleteRecords([{ topic, partition: 0, offset: 3 }])
  expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 2, stable: 3 }])
})

test('behavior: a record of far in the future, and one of several MiB, are taken', async () => {
  const topic = await createTopic(log)
  const later = { ...record(topic, 0, 'later'), timestamp: Date.now() + 1_000 * HOUR_MS }
  await commit(log, fresh('writer'), [later])
  const large = { ...record(topic, 0, null), value: Buffer.alloc(5_000_000, 'x') }
  await commit(log, fresh('writer'), [...records(topic, 0, 'before'), large, ...records(topic, 0, 'after')])
  const found = await fetchOne(log, topic, 0)
  expect(found.records[0]!.timestamp).toBe(later.timestamp)
})

test('error: a topic that does not exist is soon known not to', async () => {
  const started = Date.now()
  await expect(log.partitionCount('no-such-topic')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  await expect(log.bounds([{ topic: 'no-such-topic', partition: 0 }])).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  expect(Date.now() - started).toBeLessThan(QUICK_MS)
})

test('error: a name that cannot be one, and more replicas than brokers, say so', async () => {
  await expect(createTopic(log, 1, { name: 'no topic' })).rejects.toMatchObject({ code: 'INVALID_TOPIC' })
  await expect(createTopic(log, 0)).rejects.toMatchObject({ code: 'INVALID_TOPIC' })
  const greedy = await openKafkaLog({
    brokers: sharedKafka().bootstrap,
    clientId: 'greedy',
    clock: systemClock,
    replicationFactor: 3,
  })
  await expect(createTopic(greedy)).rejects.toMatchObject({ code: 'INVALID_REPLICATION_FACTOR' })
  await greedy.close()
})

test('error: no broker there, and an address that is none, say so', async () => {
  const at = (broker: string) => openKafkaLog({ brokers: [broker], clientId: 'test', clock: systemClock })
  await expect(at('127.0.0.1:9')).rejects.toMatchObject({ code: 'UNREACHABLE', retriable: true })
  await expect(at('localhost')).rejects.toMatchObject({ code: 'INVALID_ADDRESS' })
})

test("behavior: Kafka's own tool shows members, their partitions and the lag of a group", async () => {
  const topic = await createTopic(log, 2)
  const group = fresh('group')
  const listener = new Listener()
  const membership = await log.join({ group, topics: [topic], instanceId: 'one', fingerprint: 'f' }, listener)
  await listener.until(() => listener.numbers.length === 2)
  await append(log, records(topic, 0, 'a', 'b', 'c'))
  const writer = await log.transactionalWriter(fresh('writer'))
  const commits = [{ topic, partition: 0, next: 1, metadata: '' }]
  expectCommitted(await writer.commit({ records: [], offsets: { group, commits, membership: listener.identity } }))
  const tool = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
  const { libraries, bootstrap } = sharedKafka()
  const asked = ['--bootstrap-server', bootstrap[0]!, '--describe', '--group', group]
  // not in the way of the member's heartbeats
  const { stdout } = await promisify(execFile)(findTool('java'), [
    '-Xmx128m',
    '-cp',
    join(libraries, '*'),
    tool,
    ...asked,
  ])
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/))
  expect(rows.find((row) => row[1] === topic && row[2] === '0')).toEqual(
    expect.arrayContaining([group, '1', '3', '2', expect.stringMatching(/^one-/)]),
  )
  await membership.leave()
})

test('behavior: partitions that somebody adds to a topic are nobody’s, before a start and under a running group', async () => {
  const topic = await createTopic(log, 2)
  const config = { name: topic, partitions: 2, cleanup: 'delete' } as const
  const open = () => openKafkaLog({ brokers: sharedKafka().bootstrap, clientId: 'test', clock: systemClock })
  const own = await open()
  const listener = new Listener()
  const options = { group: fresh('group'), topics: [topic], instanceId: 'a', fingerprint: 'f' }
  await own.join(options, listener)
  await listener.until(() => listener.numbers.length === 2)
  await asAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }))
  const later = await open()
  await expect.poll(() => later.partitionCount(topic), { timeout: 30_000 }).toBe(3)
  await later.createTopics([config])
  expect(await later.partitionCount(topic)).toBe(2)
  const another = new Listener()
  await later.join({ ...options, instanceId: 'b' }, another)
  await another.until(() => another.numbers.length === 1)
  await listener.until(() => listener.numbers.length === 1)
  expect([...listener.numbers, ...another.numbers].sort()).toEqual([0, 1])
  expect([...listener.causes, ...another.causes]).toEqual([])
  await append(later, records(topic, 1, 'a'))
  await expect(later.createTopics([{ ...config, partitions: 4 }])).rejects.toMatchObject({
    code: 'TOPIC_MISMATCH',
    message: expect.stringContaining(
      `topic ${topic} has 3 partitions, not 4. Kafka takes none away, so it was deleted and made anew`,
    ),
  })
  await own.close()
  await later.close()
})
