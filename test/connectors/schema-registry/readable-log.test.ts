import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { createSimulatedLog } from '../../../connectors/log/simulated/simulated.ts'
import { SchemaRegistryError } from '../../../connectors/schema-registry/errors.ts'
import { readableLog } from '../../../connectors/schema-registry/readable-log.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { createCodec, createSerde } from '../../../schemas/codec.ts'
import type { AvroSchema } from '../../../schemas/load.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { Log } from '../../../streams/ports.ts'
import { logContract } from '../../contract/log.ts'
import { append, cannot, fetchOne, record } from '../../contract/log-kit.ts'
import { PatientClock } from '../log/patient-clock.ts'

const nothingMissing = { missing: () => undefined, learn: async () => {}, learnVersions: async () => {} }

/** Between a log and its readers it must not show, as long as nothing is missing. */
logContract('memory, handing out what is readable', { maintains: true, reopens: false }, async () => {
  const clock = new PatientClock(1_000)
  const memory = createMemoryLog({ clock, maintenanceIntervalMs: 1_000 })
  const enveloped = { get: () => 'key and value' as const } as unknown as ReadonlyMap<string, 'key and value'>
  const log = readableLog({ log: memory, clock, codec: nothingMissing, enveloped })
  return {
    log,
    other: log,
    now: () => clock.now(),
    maintain: (ms) => clock.maintain(ms),
    reopen: cannot,
    close: () => log.close(),
  }
})

const FOREIGN_ID = 900
const foreign = {
  type: 'record',
  name: 'SlotKey',
  namespace: 'powerloom.sequencer',
  fields: [
    { name: 'slotId', type: 'long' },
    { name: 'region', type: 'string', default: '' },
  ],
} as unknown as AvroSchema

let away: boolean
let asked: number
let bare: Log
let log: Log
let said: string[]
let decode: (bytes: Uint8Array) => unknown
const known = { encode: (_: object): Uint8Array => Buffer.alloc(0) }
const unknown = createSerde('slots-key', { id: FOREIGN_ID, schema: foreign }, new Map())

beforeEach(async () => {
  away = true
  asked = 0
  said = []
  const registry = {
    ...memoryRegistry(),
    schemaOf: async () => {
      asked++
      if (away) throw new Error('the registry is away')
      return foreign
    },
  }
  const codec = await createCodec(registry)
  known.encode = codec.serde<object>('slots-key').encode
  decode = codec.serde('slots-key').decode
  bare = createMemoryLog({})
  log = readableLog({
    log: bare,
    clock: systemClock,
    codec,
    enveloped: new Map([['slots', 'key and value']]),
    observer: {
      parked: ({ topic, partition }, cause) => said.push(`${topic}/${partition}: ${cause.message}`),
      resumed: ({ topic, partition }) => said.push(`${topic}/${partition} goes on`),
    },
  })
  await log.createTopics(['slots', 'dead'].map((name) => ({ name, partitions: 2, cleanup: 'delete' as const })))
})
afterEach(() => log.close())

const put = (topic: string, partition: number, ...values: Uint8Array[]) =>
  append(
    log,
    values.map((value) => ({ ...record(topic, partition, null), value })),
  )
const both = [0, 1].map((partition) => ({ topic: 'slots', partition, offset: 0 }))
const options = { maxWaitMs: 0, maxBytesPerPartition: 1 << 20 }
const values = (records: readonly { value: Uint8Array | null }[]) => records.map(({ value }) => decode(value!))

describe('a partition with a record of an unknown schema', () => {
  test('behavior: is parked with its position, while the others go on', async () => {
    await put('slots', 0, known.encode({ slotId: 1 }), unknown.encode({ slotId: 2, region: 'eu' }))
    await put('slots', 1, known.encode({ slotId: 3 }))
    for (let round = 0; round < 3; round++) {
      const [parked, free] = await log.fetch(both, options)
      expect(parked).toEqual({
        topic: 'slots',
        partition: 0,
        records: [],
        next: 0,
        start: 0,
        stable: 2,
        outOfRange: false,
      })
      expect(values(free!.records)).toEqual([{ slotId: 3 }])
    }
    expect(said[0]).toBe('slots/0: the registry is away')
  })

  test('behavior: goes on by itself when the schema can be had, and nothing is lost', async () => {
    await put('slots', 0, known.encode({ slotId: 1 }), unknown.encode({ slotId: 2, region: 'eu' }))
    const stop = new AbortController()
    const fetching = log.fetch(both.slice(0, 1), { ...options, signal: stop.signal })
    await expect.poll(() => said.length).toBeGreaterThan(1)
    away = false
    const [answer] = await fetching
    expect(values(answer!.records)).toEqual([{ slotId: 1 }, { slotId: 2 }])
    expect(said.at(-1)).toBe('slots/0 goes on')
    const asksSoFar = asked
    expect(values((await fetchOne(log, 'slots', 1)).records)).toEqual([{ slotId: 2 }])
    expect(asked).toBe(asksSoFar)
  })

  test('default: nothing is said of one whose schema comes at once', async () => {
    away = false
    await put('slots', 0, unknown.encode({ slotId: 2, region: 'eu' }))
    expect(values((await fetchOne(log, 'slots', 0)).records)).toEqual([{ slotId: 2 }])
    expect(said).toEqual([])
  })

  test('behavior: an unknown schema in the key parks too', async () => {
    const outgoing = { ...record('slots', 0, null), key: unknown.encode({ slotId: 2, region: '' }) }
    await append(log, [{ ...outgoing, value: known.encode({ slotId: 1 }) }])
    await put('slots', 1, known.encode({ slotId: 3 }))
    const [parked] = await log.fetch(both, options)
    expect(parked!.records).toEqual([])
  })

  test('behavior: a topic that is not enveloped is handed out as it is', async () => {
    await put('dead', 0, unknown.encode({ slotId: 2, region: '' }))
    expect((await fetchOne(log, 'dead', 0)).records).toHaveLength(1)
    expect(asked).toBe(0)
  })
})

