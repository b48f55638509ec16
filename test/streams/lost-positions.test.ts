/** What a stage does when the log is not the one that its positions belong to: it waits, says why, and passes over nothing. */
import { afterEach, expect, test } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { rowsMissing } from '../../ops/reading/state-rows.ts'
import { needsIn } from '../../streams/kept-place.ts'
import {
  type Burst,
  type CommitOutcome,
  type Log,
  type OutgoingRecord,
  PositionLostError,
} from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { fetchOne } from '../contract/log-kit.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

const topics = sumsTopics({ input: 1, middle: 1 })
const topology = sumsTopology(topics)
/** The sums are orders to somebody outside. */
const ordering = sumsTopology(sumsTopics({ input: 1, middle: 1, holdsOrders: true }))
const NUMBERS = { topic: topics.numbers.name, partition: 0 }
const SUM = 'sum'
const STATE = 'app-sum-engine-changelog'

/** A log in memory whose topics have ids, as a cluster's have; what is told of them can be changed. */
class Cluster {
  readonly memory = createMemoryLog()
  readonly ids = new Map<string, string>()
  readonly endOf = new Map<string, number>()
  readonly stableOf = new Map<string, number>()
  /** A topic that was made anew under the process: nothing is committed to it. */
  anew: string | undefined

  log(): Log {
    const { memory, ids, endOf, stableOf } = this
    const topicIds = async (names: readonly string[]) =>
      new Map(names.map((name) => [name, ids.get(name) ?? `${name}-1`]))
    const cut = (topic: string, offset: number) => Math.min(offset, endOf.get(topic) ?? offset)
    const ends: Log['ends'] = async (at) => (await memory.ends(at)).map((end, i) => cut(at[i]!.topic, end))
    const bounds: Log['bounds'] = async (at) =>
      (await memory.bounds(at)).map(({ start, stable }, i) => ({
        start,
        stable: Math.min(cut(at[i]!.topic, stable), stableOf.get(at[i]!.topic) ?? stable),
      }))
    const transactionalWriter: Log['transactionalWriter'] = async (id) => {
      const writer = await memory.transactionalWriter(id)
      const commit = async (burst: Burst): Promise<CommitOutcome> => {
        const topic = this.anew
        if (topic === undefined || !burst.records.some((record) => record.topic === topic)) return writer.commit(burst)
        return { outcome: 'aborted', cause: new PositionLostError('TOPIC_RECREATED', { topic }, `${topic} is another`) }
      }
      return { commit, close: () => writer.close() }
    }
    const changed = { topicIds, ends, bounds, transactionalWriter, close: async () => {} }
    return Object.assign(Object.create(memory) as Log, changed)
  }
}

interface Run {
  readonly runtime: StreamsRuntime
  readonly refused: PositionLostError[]
}

const running: StreamsRuntime[] = []
afterEach(() => Promise.all(running.splice(0).map((runtime) => runtime.close())))

async function run(cluster: Cluster, of = topology): Promise<Run> {
  const refused: PositionLostError[] = []
  const runtime = new StreamsRuntime(of, {
    appId: 'app',
    instanceId: 'a',
    log: cluster.log(),
    clock: systemClock,
    commitIntervalMs: 1,
    purgeIntervalMs: 50,
    observer: { taskRefused: (_stage, _partition, cause) => refused.push(cause) },
    onFailure: (error) => {
      throw error
    },
  })
  running.push(runtime)
  await runtime.start()
  return { runtime, refused }
}

async function cluster(): Promise<Cluster> {
  const made = new Cluster()
  await made.memory.createTopics([
    ...topology.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })),
    { name: 'dead', partitions: 1, cleanup: 'delete' },
  ])
  return made
}

async function append({ memory }: Cluster, count: number): Promise<void> {
  const appender = await memory.appender()
  const value = topics.numbers.value.encode(1)
  const records: OutgoingRecord[] = Array.from({ length: count }, () => ({
    ...NUMBERS,
    timestamp: 0,
    key: Buffer.from('0/a'),
    value,
  }))
  await appender.append(records)
}

const committed = async ({ memory }: Cluster, stage: string, topic: string) =>
  (await memory.committedOffsets(`app-${stage}`, [{ topic, partition: 0 }]))[0]

