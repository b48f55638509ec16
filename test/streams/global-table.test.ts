import { describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { createSimulatedLog } from '../../connectors/log/simulated/simulated.ts'
import type { SimulatedLog } from '../../connectors/log/simulated/simulated-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import { type Log, PositionLostError } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { plainTopic, text, topicOf } from './fixture.ts'

const input = plainTopic('in')
const output = topicOf('out', text)
const other = topicOf('other', text)
const copied = topicOf('copied', text)
const table = { ...plainTopic('table'), cleanup: 'compact' as const }

/** Writes what the table says of each key; another stage knows nothing of the table. */
function topology() {
  const builder = createStreamsBuilder()
  builder
    .stream(other)
    .process<{ copied: readonly [string, string] }>('copy', ['copied'], (context) => ({
      process(key, value) {
        context.outputs.copied.send(key, value)
        return undefined
      },
    }))
    .copied.to(copied)
  builder.globalTable(table)
  builder
    .stream(input)
    .process<{ out: readonly [string, string] }>('look-up', ['out'], (context) => {
      const rows = context.globalTable(table)
      return {
        process(key) {
          context.outputs.out.send(key, rows.get(key) ?? 'nothing')
          return undefined
        },
      }
    })
    .out.to(output)
  return builder.build()
}

/** An instance that hears of the table's rows a minute late. */
function withSlowTable(log: SimulatedLog): SimulatedLog {
  const fetch: SimulatedLog['fetch'] = async (positions, options) => {
    const fetched = await log.fetch(positions, options)
    if (positions[0]?.topic === table.name) await log.clock.sleep(60_000)
    return fetched
  }
  return Object.assign(Object.create(log) as SimulatedLog, { fetch })
}

test('behavior: a task that moves finds the tables as new as they were where it comes from', async () => {
  const simulation = createSimulatedLog({ seed: 3, faults: { latencyMsMax: 10 } })
  const built = topology()
  simulation.core.createTopics(built.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })))
  const failures: Error[] = []
  const spawn = (instanceId: string, slow: boolean) =>
    simulation.spawn(instanceId, (connection) => {
      const log = slow ? withSlowTable(connection) : connection
      const { clock } = log
      const yieldToLoop = () => clock.sleep(0)
      const onFailure = (error: Error) => failures.push(error)
      const runtime = new StreamsRuntime(built, { appId: 'app', instanceId, log, clock, yieldToLoop, onFailure })
      runtime.start().catch(onFailure)
    })
  const append = (topic: string, key: string, value: string) => {
    const record = { topic, partition: 0, timestamp: 1, key: Buffer.from(key), value: Buffer.from(value) }
    simulation.core.conclude(simulation.core.stage([record], false), 'committed')
  }
  const written = () =>
    [...simulation.core.partition({ topic: 'out', partition: 0 }).visible()].map(
      ({ value }) => `${Buffer.from(value!)}`,
    )
  const wait = (ms: number) => {
    const end = simulation.clock.now() + ms
    return simulation.run(() => simulation.clock.now() >= end)
  }

  spawn('a', false)
  await wait(2_000)
  spawn('b', true)
  await wait(90_000) // b has loaded the table, empty, and stands by: a has the only task
  append('table', 'k', 'known')
  await wait(5_000)
  append('in', 'k', '')
  await simulation.run(() => written().length === 1)
  simulation.crash('a')
  append('in', 'k', '')
  await simulation.run(() => written().length === 2)
  expect(failures).toEqual([])
  expect(written()).toEqual(['known', 'known'])
})

