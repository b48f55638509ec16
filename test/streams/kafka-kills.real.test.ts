import { afterEach, expect, test } from 'vitest'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { Log } from '../../streams/ports.ts'
import { Child } from '../connectors/log/embedded/child.ts'
import { fresh, readAll } from '../contract/log-kit.ts'
import { sharedKafka } from '../real/kafka.ts'
import { until } from '../until.ts'
import { isEnd } from './fixture.ts'
import { type Sum, sumsTopics, sumsTopology } from './sums.ts'
import type { SumsInstance } from './sums-instance.ts'

/** The sums application on a real broker, its instances killed at any moment. */
const ROUNDS = 6
const NUMBERS_PER_ROUND = 200
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const INSTANCES = 3
const KILLS = 6
const KILL_EVERY_MS = 2_500
const SESSION_TIMEOUT_MS = 4_000
const SETTLED_WAIT_MS = 120_000

const children: Child[] = []
afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())))

test('behavior: every sum once, while instances are killed, transactions version 1', () => run(1, 0))

test('behavior: every sum once, while instances with standbys are killed, transactions version 2', () => run(2, 1))

async function run(transactionsVersion: 1 | 2, standbys: number): Promise<void> {
  const { bootstrap: brokers } = sharedKafka()
  const prefix = `${fresh('sums')}-`
  const log = await openKafkaLog({ brokers, clientId: 'test', clock: systemClock })
  const topics = sumsTopics({ prefix })
  const configs = sumsTopology(topics).topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup }))
  await log.createTopics([...configs, { name: 'dead', partitions: 1, cleanup: 'delete' }])
  const settings = { brokers, prefix, transactionsVersion, sessionTimeoutMs: SESSION_TIMEOUT_MS, standbys }
  const spawned = Array.from({ length: INSTANCES }, (_, at) => spawn({ ...settings, instanceId: `instance-${at}` }))
  const feeding = feed(log, topics)
  for (let kill = 0; kill < KILLS; kill++) {
    await systemClock.sleep(KILL_EVERY_MS)
    const victim = kill % INSTANCES
    await spawned[victim]!.kill()
    // The same name again, or a new one: then the group has to notice by itself that the old one is gone.
    const instanceId = kill % 2 === 0 ? `instance-${victim}` : `instance-${victim}-${kill}`
    spawned[victim] = spawn({ ...settings, instanceId })
  }
  const expected = await feeding
  const at = { topic: topics.sums.name, partition: 0 }
  const sums = async () => (await readAll(log, at)).map(({ value }) => topics.sums.value.decode(value!))
  await until('all sums', async () => (await sums()).length >= expected.size, { limitMs: SETTLED_WAIT_MS })
  await systemClock.sleep(2 * SESSION_TIMEOUT_MS) // whatever is late or doubled shows up
  expect((await sums()).map(nameAndSum).sort()).toEqual([...expected].sort())
  const inputs = await readAll(log, { topic: topics.numbers.name, partition: 0 })
  const markers = inputs.filter(({ value }) => isEnd(topics.numbers.value.decode(value!)))
  expect(markers).toHaveLength(ROUNDS)
  expect(spawned.flatMap(({ lines }) => lines.filter((line) => line.startsWith('failed')))).toEqual([])
  await log.close()
}

function spawn(options: SumsInstance): Child {
  const child = new Child('../../../streams/sums-instance.ts', JSON.stringify(options))
  children.push(child)
  return child
}

const nameAndSum = ({ round, name, sum }: Sum): [string, number] => [`${round}/${name}`, sum]

/** Numbers, round after round over the time of the kills; then the end of each round. @returns the sums */
async function feed(log: Log, topics: ReturnType<typeof sumsTopics>): Promise<Map<string, number>> {
  const appender = await log.appender()
  const append = (topic: string, partition: number, key: string, value: Uint8Array) =>
    appender.append([{ topic, partition, timestamp: systemClock.now(), key: Buffer.from(key), value }])
  const sums = new Map<string, number>()
  const pauseMs = (KILLS * KILL_EVERY_MS) / (ROUNDS * NUMBERS_PER_ROUND)
  for (let round = 0; round < ROUNDS; round++) {
    for (let number = 0; number < NUMBERS_PER_ROUND; number++) {
      const key = `${round}/${NAMES[number % NAMES.length]}`
      sums.set(key, (sums.get(key) ?? 0) + number)
      await append(topics.numbers.name, number % 2, key, topics.numbers.value.encode(number))
      await systemClock.sleep(pauseMs)
    }
    await append(topics.ends.name, 0, 'x', Buffer.from(`${round}`))
  }
  return sums
}