/** Ten records through both stages, then the process ends. */
async function afterTen(of = topology): Promise<Cluster> {
  const made = await cluster()
  await append(made, 10)
  const { runtime } = await run(made, of)
  await expect.poll(async () => (await committed(made, 'forward', NUMBERS.topic))?.next).toBe(10)
  await expect.poll(async () => ((await committed(made, SUM, topics.byName.name))?.next ?? 0) >= 10).toBe(true)
  await runtime.close()
  return made
}

async function expectRefused(made: Cluster, stage: string, code: string, ...words: string[]): Promise<void> {
  const before = await committed(made, stage, stage === SUM ? topics.byName.name : NUMBERS.topic)
  const { runtime, refused } = await run(made)
  await expect.poll(() => runtime.stageState(stage).waitsFor).toBeDefined()
  const { waitsFor, ready } = runtime.stageState(stage)
  expect(ready).toBe(false)
  expect(refused.map((cause) => cause.code)).toEqual([code])
  for (const word of words) expect(waitsFor).toContain(word)
  expect(await committed(made, stage, stage === SUM ? topics.byName.name : NUMBERS.topic)).toEqual(before)
}

test('default: a stage goes on where it was, after a restart too', async () => {
  const made = await afterTen()
  await append(made, 5)
  const { refused } = await run(made)
  await expect.poll(async () => (await committed(made, 'forward', NUMBERS.topic))?.next).toBe(15)
  expect(refused).toEqual([])
})

test('error: an input that was made anew is not read from the middle', async () => {
  const made = await afterTen()
  await append(made, 5)
  made.ids.set(NUMBERS.topic, 'numbers-2')
  await expectRefused(made, 'forward', 'TOPIC_RECREATED', 'numbers-1', 'numbers-2', 'offset 10', 'from 0 to 15')
})

test('error: an input that ends before the position is not waited for in silence', async () => {
  const made = await afterTen()
  made.endOf.set(NUMBERS.topic, 7)
  await expectRefused(made, 'forward', 'TRUNCATED', 'ends at offset 7', 'up to 10')
})

test('error: input that was deleted before it was read is not passed over', async () => {
  const made = await afterTen()
  await append(made, 5)
  await made.memory.deleteRecords([{ ...NUMBERS, offset: 13 }])
  await expectRefused(made, 'forward', 'RECORDS_DELETED', 'begins at offset 13', 'up to 10 only')
})

test('error: orders that were in a topic made anew are missed, by the stage that counts on them', async () => {
  const made = await afterTen(ordering)
  made.ids.set(topics.sums.name, 'anew')
  const { runtime, refused } = await run(made, ordering)
  await expect
    .poll(() => runtime.stageState(SUM).waitsFor)
    .toContain(`topic ${topics.sums.name} was deleted and made anew`)
  expect(refused.map((cause) => cause.code)).toEqual(['TOPIC_RECREATED'])
  expect(runtime.stageState('forward').waitsFor).toBe(undefined)
})

test('behavior: what a stage only tells may be made anew', async () => {
  const made = await afterTen()
  made.ids.set(topics.sums.name, 'anew')
  await append(made, 5)
  const { refused } = await run(made)
  await expect.poll(async () => (await committed(made, 'forward', NUMBERS.topic))?.next).toBe(15)
  expect(refused).toEqual([])
})

test('error: what a stage writes to a topic that is made anew under it ends no process: the stage waits', async () => {
  const made = await afterTen()
  const { runtime, refused } = await run(made)
  await expect.poll(() => runtime.stageState('forward').ready).toBe(true)
  made.anew = topics.byName.name
  await append(made, 5)
  await expect.poll(() => runtime.stageState('forward').waitsFor).toBe(`${topics.byName.name} is another`)
  expect(runtime.stageState(SUM)).toMatchObject({ ready: true, waitsFor: undefined })
  expect(refused.map((cause) => cause.code)).toEqual(['TOPIC_RECREATED'])
  expect((await committed(made, 'forward', NUMBERS.topic))?.next).toBe(10)
  made.anew = undefined
  await runtime.close()
  const again = await run(made)
  await expect.poll(async () => (await committed(made, 'forward', NUMBERS.topic))?.next).toBe(15)
  expect(again.refused).toEqual([])
})

test('error: state of a changelog that was made anew is missed', async () => {
  const made = await afterTen()
  made.ids.set(STATE, 'anew')
  await expectRefused(made, SUM, 'TOPIC_RECREATED', STATE, 'anew')
})

