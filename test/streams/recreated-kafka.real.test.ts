/** Topics that are deleted and made anew on a real broker, under a process that runs and before one that starts. */
import kafkajs, { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { examineTransactions } from '../../ops/look/doctor/held-back.ts'
import { rowsMissing } from '../../ops/reading/state-rows.ts'
import type { Log, PositionLostError } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { fetchOne, records } from '../contract/log-kit.ts'
import { sharedKafka, uniqueName } from '../real/kafka.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

const { ConfigResourceTypes } = kafkajs
const WAIT = { timeout: 60_000, interval: 100 }
const brokers = (): string[] => [...sharedKafka().bootstrap]
const openLog = () => openKafkaLog({ brokers: brokers(), clientId: 'test', clock: systemClock })

let admin: Admin

beforeAll(async () => {
  admin = new Kafka({ brokers: brokers(), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
})
afterAll(() => admin.disconnect())

/** As somebody with kafka-topics.sh would, with so many records of another client. */
async function makeAnew(topic: string, count: number): Promise<void> {
  await admin.deleteTopics({ topics: [topic] })
  await expect.poll(async () => (await admin.listTopics()).includes(topic), WAIT).toBe(false)
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1 }] })
  await expect.poll(async () => (await admin.listTopics()).includes(topic), WAIT).toBe(true)
  await write(topic, count)
}

async function write(topic: string, count: number): Promise<void> {
  const log = await openLog()
  const appender = await log.appender()
  const value = sumsTopics().numbers.value.encode(1)
  await appender.append(
    Array.from({ length: count }, () => ({ topic, partition: 0, timestamp: 0, key: Buffer.from('0/a'), value })),
  )
  await log.close()
}

test('error: a reader of a topic that is made anew is given records of the new one only when it opens the log again', async () => {
  const log = await openLog()
  const topic = uniqueName('anew')
  await log.createTopics([{ name: topic, partitions: 1, cleanup: 'delete' }])
  const appender = await log.appender()
  await appender.append(records(topic, 0, 'a', 'b'))
  expect((await fetchOne(log, topic, 0)).next).toBe(2)
  const before = (await log.topicIds([topic]))!.get(topic)!
  await makeAnew(topic, 5)
  await expect(fetchOne(log, topic, 2)).rejects.toMatchObject({ code: 'TOPIC_RECREATED', topic })
  const later = await openLog()
  const now = (await later.topicIds([topic]))!.get(topic)!
  expect(now).not.toBe(before)
  await expect(fetchOne(log, topic, 2)).rejects.toThrow(`its id was ${before} and is ${now} now`)
  const reopened = await log.reopened!()
  expect((await fetchOne(reopened, topic, 0)).records).toHaveLength(5)
  await expect(fetchOne(log, topic, 2)).rejects.toMatchObject({ code: 'TOPIC_RECREATED' })
  await Promise.all([log.close(), later.close(), reopened.close()])
})

interface App {
  readonly log: Log
  readonly runtime: StreamsRuntime
  readonly refused: PositionLostError[]
}

async function start(prefix: string): Promise<App> {
  const log = await openLog()
  const refused: PositionLostError[] = []
  const runtime = new StreamsRuntime(sumsTopology(sumsTopics({ prefix, input: 1, middle: 1 })), {
    appId: `${prefix}app`,
    instanceId: 'a',
    log,
    clock: systemClock,
    observer: { taskRefused: (_stage, _partition, cause) => refused.push(cause) },
    onFailure: (error) => refused.push(error as PositionLostError),
  })
  await log.createTopics([{ name: 'dead', partitions: 1, cleanup: 'delete' }])
  await runtime.start()
  return { log, runtime, refused }
}

async function stop({ log, runtime }: App): Promise<void> {
  await runtime.close()
  await log.close()
}

test('error: a stage refuses its input, a store its changelog, when they were made anew, running or not', async () => {
  const prefix = `${uniqueName('sums')}-`
  const { numbers, byName } = sumsTopics({ prefix, input: 1, middle: 1 })
  const position = async (log: Log, stage: string, topic: string) =>
    (await log.committedOffsets(`${prefix}app-${stage}`, [{ topic, partition: 0 }]))[0]?.next ?? 0
  let app = await start(prefix)
  await write(numbers.name, 10)
  await expect.poll(() => position(app.log, 'forward', numbers.name), WAIT).toBe(10)
  await expect.poll(() => position(app.log, 'sum', byName.name), WAIT).toBeGreaterThanOrEqual(10)

  await makeAnew(numbers.name, 20)
  await expect.poll(() => app.runtime.stageState('forward').waitsFor, WAIT).toContain('was deleted and made anew')
  expect(app.refused.map(({ code, topic }) => [code, topic])).toEqual([['TOPIC_RECREATED', numbers.name]])
  expect(app.runtime.stageState('sum').ready).toBe(true)
  await stop(app)

  const changelog = `${prefix}app-sum-engine-changelog`
  await makeAnew(changelog, 0)
  app = await start(prefix)
  for (const stage of ['forward', 'sum'])
    await expect.poll(() => app.runtime.stageState(stage).waitsFor, WAIT).toContain('was deleted and made anew')
  expect(new Set(app.refused.map(({ topic }) => topic))).toEqual(new Set([numbers.name, changelog]))
  expect(app.refused[0]!.message).toMatch(/its id was \S{22} when stage .* up to offset \d+, and is \S{22} now/)
  await stop(app)
})