describe('a fetch of parked partitions alone', () => {
  beforeEach(() => put('slots', 0, unknown.encode({ slotId: 2, region: 'eu' })))

  test('behavior: that can be stopped waits, and answers with nothing when it is', async () => {
    const stop = new AbortController()
    const fetching = log.fetch(both.slice(0, 1), { ...options, signal: stop.signal })
    await expect.poll(() => said.length).toBeGreaterThan(0)
    stop.abort()
    expect(await fetching).toMatchObject([{ records: [], next: 0 }])
  })

  test('error: that cannot be stopped fails in bounded time, and may be made again', async () => {
    await expect(fetchOne(log, 'slots', 0)).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
      retriable: true,
      message: 'slots/0 cannot be read: the registry is away',
    })
  })

  test('behavior: for a reader that tells of unknown schemas fails while the registry is away, then hands them out', async () => {
    let answer: Error = new SchemaRegistryError('REGISTRY_UNREACHABLE', 'the registry is away')
    const clock = { now: () => systemClock.now() * 100, sleep: (ms: number) => systemClock.sleep(ms / 100) }
    const codec = { missing: () => FOREIGN_ID, learn: () => Promise.reject(answer), learnVersions: async () => {} }
    const enveloped = new Map([['slots', 'value' as const]])
    const reader = readableLog({ log: bare, clock, codec, enveloped, handsOutUnknown: true })
    const read = () => fetchOne(reader, 'slots', 0)
    await expect(read()).rejects.toMatchObject({ code: 'SCHEMA_MISSING' })
    answer = new SchemaRegistryError('UNKNOWN_SCHEMA', 'schema id 900: not found')
    expect((await read()).records).toHaveLength(1)
    const startedAt = clock.now()
    expect((await read()).records).toHaveLength(1)
    expect(clock.now() - startedAt).toBeLessThan(5_000)
  })

  test('behavior: goes on when the record was deleted, though nobody ever has the schema', async () => {
    await put('slots', 0, known.encode({ slotId: 2 }))
    const asking = () => log.fetch(both.slice(0, 1), { ...options, signal: AbortSignal.timeout(1) })
    expect(await asking()).toMatchObject([{ records: [], next: 0 }])
    await expect.poll(() => said.length, { timeout: 30_000 }).toBeGreaterThan(0)
    await bare.deleteRecords([{ topic: 'slots', partition: 0, offset: 1 }])
    await expect.poll(() => said.at(-1), { timeout: 30_000 }).toBe('slots/0 goes on')
    expect(await log.fetch(both.slice(0, 1), options)).toMatchObject([{ outOfRange: true, start: 1 }])
    const [answer] = await log.fetch([{ topic: 'slots', partition: 0, offset: 1 }], options)
    expect(values(answer!.records)).toEqual([{ slotId: 2 }])
  })

  test('error: ends when the log is closed', async () => {
    const fetching = log.fetch(both.slice(0, 1), { ...options, signal: new AbortController().signal })
    const ended = expect(fetching).rejects.toMatchObject({ code: 'CLOSED' })
    await expect.poll(() => said.length).toBeGreaterThan(0)
    await log.close()
    await ended
  })
})

