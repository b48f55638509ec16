import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { createHealth } from '../../../ops/base/health.ts'
import { readableForRoles } from '../../../ops/run/readable.ts'
import { createMetrics } from '../../../ops/watch/metrics/create.ts'
import { createCodec, createSerde } from '../../../schemas/codec.ts'
import { type AvroSchema, subjectSchema } from '../../../schemas/load.ts'
import { SUBJECTS } from '../../../schemas/subjects.ts'
import type { SlotKey, SlotOwner } from '../../../schemas/types.ts'
import { createStreamsBuilder } from '../../../streams/create-builder.ts'
import type { LogRecord } from '../../../streams/ports.ts'
import { StreamsRuntime } from '../../../streams/runtime.ts'
import { sequencerStores } from '../../../topology/stores.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { append, record } from '../../contract/log-kit.ts'
import { useRegistry } from '../../real/registry.ts'

const { server } = useRegistry()
const partitions = { submissions: 2, validated: 1, admitted: 1, finalizations: 1, verdicts: 2 }

/** The newest version of `subject` with one more field, as the next version of the program would have it. */
function nextVersion(subject: 'slots-key' | 'slots-value'): AvroSchema {
  const now = subjectSchema(SUBJECTS[subject]) as unknown as { fields: object[] }
  const region = { name: 'region', type: 'string', default: 'eu' }
  return { ...now, fields: [...now.fields, region] } as unknown as AvroSchema
}

test('behavior: a stage parks the partition, says so, and processes every record once the registry is back', async () => {
  const codec = await createCodec(createConfluentRegistry({ url: server().url }))
  const topics = sequencerTopics(codec, { prefix: '', partitions })
  const slots = { ...topics.slots, name: 'seats', partitions: 2, cleanup: 'delete' as const }
  const metrics = createMetrics({ version: 'test', roles: [], markets: [] })
  const health = createHealth(['copy'], systemClock.now)
  const reading = new AbortController()
  const memory = createMemoryLog({})
  const log = readableForRoles({
    log: memory,
    codec,
    topics: { ...topics, slots },
    stores: sequencerStores(codec),
    appId: 'app',
    metrics,
    health,
    signal: reading.signal,
  })

  // The next version registers its schemas, writes a record to partition 0, and the registry goes away.
  const registry = createConfluentRegistry({ url: server().url })
  const [keyId, valueId] = await Promise.all(
    (['slots-key', 'slots-value'] as const).map((subject) => registry.register(subject, nextVersion(subject))),
  )
  const key = createSerde('slots-key', { id: keyId!, schema: nextVersion('slots-key') }, new Map())
  const value = createSerde('slots-value', { id: valueId!, schema: nextVersion('slots-value') }, new Map())
  await server().stop()

  const out = { name: 'out', partitions: 2, cleanup: 'delete' as const }
  await log.createTopics([out, { name: 'dead', partitions: 1, cleanup: 'delete' }])
  const builder = createStreamsBuilder()
  builder.deadLetters('dead')
  const copied = builder
    .stream(slots)
    .process<{ copies: readonly [SlotKey, SlotOwner] }>('copy', ['copies'], (context) => ({
      process(seat, owner) {
        context.outputs.copies.send(seat, owner)
        return undefined
      },
    }))
  copied.copies.to({ ...slots, ...out })
  const failures: Error[] = []
  const options = { appId: 'app', instanceId: 'one', log, clock: systemClock }
  const runtime = new StreamsRuntime(builder.build(), { ...options, onFailure: (error) => failures.push(error) })
  await runtime.start()

  const old = { slotId: 1, history: [] }
  const newer = { slotId: 2, history: [], region: 'us' }
  const oldKey = topics.slots.key.encode({ slotId: 1 })
  await append(log, [
    { ...record('seats', 0, null), key: oldKey, value: topics.slots.value.encode(old as never) },
    { ...record('seats', 0, null), key: key.encode({ slotId: 2, region: 'us' }), value: value.encode(newer) },
    { ...record('seats', 1, null), key: oldKey, value: topics.slots.value.encode(old as never) },
  ])
  const written = async (): Promise<LogRecord[]> => {
    const positions = [0, 1].map((partition) => ({ topic: 'out', partition, offset: 0 }))
    const fetched = await memory.fetch(positions, { maxWaitMs: 0, maxBytesPerPartition: 1 << 20 })
    return fetched.flatMap(({ records }) => records)
  }

  // Partition 1 goes on while partition 0 waits, and the process says what it waits for.
  await expect.poll(async () => (await written()).length, { timeout: 30_000 }).toBe(1)
  await expect.poll(() => health.report().roles.schemas?.ready, { timeout: 60_000 }).toBe(false)
  expect(health.report().roles.schemas!.detail).toMatch(/^seats\/0 waits: schema id \d+ at .*ECONNREFUSED/)
  expect(await metrics.text()).toContain('seq_partition_parked{topic="seats",partition="0"} 1')
  expect(await written()).toHaveLength(1)

  await server().restart()
  await expect.poll(async () => (await written()).length, { timeout: 60_000 }).toBe(3)
  const copies = (await written()).map((copy) => topics.slots.value.decode(copy.value!).slotId)
  expect(copies.sort()).toEqual([1, 1, 2])
  await expect.poll(() => health.report().roles.schemas).toMatchObject({ ready: true })
  expect(await metrics.text()).toContain('seq_partition_parked{topic="seats",partition="0"} 0')
  const dead = await memory.bounds([{ topic: 'dead', partition: 0 }])
  expect([failures, dead[0]!.stable]).toEqual([[], 0])
  await runtime.close()
  reading.abort()
  await memory.close()
})
