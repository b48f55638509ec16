import { expect, test } from 'vitest'
import type { Faults } from '../../connectors/log/simulated/faults.ts'
import { createSimulatedLog } from '../../connectors/log/simulated/simulated.ts'
import { LogError } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { Trouble } from '../../streams/trouble.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

/** The sums application, whose log begins to fail when it is told to. */
async function startSums() {
  const simulation = createSimulatedLog({ seed: 1, faults: { sessionTimeoutMs: 600_000 } })
  const topics = sumsTopics({ input: 1, middle: 1 })
  const topology = sumsTopology(topics)
  simulation.core.createTopics([
    ...topology.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })),
    { name: 'dead', partitions: 1, cleanup: 'delete' },
  ])
  const failures: Error[] = []
  const started: StreamsRuntime[] = []
  let unread: LogError | undefined
  simulation.spawn('a', (log) => {
    const { clock } = log
    const fetch = log.fetch.bind(log)
    log.fetch = async (positions, options) =>
      (await fetch(positions, options)).map((answer) => (unread ? { ...answer, failure: unread } : answer))
    const yieldToLoop = () => clock.sleep(0)
    const onFailure = (error: Error) => failures.push(error)
    const runtime = new StreamsRuntime(topology, { appId: 'app', instanceId: 'a', log, clock, yieldToLoop, onFailure })
    started.push(runtime)
    runtime.start().catch(onFailure)
  })
  const [runtime] = started
  const waits = () => topology.stages.map(({ name }) => runtime!.stageState(name).waitsFor)
  const until = (done: () => boolean) => simulation.run(() => done() || failures.length > 0)
  await until(() => topology.stages.every(({ name }) => runtime!.stageState(name).ready))
  return {
    failures,
    waits,
    until,
    heal: () => simulation.heal(),
    cannotBeRead(failure: LogError | undefined) {
      unread = failure
    },
    begin: (faults: Partial<Faults>) => simulation.harm(faults),
    append() {
      const value = topics.numbers.value.encode(1)
      const record = { topic: 'numbers', partition: 0, timestamp: 0, key: Buffer.from('0/a'), value }
      simulation.core.conclude(simulation.core.stage([record], false), 'committed')
    },
  }
}

test('behavior: every stage says what keeps it when the log does not answer, and no longer when it does', async () => {
  const { begin, heal, until, waits, failures } = await startSums()
  expect(waits().every((words) => words === undefined)).toBe(true)
  begin({ refusedRequest: 1 })
  await until(() => waits().every((words) => words !== undefined))
  expect(waits()[0]).toMatch(/not available/)
  heal()
  await until(() => waits().every((words) => words === undefined))
  expect(failures).toEqual([])
})

test('behavior: a partition that a log answers for without having asked its leader keeps its stage too', async () => {
  const { append, cannotBeRead, until, waits } = await startSums()
  cannotBeRead(new LogError('UNREACHABLE', 'broker 2 does not answer', { retriable: true }))
  append()
  await until(() => waits().every((words) => words === 'broker 2 does not answer'))
  cannotBeRead(undefined)
  await until(() => waits().every((words) => words === undefined))
})

test('behavior: the stage whose commits are refused says so, and no other', async () => {
  const { begin, append, heal, until, waits, failures } = await startSums()
  begin({ abortedCommit: 1 })
  append()
  await until(() => waits().some((words) => words !== undefined))
  expect(waits().filter((words) => words !== undefined)).toHaveLength(1)
  heal()
  await until(() => waits().every((words) => words === undefined))
  expect(failures).toEqual([])
})

test('behavior: what is over within three seconds is not spoken of; the newest reason is', () => {
  let now = 0
  const trouble = new Trouble({ now: () => now, sleep: async () => {} })
  trouble.met('first')
  now = 2_999
  trouble.met('second')
  expect(trouble.lasting).toBeUndefined()
  now = 3_000
  expect(trouble.lasting).toBe('second')
  trouble.over()
  expect(trouble.lasting).toBeUndefined()
  trouble.met('anew')
  expect(trouble.lasting).toBeUndefined()
})