test('behavior: the registry is asked ever less often, and no more when nobody wants the partition', async () => {
  const simulation = createSimulatedLog({ seed: 1 })
  const { clock } = simulation
  const tries: number[] = []
  const codec = {
    missing: () => 7,
    learnVersions: async () => {},
    learn: async () => {
      tries.push(clock.now())
      throw new Error('away')
    },
  }
  const simulated = simulation.connect('reader')
  const reader = readableLog({ log: simulated, clock, codec, enveloped: new Map([['slots', 'value']]) })
  const stop = new AbortController()
  let over = false
  clock.schedule(60_000, 'stop', () => stop.abort())
  clock.schedule(600_000, 'over', () => {
    over = true
  })
  const running = simulation.run(() => over)
  await reader.createTopics([{ name: 'slots', partitions: 1, cleanup: 'delete' }])
  await append(simulated, [record('slots', 0, 'x')])
  const started = clock.now()
  await reader.fetch([{ topic: 'slots', partition: 0, offset: 0 }], { ...options, signal: stop.signal })
  await running
  const pauses = tries.map((at, i) => at - (tries[i - 1] ?? at)).slice(1)
  expect(pauses.slice(0, 7)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000])
  expect(Math.max(...pauses)).toBe(5_000)
  expect(tries.at(-1)! - started).toBeLessThan(130_000)
})

describe('a topic that others write too', () => {
  const WAIT_MS = 60
  let versions: { id: number; schema: AvroSchema }[]
  let registryAway: boolean
  let codec: Awaited<ReturnType<typeof createCodec>>
  let reader: Log
  let parked: number

  beforeEach(async () => {
    versions = []
    registryAway = false
    parked = 0
    const registry = memoryRegistry()
    codec = await createCodec({
      ...registry,
      versions: async (subject) => {
        if (registryAway) throw new SchemaRegistryError('REGISTRY_UNREACHABLE', 'the registry is away')
        return [...(await registry.versions(subject)), ...(subject === 'slots-key' ? versions : [])]
      },
    })
    const observer = { parked: () => void parked++ }
    const foreign = new Map([['slots', ['slots-key' as const]]])
    const enveloped = new Map([['slots', 'value' as const]])
    const options = { log: bare, clock: systemClock, enveloped, foreign, foreignWaitMs: WAIT_MS, observer }
    reader = readableLog({ ...options, codec })
  })
  const read = async (offset = 0) => (await fetchOne(reader, 'slots', offset)).records
  const idsIn = (records: readonly { value: Uint8Array | null }[]) =>
    records.map(({ value }) => Buffer.from(value!).readInt32BE(1))
  const framedAs = (id: number): Uint8Array => {
    const bytes = Buffer.alloc(6)
    bytes.writeInt32BE(id, 1)
    return bytes
  }

  test('behavior: an id that the registry does not have is handed out after the wait, and its partition goes on', async () => {
    await put('slots', 0, unknown.encode({ slotId: 2, region: 'eu' }), known.encode({ slotId: 3 }))
    const started = systemClock.now()
    const records = await read()
    expect(systemClock.now() - started).toBeGreaterThanOrEqual(WAIT_MS)
    expect(idsIn(records)[0]).toBe(FOREIGN_ID)
    expect(() => codec.serde('slots-key').decode(records[0]!.value!)).toThrow(`schema id ${FOREIGN_ID} is not known`)
    expect(await read()).toHaveLength(2)
  })

  test('behavior: one id after the other does not hold it up: the wait comes once in ten minutes', async () => {
    await put('slots', 0, framedAs(1_001))
    await read()
    const before = parked
    for (let id = 1_002; id < 1_012; id++) {
      await put('slots', 0, framedAs(id))
      expect(idsIn(await read(id - 1_001))).toEqual([id])
    }
    expect(parked).toBe(before)
  })

  test('behavior: an id of ours that is registered meanwhile is waited for, and read', async () => {
    await put('slots', 0, unknown.encode({ slotId: 2, region: 'eu' }))
    const reading = read()
    versions = [{ id: FOREIGN_ID, schema: foreign }]
    const [first] = await reading
    expect(codec.serde('slots-key').decode(first!.value!)).toEqual({ slotId: 2 })
  })

  test('behavior: while the registry is away nothing is given up', async () => {
    registryAway = true
    await put('slots', 0, unknown.encode({ slotId: 2, region: 'eu' }))
    await expect.poll(async () => (await reader.fetch(both.slice(0, 1), signalled()))[0]!.records.length).toBe(0)
    await expect.poll(() => parked).toBeGreaterThan(2)
    registryAway = false
    expect(await read()).toHaveLength(1)
  })

  test.each([0, -1, -(2 ** 31)])(
    'error: id %i is nobody’s, so it is handed out at once, in every topic',
    async (id) => {
      await put('slots', 0, framedAs(id))
      expect((await fetchOne(log, 'slots', 0)).records).toHaveLength(1)
      expect(await read()).toHaveLength(1)
      expect(said).toEqual([])
      expect(() => codec.serde('slots-key').decode(framedAs(id))).toThrow(
        `schema id ${id}; no registry gives one below 1`,
      )
    },
  )
})

const signalled = () => ({ ...options, signal: AbortSignal.timeout(20) })
