import { describe, expect, test } from 'vitest'
import { everyFault, type Faults, noFaults } from '../../../../connectors/log/simulated/faults.ts'
import { createSimulatedLog, type Simulation } from '../../../../connectors/log/simulated/simulated.ts'
import type { SimulatedLog } from '../../../../connectors/log/simulated/simulated-log.ts'
import type { CommitOutcome } from '../../../../streams/ports.ts'
import { records, text } from '../../../contract/log-kit.ts'
import { allGuards, Copier, type Guards, SINK, SOURCE } from '../embedded/copier.ts'

const PARTITIONS = 3
const RECORDS = 240
const FAULTY_MS = 60_000
const SEEDS = 60

describe('exactly once', () => {
  test(`default: ${SEEDS} seeds with every fault lose nothing and double nothing`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) expect(await copyWith(seed, allGuards), `seed ${seed}`).toEqual([])
  })

  for (const guard of ['gate', 'settle', 'exact', 'drop', 'fenceFirst'] as const) {
    test(`behavior: without the guard ${guard} some seed loses or doubles records`, async () => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const wrong = await copyWith(seed, { ...allGuards, [guard]: false })
        if (wrong.length > 0) return
      }
      throw new Error(`${SEEDS} seeds did not notice`)
    })
  }

  test('behavior: a seed replays exactly, another seed does not', async () => {
    const prints = [7, 7, 8].map(async (seed) => {
      const simulation = createSimulatedLog({ seed, faults: everyFault })
      await copyAll(simulation, allGuards)
      return [simulation.fingerprint, simulation.steps, simulation.trace]
    })
    const [first, again, other] = await Promise.all(prints)
    expect(again).toEqual(first)
    expect(other![0]).not.toBe(first![0])
  })
})

describe('faults, one by one', () => {
  test('behavior: a lost answer is unknown, and the burst is there', async () => {
    const { simulation, log } = one({ lostAnswer: 1 })
    const { outcome } = await commitOne(simulation, log)
    expect([outcome, seen(simulation)]).toEqual(['unknown', ['a']])
  })

  test('behavior: a lost append is an indefinite error, whether it is there or not', async () => {
    for (const faults of [{ lostAnswer: 1 }, { lostRequest: 1 }]) {
      const { simulation, log } = one(faults)
      const appending = log.appender().then((appender) => appender.append(records(SINK, 0, 'a')))
      await expect(through(simulation, appending)).rejects.toMatchObject({ indefinite: true, retriable: true })
      expect(seen(simulation)).toEqual('lostAnswer' in faults ? ['a'] : [])
    }
  })

  test('behavior: a lost commit holds the stable offset back, and arrives late unless a new writer was opened', async () => {
    for (const reopens of [false, true]) {
      const { simulation, log } = one({ lostRequest: 1, requestTimeoutMs: 10, latencyMsMax: 1 }, 3)
      const { outcome } = await commitOne(simulation, log)
      expect(outcome).toBe('unknown')
      const late = seen(simulation).length > 0
      if (late) continue
      expect(simulation.core.partition({ topic: SINK, partition: 0 })).toMatchObject({ stable: 0, end: 2 })
      if (reopens) await through(simulation, log.transactionalWriter('writer'))
      await through(simulation, simulation.clock.sleep(60))
      expect(seen(simulation)).toEqual(reopens ? [] : ['a'])
      expect(simulation.core.partition({ topic: SINK, partition: 0 }).stable).toBe(2)
    }
  })

  test('behavior: a refused commit leaves a hole that positions jump over', async () => {
    const { simulation, log } = one({ abortedCommit: 1 })
    const { outcome } = await commitOne(simulation, log)
    expect([outcome, seen(simulation)]).toEqual(['aborted', []])
    const options = { maxWaitMs: 0, maxBytesPerPartition: 100 }
    const [fetched] = await through(simulation, log.fetch([{ topic: SINK, partition: 0, offset: 0 }], options))
    expect(fetched).toMatchObject({ records: [], next: 2, stable: 2, outOfRange: false })
  })

  test('behavior: a dead instance hears nothing any more, not even time', async () => {
    const { simulation, log } = one({ latencyMsMax: 10 })
    let heard = false
    const hear = (): void => {
      heard = true
    }
    void log.bounds([{ topic: SINK, partition: 0 }]).then(hear, hear)
    void log.clock.sleep(1).then(hear)
    simulation.crash('one')
    void log.appender().then((appender) => appender.append(records(SINK, 0, 'a')).then(hear, hear))
    await through(simulation, simulation.clock.sleep(60_000))
    expect([heard, seen(simulation)]).toEqual([false, []])
  })

  test('behavior: a member that is paused too long is thrown out, and fenced when it goes on', async () => {
    const { simulation, log } = one({})
    const other = simulation.connect('two')
    const told: string[] = []
    const generations: { memberId: string; generation: number }[] = []
    const join = { group: 'g', topics: [SINK], fingerprint: 'f' }
    await through(
      simulation,
      log.join(
        { ...join, instanceId: 'one' },
        { assigned: (_, identity) => generations.push(identity), lost: () => told.push('lost') },
      ),
    )
    await through(
      simulation,
      other.join(
        { ...join, instanceId: 'two' },
        { assigned: (all) => told.push(`two: ${all.length}`), lost: () => {} },
      ),
    )
    const writer = await through(simulation, log.transactionalWriter('writer'))
    await through(simulation, simulation.clock.sleep(10))
    simulation.pause('one')
    const commits = [{ topic: SINK, partition: 0, next: 1, metadata: '' }]
    const offsets = { group: 'g', commits, membership: generations.at(-1)! }
    const committing = writer.commit({ records: records(SINK, 0, 'zombie'), offsets })
    await through(simulation, simulation.clock.sleep(noFaults.sessionTimeoutMs + 1))
    expect(told.at(-1)).toBe(`two: ${PARTITIONS}`)
    simulation.resume('one')
    expect(await through(simulation, committing)).toMatchObject({ outcome: 'fenced' })
    await through(simulation, simulation.clock.sleep(10))
    expect([told.at(-1), seen(simulation)]).toEqual(['lost', []])
  })

  test('behavior: a repeated answer has records before the position, and never such as are behind it', async () => {
    const { simulation, log } = one({ repeatedFetch: 1 })
    stage(simulation, SINK, 0, 'a')
    stage(simulation, SINK, 0, 'b')
    const options = { maxWaitMs: 0, maxBytesPerPartition: 1 }
    const fetchAt = async (offset: number) => {
      const [fetched] = await through(simulation, log.fetch([{ topic: SINK, partition: 0, offset }], options))
      return fetched!.records.map((record) => record.offset)
    }
    expect([await fetchAt(1), await fetchAt(0), await fetchAt(1)]).toEqual([[1], [0], [0]])
  })

  test('error: a run that gets nowhere says its seed and its last steps', async () => {
    const { simulation } = one({}, 4711)
    await expect(simulation.run(() => false, { stepsMax: 5 })).rejects.toThrow(/seed 4711.*5 steps/)
  })
})