test.each(['TOPIC_RECREATED', 'TOPIC_DELETED', 'TRUNCATED'] as const)(
  'error: of a table that is lost under way (%s) the tasks wait that rest on it, and the process goes on',
  async (code) => {
    const memory = createMemoryLog()
    const built = topology()
    await memory.createTopics(built.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })))
    let isLost = false
    const fetch: Log['fetch'] = async (positions, options) => {
      if (isLost && positions[0]?.topic === table.name)
        throw new PositionLostError(code, { topic: table.name }, `${table.name} is lost`)
      return memory.fetch(positions, options)
    }
    const failures: Error[] = []
    const refused: string[] = []
    const runtime = new StreamsRuntime(built, {
      appId: 'app',
      instanceId: 'a',
      log: Object.assign(Object.create(memory) as Log, { fetch }),
      clock: systemClock,
      commitIntervalMs: 1,
      observer: { taskRefused: (stage) => refused.push(stage) },
      onFailure: (error) => failures.push(error),
    })
    await runtime.start()
    const appender = await memory.appender()
    const append = (topic: string) =>
      appender.append([{ topic, partition: 0, timestamp: 1, key: Buffer.from('k'), value: Buffer.from('v') }])
    await expect.poll(() => runtime.state).toBe('running')
    isLost = true
    await append('table')
    await expect.poll(() => refused, { timeout: 10_000 }).toEqual(['look-up'])
    await append('in')
    await append('other')
    const end = async (topic: string) => (await memory.ends([{ topic, partition: 0 }]))[0]
    await expect.poll(() => end('copied'), { timeout: 10_000 }).toBeGreaterThan(0)
    expect(await end('out')).toBe(0)
    expect(runtime.stageState('look-up').waitsFor).toBe('table is lost')
    expect(failures).toEqual([])
    await runtime.close()
  },
)

describe('a table whose rows were deleted', () => {
  async function started(memory: Log, refused: PositionLostError[]) {
    const runtime = new StreamsRuntime(topology(), {
      appId: 'app',
      instanceId: 'a',
      log: Object.assign(Object.create(memory) as Log, {
        topicIds: async (names: readonly string[]) => new Map(names.map((name) => [name, 'as ever'])),
        close: async () => {},
      }),
      clock: systemClock,
      commitIntervalMs: 1,
      observer: { taskRefused: (_stage, _partition, cause) => refused.push(cause) },
    })
    await runtime.start()
    return runtime
  }
  const at = (topic: string) => ({ topic, partition: 0 })

  async function withRows() {
    const memory = createMemoryLog()
    await memory.createTopics(topology().topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })))
    const appender = await memory.appender()
    const append = (topic: string, key = 'k') =>
      appender.append([{ ...at(topic), timestamp: 1, key: Buffer.from(key), value: Buffer.from('v') }])
    for (const key of ['a', 'b', 'c']) await append('table', key)
    const ended = async (topic: string) => (await memory.ends([at(topic)]))[0]!
    return { memory, append, ended }
  }

  test('error: a stage that judged by all rows does not go on without some of them', async () => {
    const { memory, append, ended } = await withRows()
    const refused: PositionLostError[] = []
    const first = await started(memory, refused)
    await append('in')
    await expect.poll(() => ended('out')).toBeGreaterThan(0)
    await memory.deleteRecords([{ ...at('table'), offset: 2 }])
    await append('in')
    await expect.poll(() => ended('out'), { message: 'it has the rows in memory' }).toBeGreaterThan(1)
    await first.close()
    expect(refused).toEqual([])
    const before = await ended('out')
    const second = await started(memory, refused)
    await append('in')
    await expect
      .poll(() => second.stageState('look-up').waitsFor)
      .toContain('table/0 begins at offset 2, but the state of stage look-up needs its rows from 0 on')
    expect(refused.map(({ code }) => code)).toEqual(['RECORDS_DELETED'])
    expect(await ended('out')).toBe(before)
    expect(second.stageState('copy').waitsFor).toBe(undefined)
    await second.close()
  })

  test('error: rows that are deleted before they were read are not passed over', async () => {
    const { memory, append, ended } = await withRows()
    let isSlow = false
    const fetch: Log['fetch'] = async (positions, options) => {
      if (positions[0]?.topic !== 'table') return memory.fetch(positions, options)
      await systemClock.sleep(5)
      if (!isSlow) return memory.fetch(positions, { ...options, maxWaitMs: 0 })
      return positions.map((one) => ({ ...one, records: [], next: one.offset, start: 0, stable: 0, outOfRange: false }))
    }
    const refused: PositionLostError[] = []
    const runtime = await started(Object.assign(Object.create(memory) as Log, { fetch }), refused)
    await append('in')
    await expect.poll(() => ended('out')).toBeGreaterThan(0)
    isSlow = true
    await append('table', 'd')
    await append('table', 'e')
    await memory.deleteRecords([{ ...at('table'), offset: 5 }])
    isSlow = false
    await expect
      .poll(() => runtime.stageState('look-up').waitsFor)
      .toContain('table/0 begins at offset 5, but a global table was read from it up to 3 only')
    expect(refused.map(({ code }) => code)).toEqual(['RECORDS_DELETED'])
    await runtime.close()
  })
})