test('error: a state whose changelog lost rows to kafka-delete-records.sh is missed at the next start', async () => {
  const prefix = `${uniqueName('cut')}-`
  const { numbers, byName } = sumsTopics({ prefix, input: 1, middle: 1 })
  const group = `${prefix}app-sum`
  const position = async (log: Log) =>
    (await log.committedOffsets(group, [{ topic: byName.name, partition: 0 }]))[0]?.next ?? 0
  let app = await start(prefix)
  await write(numbers.name, 10)
  await expect.poll(() => position(app.log), WAIT).toBeGreaterThanOrEqual(10)
  await stop(app)
  app = await start(prefix)
  await write(numbers.name, 1)
  await expect.poll(() => position(app.log), WAIT).toBeGreaterThanOrEqual(11)
  expect(app.refused).toEqual([])
  await stop(app)
  for (const store of ['sum-engine', 'sums']) {
    const topic = `${prefix}app-${store}-changelog`
    const log = await openLog()
    const inputs = [{ topic: byName.name, partition: 0 }]
    await log.deleteRecords([{ topic, partition: 0, offset: 2 }])
    const gone = await rowsMissing(log, { group, stage: 'sum', inputs })
    expect(gone?.message).toContain(
      `${topic}/0 begins at offset 2, but the state of stage sum needs its rows from 0 on`,
    )
    await log.close()
    app = await start(prefix)
    await expect.poll(() => app.runtime.stageState('sum').waitsFor, WAIT).toContain(`${topic}/0 begins at offset 2`)
    expect(app.refused.map(({ code }) => code)).toEqual(['RECORDS_DELETED'])
    await stop(app)
  }
})

async function setMessageBytes(name: string, bytes: number): Promise<void> {
  const configEntries = [{ name: 'max.message.bytes', value: `${bytes}` }]
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }],
  })
}

test('behavior: a stage whose topic takes no record of its size waits, says why, and goes on when that is mended', async () => {
  const prefix = `${uniqueName('small')}-`
  const { numbers, byName } = sumsTopics({ prefix, input: 1, middle: 1 })
  const changelog = `${prefix}app-sum-engine-changelog`
  const app = await start(prefix)
  const position = async () =>
    (await app.log.committedOffsets(`${prefix}app-sum`, [{ topic: byName.name, partition: 0 }]))[0]?.next ?? 0
  await write(numbers.name, 5)
  await expect.poll(position, WAIT).toBeGreaterThanOrEqual(5)
  await setMessageBytes(changelog, 100) // a row is larger, the marker that ends a transaction is not
  const before = await position()
  await write(numbers.name, 5)
  await expect.poll(() => app.runtime.stageState('sum').waitsFor, WAIT).toContain('MESSAGE_TOO_LARGE')
  const { waitsFor } = app.runtime.stageState('sum')
  expect(waitsFor).toContain(`${changelog}/0`)
  expect(waitsFor).toContain('raise max.message.bytes of the topic')
  expect(app.refused).toEqual([])
  await setMessageBytes(changelog, 1_000_000)
  await expect.poll(position, WAIT).toBeGreaterThan(before)
  expect(app.refused).toEqual([])
  await stop(app)
})

test('error: a transaction that a foreign client leaves open is named, with what ends it', async () => {
  const log = await openLog()
  const topic = uniqueName('held')
  await log.createTopics([{ name: topic, partitions: 1, cleanup: 'delete' }])
  const appender = await log.appender()
  await appender.append(records(topic, 0, 'before'))
  const transactionalId = uniqueName('foreign')
  const client = new Kafka({ brokers: brokers(), logLevel: logLevel.NOTHING })
  const producer = client.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'never ended' }] })
  await appender.append(records(topic, 0, 'behind'))
  const at = [{ name: topic, partitions: 1 }]
  expect((await fetchOne(log, topic, 1)).end).toBe(3)
  const early = await examineTransactions(log, at, { brokers: ['b:9092'], now: Date.now() })
  expect(early).toMatchObject([{ ok: true }])
  const [found] = await examineTransactions(log, at, { brokers: ['b:9092'], now: Date.now() + 60_000 })
  expect(found).toMatchObject({ check: 'transactions', ok: false })
  expect(found!.detail).toContain(`${topic}/0: ${transactionalId} (producer `)
  expect(found!.detail).toContain('open from offset 1 on')
  expect(found!.advice).toContain(
    `kafka-transactions.sh --bootstrap-server b:9092 abort --topic ${topic} --partition 0 --start-offset 1`,
  )
  expect(found!.advice).toMatch(/The brokers end it \d+ s after its beginning/)
  await transaction.abort()
  await producer.disconnect()
  await expect
    .poll(
      async () => (await examineTransactions(log, at, { brokers: ['b:9092'], now: Date.now() + 60_000 }))[0]!.ok,
      WAIT,
    )
    .toBe(true)
  await log.close()
})
