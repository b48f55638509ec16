/**
 * Every topic as somebody else reads it: bytes by librdkafka (kcat) and by Apache's client in Java, schemas from the
 * registry by the field's client, which decodes with plain avsc. None of our reading code is used.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaLog } from '../../../connectors/log/kafka/kafka-log.ts'
import { createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { findTool } from '../../../ops/world/brokers/tools.ts'
import { type Codec, createCodec } from '../../../schemas/codec.ts'
import { type AvroSchema, subjectSchema } from '../../../schemas/load.ts'
import { SUBJECTS, type Subject, type SubjectName } from '../../../schemas/subjects.ts'
import type { Log } from '../../../streams/ports.ts'
import { installMissing } from '../../real/debian.ts'
import { sharedKafka, uniqueName } from '../../real/kafka.ts'
import { useRegistry } from '../../real/registry.ts'
import { arbitraryOf } from '../../schemas/arbitrary.ts'

const SEED = 20_251_125
const VALUES = 20
const TOOL = { timeout: 120_000, maxBuffer: 64 * 1024 * 1024 }

const { bootstrap, libraries } = sharedKafka()
const execute = promisify(execFile)
const { server } = useRegistry()
const prefix = `${uniqueName('readers')}-`
const names = Object.keys(SUBJECTS).flatMap((name) => (name.endsWith('-key') ? [name.slice(0, -'-key'.length)] : []))
let codec: Codec
let log: Log
let client: SchemaRegistry

beforeAll(async () => {
  installMissing(['kcat'])
  codec = await createCodec(createConfluentRegistry({ url: server().url }), prefix)
  client = new SchemaRegistry({ host: server().url })
  log = await openKafkaLog({ brokers: bootstrap, clientId: 'readers', clock: systemClock, replicationFactor: 1 })
  await log.createTopics(names.map((name) => ({ name: prefix + name, partitions: 1, cleanup: 'delete' })))
}, 900_000)
afterAll(async () => {
  await log?.close()
})

interface Bytes {
  readonly key: Buffer
  readonly value: Buffer
}

/** As the field's client gives it: the branch of a union by its full name around the value. */
function asTheirs(name: string, value: unknown): unknown {
  const subject: Subject = SUBJECTS[name as SubjectName]
  const schema = subjectSchema(subject)
  if (!Array.isArray(schema)) return value
  const branch = schema[subject.branch!(value as object)] as AvroSchema & { namespace: string; name: string }
  return { [`${branch.namespace}.${branch.name}`]: value }
}

const sample = (name: string): unknown[] =>
  fc.sample(arbitraryOf(subjectSchema(SUBJECTS[name as SubjectName])), { numRuns: VALUES, seed: SEED })

/** Writes the samples of a topic in one transaction. */
async function write(name: string): Promise<{ keys: unknown[]; values: unknown[] }> {
  const [keys, values] = [sample(`${name}-key`), sample(`${name}-value`)]
  const encode = (subject: string, value: unknown) => codec.serde<unknown>(subject as SubjectName).encode(value)
  const headers = [{ key: 'trace', value: Buffer.from('1') }]
  const records = keys.map((key, at) => ({
    topic: prefix + name,
    partition: 0,
    timestamp: 1_704_067_200_000,
    key: encode(`${name}-key`, key),
    value: encode(`${name}-value`, values[at]),
    headers,
  }))
  const writer = await log.transactionalWriter(`${prefix}${name}`)
  expect(await writer.commit({ records })).toMatchObject({ outcome: 'committed' })
  await writer.close()
  return { keys, values }
}

const decoded = async (records: readonly Bytes[]) => ({
  keys: await Promise.all(records.map(({ key }) => client.decode(key))),
  values: await Promise.all(records.map(({ value }) => client.decode(value))),
})
/** Prototypes of avsc's records, and those of their buffers, are not compared. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** kcat prints the lengths before the bytes. */
async function readWithKcat(topic: string): Promise<Bytes[]> {
  const args = ['-C', '-b', bootstrap.join(), '-t', topic, '-e', '-q', '-X', 'isolation.level=read_committed']
  const { stdout } = await execute(findTool('kcat'), [...args, '-f', '%K %S %h\\n%k%s'], {
    ...TOOL,
    encoding: 'buffer',
  })
  const records: Bytes[] = []
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(0x0a, at)
    const [keyLength, valueLength, headers] = stdout.subarray(at, end).toString().split(' ')
    expect(headers).toBe('trace=1')
    const valueAt = end + 1 + Number(keyLength)
    at = valueAt + Number(valueLength)
    records.push({ key: stdout.subarray(end + 1, valueAt), value: stdout.subarray(valueAt, at) })
  }
  return records
}

test.each(names)('behavior: kcat reads %s, and its keys and values through the registry', async (name) => {
  const { keys, values } = await write(name)
  const read = await decoded(await readWithKcat(prefix + name))
  expect(plain(read.keys)).toEqual(plain(keys.map((key) => asTheirs(`${name}-key`, key))))
  expect(plain(read.values)).toEqual(plain(values.map((value) => asTheirs(`${name}-value`, value))))
})

/** Java's Bytes prints what is no printable ASCII, and the backslash, as \xNN. */
const fromJava = (text: string): Buffer =>
  Buffer.from(
    text.replace(/\\x([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )

test('behavior: the console consumer of Java reads verdicts, keys and values through the registry', async () => {
  const topic = `${prefix}verdicts`
  const expected = await decoded(await readWithKcat(topic))
  const deserializer = 'org.apache.kafka.common.serialization.BytesDeserializer'
  const shown = ['print.key=true', 'print.headers=true', 'key.separator= | ']
  const formatter = [...shown, `key.deserializer=${deserializer}`, `value.deserializer=${deserializer}`].flatMap(
    (property) => ['--formatter-property', property],
  )
  const consumer = ['--topic', topic, '--from-beginning', '--isolation-level', 'read_committed']
  const limits = ['--max-messages', String(VALUES), '--timeout-ms', '60000']
  const jvm = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(libraries, '*')]
  const tool = ['org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', bootstrap.join()]
  const { stdout } = await execute(findTool('java'), [...jvm, ...tool, ...consumer, ...limits, ...formatter], TOOL)
  const records = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' | ') as [string, string, string])
    .map(([headers, key, value]) => ({ headers, key: fromJava(key), value: fromJava(value) }))
  expect(records.map(({ headers }) => headers)).toEqual(records.map(() => 'trace:1'))
  expect(plain(await decoded(records))).toEqual(plain(expected))
  expect(records).toHaveLength(VALUES)
})
