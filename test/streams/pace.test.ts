import { expect, test } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { createSimulatedLog } from '../../connectors/log/simulated/simulated.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import type { OutgoingRecord } from '../../streams/ports.ts'
import type { ProcessorSupplier } from '../../streams/processor.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import type { RuntimeObserver } from '../../streams/runtime-observer.ts'
import { keyValueStore } from '../../streams/store.ts'
import { plainTopic, text } from './fixture.ts'

const input = plainTopic('in')
const recordOf = (value: string): OutgoingRecord => ({
  topic: 'in',
  partition: 0,
  timestamp: 1,
  key: Buffer.from('key'),
  value: Buffer.from(value),
})

type Copied = { readonly copies: readonly [string, string] }
const copy: ProcessorSupplier<string, string, Copied> = (context) => ({
  process: (key, value) => void context.outputs.copies.send(key, value),
})

test('behavior: a background stage works when no other has something to do', async () => {
  const builder = createStreamsBuilder()
  for (const name of ['later', 'sooner'])
    builder
      .stream(input)
      .process(name, ['copies'], copy)
      .copies.to(plainTopic(`${name}-out`))
  const log = createMemoryLog()
  await log.createTopics([{ name: 'in', partitions: 1, cleanup: 'delete' }])
  const appender = await log.appender()
  await appender.append(Array.from({ length: 8_000 }, (_, i) => recordOf(`${i}`)))
  const slices: string[] = []
  const done = new Map<string, number>()
  const observer: RuntimeObserver = {
    processed(stage, _partition, records) {
      slices.push(stage)
      done.set(stage, (done.get(stage) ?? 0) + records)
    },
  }
  const options = { appId: 'app', instanceId: 'one', log, clock: systemClock, observer }
  const runtime = new StreamsRuntime(builder.build(), { ...options, background: ['later'] })
  await runtime.start()
  while (done.get('later') !== 8_000) await systemClock.sleep(5)
  await runtime.close()
  await log.close()
  expect(slices.length).toBeGreaterThan(10)
  expect(slices.indexOf('later')).toBeGreaterThan(slices.lastIndexOf('sooner'))
})

test.each([50, 5_000])(
  'behavior: a task that has written to its stores only commits after ten times as long, also when it stood still for %i ms',
  async (still) => {
    const counts = keyValueStore<string>('counts', text)
    const builder = createStreamsBuilder()
    builder.stream(input).process('loud', ['copies'], copy).copies.to(plainTopic('out'))
    const count: ProcessorSupplier<string, string, Copied> = (context) => {
      const store = context.store(counts)
      return { process: (key, value) => void store.put(key, value) as undefined }
    }
    builder.stream(input).process('quiet', ['copies'], count, counts).copies.to(plainTopic('none'))
    const topology = builder.build()
    const simulation = createSimulatedLog({ seed: 1 })
    const { core, clock } = simulation
    core.createTopics([{ name: 'in', partitions: 1, cleanup: 'delete' }])
    const commits = new Map<string, number>()
    simulation.spawn('one', (log) => {
      const observer: RuntimeObserver = {
        committed: (stage) => void (commits.has(stage) || commits.set(stage, clock.now())),
      }
      const settings = { commitIntervalMs: 100, yieldToLoop: () => log.clock.sleep(0) }
      const runtime = new StreamsRuntime(topology, {
        ...settings,
        appId: 'app',
        instanceId: 'one',
        log,
        clock: log.clock,
        observer,
      })
      void runtime.start()
    })
    const started = clock.now()
    clock.schedule(still, 'record', () => core.conclude(core.stage([recordOf('a')], false), 'committed'))
    await simulation.run(() => commits.size === 2)
    expect(commits.get('loud')! - started).toBeLessThan(still + 200)
    expect(commits.get('quiet')! - started).toBeGreaterThanOrEqual(still + 1_000)
    expect(commits.get('quiet')! - started).toBeLessThan(still + 1_200)
  },
)

test('behavior: a burst is at most one record larger than it may be, however much a record makes', async () => {
  const KIB = 1024
  const builder = createStreamsBuilder()
  const swell: ProcessorSupplier<string, string, Copied> = (context) => ({
    process: (key) => void context.outputs.copies.send(key, 'x'.repeat(10 * KIB)),
  })
  builder.stream(input).process('swell', ['copies'], swell).copies.to(plainTopic('out'))
  const log = createMemoryLog()
  await log.createTopics([{ name: 'in', partitions: 1, cleanup: 'delete' }])
  const appender = await log.appender()
  await appender.append(Array.from({ length: 60 }, (_, i) => recordOf(`${i}`)))
  const bursts: number[] = []
  let written = 0
  const observer: RuntimeObserver = {
    committed(_stage, _partition, _outcome, { records, bytes }) {
      bursts.push(bytes)
      written += records
    },
  }
  const options = { appId: 'app', instanceId: 'one', log, clock: systemClock, observer }
  const runtime = new StreamsRuntime(builder.build(), { ...options, burstBytesMax: 50 * KIB })
  await runtime.start()
  while (written < 60) await systemClock.sleep(5)
  await runtime.close()
  await log.close()
  expect(Math.max(...bursts)).toBeLessThanOrEqual(60 * KIB)
})
