import { expect, test } from 'vitest'
import { createSimulatedLog, type Simulation } from '../../connectors/log/simulated/simulated.ts'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { keyValueStore } from '../../streams/store.ts'
import { plainTopic, text, topicOf } from './fixture.ts'

/** One stage that keeps the newest value of each key; two instances, in simulated time without faults. */
const KEYS = 500
const newest = keyValueStore<string>('newest', text)
const input = plainTopic('in', 2)
const output = topicOf('out', text)

function topology() {
  const builder = createStreamsBuilder()
  builder
    .stream(input)
    .process<{ out: readonly [string, string] }>(
      'keep',
      ['out'],
      (context) => {
        const store = context.store(newest)
        return {
          process(key, value) {
            context.outputs.out.send(key, `${store.get(key) ?? 'nothing'} then ${value}`)
            store.put(key, value)
            return undefined
          },
        }
      },
      newest,
    )
    .out.to(output)
  return builder.build()
}

interface Opened {
  readonly instance: string
  readonly partition: number
  /** Changelog records read before the task ran. */
  readonly restored: number
}

function start(standbys: number) {
  const simulation = createSimulatedLog({ seed: 5, faults: { latencyMsMax: 10 } })
  const built = topology()
  simulation.core.createTopics(built.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })))
  const opened: Opened[] = []
  const failures: Error[] = []
  const spawn = (instance: string) =>
    simulation.spawn(instance, (log) => {
      const runtime = new StreamsRuntime(built, {
        appId: 'app',
        instanceId: instance,
        log,
        clock: log.clock,
        standbys,
        yieldToLoop: () => log.clock.sleep(0),
        observer: { restored: (_stage, partition, restored) => opened.push({ instance, partition, restored }) },
        onFailure: (error) => failures.push(error),
      })
      runtime.start().catch((error) => failures.push(error))
    })
  return { simulation, opened, failures, spawn }
}

function write({ core, clock }: Simulation, value: string): void {
  for (let i = 0; i < KEYS; i++) {
    const record = {
      topic: 'in',
      partition: i % 2,
      timestamp: clock.now(),
      key: Buffer.from(`${i}`),
      value: Buffer.from(value),
    }
    core.conclude(core.stage([record], false), 'committed')
  }
}

const written = ({ core }: Simulation) => [...core.partition({ topic: 'out', partition: 0 }).visible()]
const wait = (simulation: Simulation, ms: number): Promise<void> => {
  const end = simulation.clock.now() + ms
  return simulation.run(() => simulation.clock.now() >= end)
}

async function takeOver(standbys: number): Promise<Opened[]> {
  const { simulation, opened, failures, spawn } = start(standbys)
  spawn('a')
  spawn('b')
  await wait(simulation, 2_000)
  write(simulation, 'one')
  await simulation.run(() => written(simulation).length === KEYS)
  await wait(simulation, 2_000)
  opened.length = 0
  simulation.crash('a')
  write(simulation, 'two')
  await simulation.run(() => written(simulation).length === 2 * KEYS)
  expect(failures).toEqual([])
  const second = written(simulation).slice(KEYS)
  expect(new Set(second.map(({ value }) => Buffer.from(value!).toString()))).toEqual(new Set(['one then two']))
  return opened
}

test('default: without a standby the new owner reads the whole changelog', async () => {
  const opened = await takeOver(0)
  expect(opened.map(({ instance }) => instance)).toEqual(['b'])
  expect(opened[0]!.restored).toBeGreaterThanOrEqual(KEYS / 2)
})

test('behavior: with a standby the new owner has the state already, and it is the right one', async () => {
  const opened = await takeOver(1)
  expect(opened).toEqual([{ instance: 'b', partition: expect.any(Number), restored: 0 }])
})

test('behavior: a standby that fell behind what was purged begins anew, and misses nothing', async () => {
  const { simulation, opened, failures, spawn } = start(1)
  spawn('a')
  spawn('b')
  await wait(simulation, 2_000)
  write(simulation, 'one')
  await simulation.run(() => written(simulation).length === KEYS)
  await wait(simulation, 2_000)
  simulation.pause('b')
  for (const partition of [0, 1]) {
    const at = { topic: 'app-newest-changelog', partition }
    const first = [...simulation.core.partition(at).visible()]
    // What a scoped changelog does: the same state again, then everything before it goes.
    const again = first.map(({ key, value, timestamp }) => ({ ...at, key, value, timestamp }))
    simulation.core.conclude(simulation.core.stage(again, false), 'committed')
    simulation.core.partition(at).deleteBefore(first.at(-1)!.offset + 1)
  }
  await wait(simulation, 1_000)
  simulation.resume('b')
  await wait(simulation, 5_000)
  opened.length = 0
  simulation.crash('a')
  write(simulation, 'two')
  await simulation.run(() => written(simulation).length === 2 * KEYS)
  expect(failures).toEqual([])
  expect(opened.filter(({ instance }) => instance === 'b').length).toBeGreaterThan(0)
  const second = written(simulation).slice(KEYS)
  expect(new Set(second.map(({ value }) => Buffer.from(value!).toString()))).toEqual(new Set(['one then two']))
})
