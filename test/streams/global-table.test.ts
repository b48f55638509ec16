import { expect, test } from 'vitest'
import { createSimulatedLog } from '../../connectors/log/simulated/simulated.ts'
import type { SimulatedLog } from '../../connectors/log/simulated/simulated-log.ts'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { plainTopic, text, topicOf } from './fixture.ts'

const input = plainTopic('in')
const output = topicOf('out', text)
const table = { ...plainTopic('table'), cleanup: 'compact' as const }

/** Writes what the table says of each key. */
function topology() {
  const builder = createStreamsBuilder()
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
    simulation.core.settle(simulation.core.stage([record], false), 'committed')
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