test('error: a changelog that ends before what was written is missed', async () => {
  const made = await afterTen()
  made.endOf.set(STATE, 1)
  await expectRefused(made, SUM, 'TRUNCATED', STATE)
})

test('behavior: state that an open transaction hides is waited for, and is not missed', async () => {
  const made = await afterTen()
  const before = (await committed(made, SUM, topics.byName.name))!.next
  made.stableOf.set(STATE, 1)
  await append(made, 5)
  const { runtime, refused } = await run(made)
  await expect
    .poll(() => runtime.stageState(SUM).waitsFor, { timeout: 20_000 })
    .toContain('a transaction of somebody else is open')
  expect((await committed(made, SUM, topics.byName.name))?.next).toBe(before)
  made.stableOf.clear()
  await expect
    .poll(async () => (await committed(made, SUM, topics.byName.name))?.next, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(before + 5)
  expect(refused).toEqual([])
})

test('behavior: without ids positions are held against the ends of the log alone', async () => {
  const made = await afterTen()
  const withoutIds = new Cluster()
  Object.assign(withoutIds, { memory: made.memory, endOf: made.endOf })
  withoutIds.log = () => Object.assign(Cluster.prototype.log.call(withoutIds), { topicIds: async () => new Map() })
  await append(made, 5)
  const { refused, runtime } = await run(withoutIds)
  await expect.poll(async () => (await committed(made, 'forward', NUMBERS.topic))?.next).toBe(15)
  expect(refused).toEqual([])
  await runtime.close()
  made.endOf.set(NUMBERS.topic, 7)
  await expectRefused(withoutIds, 'forward', 'TRUNCATED', 'ends at offset 7')
})

test('error: an offset that another tool has set beyond the end is said to be that, perhaps', async () => {
  const made = await afterTen()
  const writer = await made.memory.transactionalWriter('by hand')
  const commits = [{ ...NUMBERS, next: 99, metadata: '' }]
  await writer.commit({ records: [], offsets: { group: 'app-forward', commits } })
  await expectRefused(made, 'forward', 'TRUNCATED', 'ends at offset 10', 'is 99', 'set it by hand', 'sequencer reset')
})

test('behavior: offsets that another tool has moved are taken as they are', async () => {
  const made = await afterTen()
  made.ids.set(NUMBERS.topic, 'numbers-2')
  const writer = await made.memory.transactionalWriter('by hand')
  const commits = [{ ...NUMBERS, next: 10, metadata: '' }]
  await writer.commit({ records: [], offsets: { group: 'app-forward', commits } })
  const { refused } = await run(made)
  await append(made, 5)
  await expect.poll(async () => (await committed(made, 'forward', NUMBERS.topic))?.next).toBe(15)
  expect(refused).toEqual([])
})

test('error: a row of the state that cannot be read lets its task wait with the place, and ends nothing', async () => {
  const made = await afterTen()
  const changelog = 'app-sums-changelog'
  const appender = await made.memory.appender()
  const key = Buffer.from('Eround\0name')
  await appender.append([{ topic: changelog, partition: 0, timestamp: 0, key, value: Buffer.from('of somebody else') }])
  await expectRefused(made, SUM, 'UNREADABLE_ROW', `${changelog}/0 offset`, 'cannot be read')
})

const VOTES = { topic: 'app-sums-changelog', partition: 0 }

test.each([
  ['rows of a store that is dropped scope by scope', VOTES.topic, 3],
  ['all rows of such a store', VOTES.topic, Number.POSITIVE_INFINITY],
  ['rows of a compacted changelog', STATE, 1],
  ['all rows of a compacted changelog', STATE, Number.POSITIVE_INFINITY],
])('error: a state without %s is missed, also when the log ends where it did', async (_, topic, before) => {
  const made = await afterTen()
  const at = { topic, partition: 0 }
  const [end] = await made.memory.ends([at])
  const offset = Math.min(before, end!)
  await made.memory.deleteRecords([{ ...at, offset }])
  await append(made, 5)
  await expectRefused(made, SUM, 'RECORDS_DELETED', `${topic}/0 begins at offset ${offset}`, 'needs its rows from 0 on')
})

test('behavior: what the engine deletes of a changelog itself is not missed', async () => {
  const made = await afterTen()
  const appender = await made.memory.appender()
  const closes = [
    { topic: topics.ends.name, partition: 0, timestamp: 0, key: Buffer.from('k'), value: Buffer.from('0') },
  ]
  const first = await run(made)
  await appender.append(closes)
  const start = async () => (await made.memory.bounds([VOTES]))[0]!.start
  await expect.poll(start, { timeout: 20_000 }).toBeGreaterThan(0)
  await first.runtime.close()
  const second = await run(made)
  await append(made, 5)
  await expect
    .poll(async () => (await committed(made, SUM, topics.byName.name))?.next, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(15)
  expect(second.refused).toEqual([])
  await second.runtime.close()
  const kept = await start()
  const needs = needsIn([await committed(made, SUM, topics.byName.name)])
  expect(needs.get(`${VOTES.topic}/0`)).toBeGreaterThanOrEqual(kept)
  const [end] = await made.memory.ends([VOTES])
  await made.memory.deleteRecords([{ ...VOTES, offset: end! }])
  await expectRefused(made, SUM, 'RECORDS_DELETED', `${VOTES.topic}/0 begins at offset ${end}`)
})

test('behavior: rows that a running stage has in memory are not missed any more once it has let go of them', async () => {
  const made = await afterTen()
  const { runtime } = await run(made)
  const next = async () => (await committed(made, SUM, topics.byName.name))!.next
  const first = await next()
  await append(made, 1)
  await expect.poll(next, { timeout: 20_000 }).toBeGreaterThan(first)
  const [end] = await made.memory.ends([VOTES])
  await made.memory.deleteRecords([{ ...VOTES, offset: end! }])
  const input = { group: `app-${SUM}`, stage: SUM, inputs: [{ topic: topics.byName.name, partition: 0 }] }
  expect((await rowsMissing(made.log(), input))?.message).toContain(`begins at offset ${end}`)
  const appender = await made.memory.appender()
  await appender.append([
    { topic: topics.ends.name, partition: 0, timestamp: 0, key: Buffer.from('k'), value: Buffer.from('0') },
  ])
  const told = async () => (await fetchOne(made.memory, topics.sums.name, 0)).records
  await expect.poll(async () => (await told()).length, { timeout: 20_000 }).toBe(1)
  await append(made, 1)
  await expect.poll(() => rowsMissing(made.log(), input), { timeout: 20_000 }).toBe(undefined)
  const [sum] = await told()
  expect(topics.sums.value.decode(sum!.value!).sum, 'all of them are counted').toBe(11)
  await runtime.close()
  const again = await run(made)
  const before = await next()
  await append(made, 5)
  await expect.poll(next).toBeGreaterThan(before)
  expect(again.refused).toEqual([])
})

test('behavior: a state whose older release said nothing of its rows is taken as it is found, and kept so', async () => {
  const made = await afterTen()
  const { next, metadata } = (await committed(made, SUM, topics.byName.name))!
  const { needs, ...older } = JSON.parse(metadata)
  expect(needs).toEqual({ [`${VOTES.topic}/0`]: 0, [`${STATE}/0`]: 0 })
  const writer = await made.memory.transactionalWriter('older')
  const commits = [{ topic: topics.byName.name, partition: 0, next, metadata: JSON.stringify(older) }]
  await writer.commit({ records: [], offsets: { group: `app-${SUM}`, commits } })
  await made.memory.deleteRecords([{ ...VOTES, offset: 2 }])
  const { refused, runtime } = await run(made)
  await append(made, 5)
  const position = () => committed(made, SUM, topics.byName.name)
  await expect.poll(async () => (await position())!.next).toBeGreaterThan(next)
  expect(refused).toEqual([])
  await runtime.close()
  expect(needsIn([await position()]).get(`${VOTES.topic}/0`)).toBe(2)
  await made.memory.deleteRecords([{ ...VOTES, offset: 3 }])
  await expectRefused(made, SUM, 'RECORDS_DELETED', 'begins at offset 3', 'needs its rows from 2 on')
})

test('error: a record of needs that is no number says nothing', () => {
  const metadata = JSON.stringify({ place: 1, topics: {}, ends: {}, needs: { 'a/0': '7', 'b/0': 7, 'c/0': null } })
  expect([...needsIn([{ next: 1, metadata }])]).toEqual([['b/0', 7]])
})
