import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { type Kafka, type KafkaBroker, startKafka } from '../../../../ops/world/brokers/start.ts'
import { type Log, LogError, type TopicPartition } from '../../../../streams/ports.ts'
import { createTopic, fresh, Listener, readAll, records, text } from '../../../contract/log-kit.ts'
import { until } from '../../../until.ts'

/** What one broker alone cannot show: a leader, or a coordinator, is killed and another takes over. */
const TIME_MS = 240_000
const IN_TIME = { limitMs: TIME_MS }
const KILLS = 2
const BURSTS_BETWEEN = 15

let directory: string
let kafka: Kafka

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kafka-three-'))
  kafka = await startKafka({ brokers: 3, directory })
})

afterAll(async () => {
  await kafka?.close()
  await rm(directory, { recursive: true, force: true })
})

const settings = (clientId: string) => ({ brokers: kafka.bootstrap, clientId, clock: systemClock })

test.each([1, 2] as const)(
  'behavior: bursts and appends are there once and in order while leaders are killed, transactions version %i',
  async (transactionsVersion) => {
    const log = await openKafkaLog({ ...settings('one'), transactionsVersion })
    const topic = await createTopic(log, 3)
    const group = fresh('group')
    const done = { value: 0 }
    const committing = commitUntil(log, topic, group, done, () => killed >= KILLS)
    const appending = appendUntil(log, topic, () => killed >= KILLS)
    let killed = 0
    while (killed < KILLS) {
      const enough = done.value + BURSTS_BETWEEN
      await until('enough', () => done.value >= enough, IN_TIME)
      const broker = await leaderOf({ topic, partition: killed % 3 })
      await broker.kill9()
      await until('some more', () => done.value >= enough + BURSTS_BETWEEN, IN_TIME) // the others carry on
      await broker.restart()
      killed++
    }
    const bursts = await committing
    const appended = await appending
    const contents = (partition: number) => patiently(() => valuesOf(log, { topic, partition }))
    const expected = Array.from({ length: bursts }, (_, at) => `${at + 1}`)
    expect(await contents(0)).toEqual(expected)
    expect(await contents(1)).toEqual(expected)
    expect(await contents(2)).toEqual(appended)
    await log.close()
  },
  TIME_MS,
)

test(
  'behavior: a group goes on when its coordinator is killed',
  async () => {
    const log = await openKafkaLog(settings('one'))
    const topic = await createTopic(log, 2)
    const group = fresh('group')
    const listener = new Listener()
    const membership = await log.join({ group, topics: [topic], instanceId: 'a', fingerprint: 'f' }, listener)
    await listener.until(() => listener.numbers.length === 2)
    const cluster = new KafkaCluster(settings('observer'))
    await cluster.connect()
    const coordinator = await cluster.coordinatorOf('group', group)
    await cluster.close()
    const broker = kafka.brokers.find(({ nodeId }) => nodeId === coordinator)!
    await broker.kill9()
    const other = await openKafkaLog(settings('two'))
    const young = new Listener()
    await patiently(() => other.join({ group, topics: [topic], instanceId: 'b', fingerprint: 'f' }, young))
    await listener.until(() => listener.numbers.length === 1)
    await young.until(() => young.numbers.length === 1)
    expect(listener.causes).toEqual([])
    await membership.leave()
    await young.until(() => young.numbers.length === 2)
    await broker.restart()
    await Promise.all([log.close(), other.close()])
  },
  TIME_MS,
)

/** Numbers in two partitions and as the group's offset, each as the engine would write it. @returns how many */
async function commitUntil(
  log: Log,
  topic: string,
  group: string,
  done: { value: number },
  over: () => boolean,
): Promise<number> {
  const id = fresh('writer')
  const at = { topic, partition: 0 }
  let writer = await log.transactionalWriter(id)
  while (!over()) {
    const next = done.value + 1
    const burst = [0, 1].flatMap((partition) => records(topic, partition, `${next}`))
    const offsets = { group, commits: [{ ...at, next, metadata: '' }] }
    const { outcome, cause } = { cause: undefined, ...(await writer.commit({ records: burst, offsets })) }
    if (outcome === 'fenced') throw new Error('fenced by nobody', { cause })
    if (outcome === 'unknown') {
      writer = await patiently(() => log.transactionalWriter(id))
      const [found] = await patiently(() => log.committedOffsets(group, [at]))
      if (found?.next === next) done.value = next
    } else if (outcome === 'committed') done.value = next
  }
  return done.value
}

/** One value after the other to the third partition. @returns those that were acknowledged */
async function appendUntil(log: Log, topic: string, over: () => boolean): Promise<string[]> {
  const appender = await log.appender()
  const acknowledged: string[] = []
  while (!over()) {
    const value = `${acknowledged.length}`
    await patiently(() => appender.append(records(topic, 2, value)), false)
    acknowledged.push(value)
  }
  return acknowledged
}

async function leaderOf(at: TopicPartition): Promise<KafkaBroker> {
  const cluster = new KafkaCluster(settings('observer'))
  await cluster.connect()
  const nodeId = await cluster.leaderOf(at)
  await cluster.close()
  return kafka.brokers.find((broker) => broker.nodeId === nodeId)!
}

const valuesOf = async (log: Log, at: TopicPartition): Promise<(string | null)[]> =>
  (await readAll(log, at)).map(({ value }) => text(value))

/** Again while it fails for a while. @param evenIfDone false for what must not happen twice */
async function patiently<T>(call: () => Promise<T>, evenIfDone = true): Promise<T> {
  for (const end = Date.now() + TIME_MS; ; ) {
    try {
      return await call()
    } catch (error) {
      const passes = error instanceof LogError && error.retriable && (evenIfDone || !error.indefinite)
      if (!passes || Date.now() > end) throw error
      await systemClock.sleep(20)
    }
  }
}