/** @returns what is wrong with the copy: empty when it is exact */
async function copyWith(seed: number, guards: Guards): Promise<string[]> {
  const simulation = createSimulatedLog({ seed, faults: everyFault })
  try {
    await copyAll(simulation, guards)
  } catch (error) {
    return [String(error)]
  }
  return Array.from({ length: PARTITIONS }, (_, partition) => partition).flatMap((partition) => {
    const [wanted, got] = [SOURCE, SINK].map((topic) => seen(simulation, topic, partition).join())
    return wanted === got ? [] : [`partition ${partition}: ${got} instead of ${wanted}`]
  })
}

/** Three instances copy what comes in while everything goes wrong; then nothing goes wrong until all is copied. */
async function copyAll(simulation: Simulation, guards: Guards): Promise<void> {
  const topics = [SOURCE, SINK].map((name) => ({ name, partitions: PARTITIONS, cleanup: 'delete' as const }))
  simulation.core.createTopics(topics)
  for (let number = 0; number < RECORDS; number++) {
    const at = (number * FAULTY_MS) / RECORDS
    simulation.clock.schedule(at, 'input', () => stage(simulation, SOURCE, number % PARTITIONS, `${number}`))
  }
  const begun = simulation.clock.now()
  for (const id of ['one', 'two', 'three']) simulation.spawn(id, (log) => void new Copier(log, guards).start())
  await simulation.run(() => simulation.clock.now() >= begun + FAULTY_MS)
  simulation.heal()
  const copied = () => {
    let count = 0
    for (let partition = 0; partition < PARTITIONS; partition++) count += seen(simulation, SINK, partition).length
    return count >= RECORDS
  }
  await simulation.run(copied, { timeMsMax: 300_000 })
  const end = simulation.clock.now() + 20_000 // what was late or a zombie gets its chance to do harm
  await simulation.run(() => simulation.clock.now() >= end)
}

function one(faults: Partial<Faults>, seed = 1): { simulation: Simulation; log: SimulatedLog } {
  const simulation = createSimulatedLog({ seed, faults })
  simulation.core.createTopics([{ name: SINK, partitions: PARTITIONS, cleanup: 'delete' }])
  return { simulation, log: simulation.connect('one') }
}

async function commitOne(simulation: Simulation, log: SimulatedLog): Promise<CommitOutcome> {
  const writer = await through(simulation, log.transactionalWriter('writer'))
  return await through(simulation, writer.commit({ records: records(SINK, 0, 'a') }))
}

/** Lets the simulation run until the promise is settled. */
async function through<T>(simulation: Simulation, promise: Promise<T>): Promise<T> {
  let settled = false
  promise
    .finally(() => {
      settled = true
    })
    .catch(() => {})
  await simulation.run(() => settled)
  return await promise
}

function stage(simulation: Simulation, topic: string, partition: number, value: string): void {
  simulation.core.conclude(simulation.core.stage(records(topic, partition, value), false), 'committed')
}

function seen(simulation: Simulation, topic = SINK, partition = 0): (string | null)[] {
  return [...simulation.core.partition({ topic, partition }).visible()].map(({ value }) => text(value))
}
