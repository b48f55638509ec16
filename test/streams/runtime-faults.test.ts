import { expect, test } from 'vitest'
import { everyFault, type Faults } from '../../connectors/log/simulated/faults.ts'
import { createSimulatedLog, type Simulation } from '../../connectors/log/simulated/simulated.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { isEnd } from './fixture.ts'
import { type Sum, sumsTopics, sumsTopology } from './sums.ts'

/** The sums application, run by several instances in simulated time. The big simulation is in test/simulation. */
const ROUNDS = 6
const NUMBERS_PER_ROUND = 40
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const ROUND_MS = 3_000

const topics = sumsTopics({ input: 2, middle: 3 })
const topology = sumsTopology(topics)

function spawn(simulation: Simulation, instanceId: string, failures: Error[]): void {
  const standbys = simulation.seed % 3
  simulation.spawn(instanceId, (log) => {
    const runtime = new StreamsRuntime(topology, {
      appId: 'app',
      instanceId,
      log,
      clock: log.clock,
      purgeIntervalMs: 200,
      standbys,
      yieldToLoop: () => log.clock.sleep(0),
      onFailure: (error) => failures.push(error),
    })
    runtime.start().catch((error) => failures.push(error))
  })
}

/** Appends in the log itself, so that the input is certain: numbers at random times, then the end of their round. */
function feed(simulation: Simulation): Map<string, number> {
  const { core, random, clock } = simulation
  const sums = new Map<string, number>()
  const append = (topic: string, partition: number, key: string, value: Uint8Array) => {
    const record = { topic, partition, timestamp: clock.now(), key: Buffer.from(key), value }
    core.conclude(core.stage([record], false), 'committed')
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < NUMBERS_PER_ROUND; i++) {
      const key = `${round}/${NAMES[Math.floor(random.next() * NAMES.length)]}`
      const number = Math.floor(random.next() * 100)
      sums.set(key, (sums.get(key) ?? 0) + number)
      const at = random.next() * (round + 1) * ROUND_MS // any time before the end of its round
      const partition = random.next() < 0.5 ? 0 : 1
      clock.schedule(at, 'number', () => append('numbers', partition, key, topics.numbers.value.encode(number)))
    }
    clock.schedule((round + 1) * ROUND_MS, 'end', () => append('ends', 0, 'x', Buffer.from(`${round}`)))
  }
  return sums
}

function committed(simulation: Simulation): Sum[] {
  return [...simulation.core.partition({ topic: 'sums-out', partition: 0 }).visible()].map(({ value }) =>
    topics.sums.value.decode(value!),
  )
}

async function run(seed: number, instances: number, faults: Partial<Faults>): Promise<void> {
  const simulation = createSimulatedLog({ seed, faults })
  simulation.core.createTopics([
    ...topology.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })),
    { name: 'dead', partitions: 1, cleanup: 'delete' },
  ])
  const failures: Error[] = []
  const expected = feed(simulation)
  for (let i = 0; i < instances; i++) spawn(simulation, `instance-${i}`, failures)
  const { clock } = simulation
  const faultsEnd = clock.now() + ROUNDS * ROUND_MS + 5_000
  await simulation.run(() => clock.now() >= faultsEnd || failures.length > 0)
  simulation.heal()
  await simulation.run(() => committed(simulation).length >= expected.size || failures.length > 0)
  const quiet = clock.now() + 10_000 // whatever is late or doubled shows up
  await simulation.run(() => clock.now() >= quiet || failures.length > 0)
  expect(failures, `seed ${seed}`).toEqual([])
  const sums = committed(simulation).map(({ round, name, sum }) => [`${round}/${name}`, sum])
  expect(sums.sort(), `seed ${seed}`).toEqual([...expected].sort())
  const markers = [...simulation.core.partition({ topic: 'numbers', partition: 0 }).visible()].filter(({ value }) =>
    isEnd(topics.numbers.value.decode(value!)),
  )
  expect(markers, `seed ${seed}`).toHaveLength(ROUNDS)
}

const SEEDS = Number(process.env.SEEDS ?? 12)
const FIRST = Number(process.env.SEED ?? 1)
const seeds = Array.from({ length: SEEDS }, (_, at) => FIRST + at)

test('default: one instance without faults', () => run(1, 1, {}))
test('default: three instances without faults', () => run(2, 3, {}))

const SETS: Record<string, Partial<Faults>> = {
  'lost answers and requests': { latencyMsMax: 20, lostAnswer: 0.15, lostRequest: 0.15 },
  'refused commits and requests': { latencyMsMax: 20, abortedCommit: 0.2, refusedRequest: 0.1 },
  'fetch answers that come again': { latencyMsMax: 20, repeatedFetch: 0.3 },
  crashes: { latencyMsMax: 20, crashEveryMs: 1_500 },
  'instances that stand still': { latencyMsMax: 20, pauseEveryMs: 2_000 },
  rebalances: { latencyMsMax: 20, rebalanceEveryMs: 400 },
}

test.each(Object.entries(SETS))('behavior: every sum once, under %s', async (_name, faults) => {
  for (const seed of seeds.slice(0, Math.ceil(SEEDS / 3))) await run(seed, 3, faults)
})

test('behavior: every sum once, under all faults together', async () => {
  for (const seed of seeds) await run(seed, 3, everyFault)
})
