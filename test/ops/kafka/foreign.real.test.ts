/**
 * What a foreign client writes into every topic of a sequencer that runs: nobody ends, epochs go on, also after a new start,
 * and the audit names each record. kafkajs is the client; none of our writing code is used.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs, { type Admin, type Message, type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditReport } from '../../../ops/check/audit/report.ts'
import { sharedKafka } from '../../real/kafka.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const load = createRequire(import.meta.url)
const lz4 = load('lz4-napi') as typeof import('lz4-napi')
const snappy = load('snappy') as typeof import('snappy')
const unused = async (): Promise<Buffer> => Buffer.alloc(0)
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => snappy.compress(buffer) as Promise<Buffer>,
  decompress: unused,
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => lz4.compressFrameSync(buffer),
  decompress: unused,
})

const MIB = 1024 * 1024
const NANOSECONDS = '1795984250000000000'
const framed = (id: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32BE(id, 1)
  return bytes
}
const text = Buffer.from('text')

interface Kind {
  readonly name: string
  readonly message: Message
  readonly compression?: number
}
const KINDS: readonly Kind[] = [
  { name: 'text', message: { key: text, value: text } },
  { name: 'empty', message: { key: Buffer.alloc(0), value: Buffer.alloc(0) } },
  { name: 'null', message: { key: null, value: null } },
  { name: 'a null key', message: { key: null, value: text } },
  { name: 'a null value', message: { key: text, value: null } },
  { name: 'schema id 0', message: { key: framed(0), value: framed(0) } },
  { name: 'schema id -7', message: { key: framed(-7), value: framed(-7) } },
  { name: 'nanoseconds', message: { key: text, value: text, timestamp: NANOSECONDS } },
  { name: 'a negative time', message: { key: text, value: text, timestamp: '-5' } },
  { name: 'headers', message: { key: text, value: text, headers: { trace: '1', empty: Buffer.alloc(0) } } },
  { name: 'the key of a control record', message: { key: Buffer.from([0, 0, 0, 1]), value: text } },
  { name: 'gzip', message: { key: text, value: text }, compression: CompressionTypes.GZIP },
  { name: 'snappy', message: { key: text, value: text }, compression: CompressionTypes.Snappy },
  { name: 'lz4', message: { key: text, value: text }, compression: CompressionTypes.LZ4 },
  {
    name: '40 MB in gzip',
    message: { key: text, value: Buffer.alloc(40 * MIB, 'v') },
    compression: CompressionTypes.GZIP,
  },
]
/** Only where others write does an unknown, possible id not park the partition. */
const UNKNOWN: Kind = { name: 'an unknown schema id', message: { key: framed(999_999), value: framed(999_999) } }

const directory = mkdtempSync(join(tmpdir(), 'sequencer-foreign-'))
let world: ClusterWorld
let process: StartedSequencer
let admin: Admin
let producer: Producer
let ops: string
let intake: readonly string[]

const start = async (): Promise<void> => {
  process = startSequencer(['run', '--config', world.config, '--json', '--instance-id', 'all'])
  const running = (await process.waitFor(({ event }) => event === 'running')) as unknown as {
    ops: string
    intake: string[]
  }
  ops = running.ops
  intake = running.intake
}
/** Simulated snapshotters for so many epochs; resolves with the newest epoch that is anchored with them. */
async function anchorEpochs(epochs: number): Promise<void> {
  const before = process.events.filter(({ event }) => event === 'anchored').length
  const { exitCode, stderr } = await world.snapshotters(intake[0]!, epochs).finished
  expect(exitCode, stderr).toBe(0)
  const anchored = () => process.events.filter(({ event }) => event === 'anchored').length
  await process.waitFor(() => anchored() >= before + epochs)
}
const alive = async (): Promise<void> => {
  expect(process.child.exitCode).toBeNull()
  expect((await fetch(`${ops}/healthz`)).status).toBe(200)
  expect((await fetch(`${ops}/v1/markets`)).status).toBe(200)
}

beforeAll(async () => {
  world = await startClusterWorld(directory)
  const applied = await runSequencer(['deploy', 'apply', '--config', world.config])
  expect(applied.exitCode, applied.stderr).toBe(0)
  const kafka = new Kafka({ brokers: [...sharedKafka().bootstrap], logLevel: logLevel.NOTHING })
  admin = kafka.admin()
  producer = kafka.producer()
  await Promise.all([admin.connect(), producer.connect()])
  await start()
  await world.startEpochs()
}, 900_000)
afterAll(async () => {
  process?.child.kill('SIGKILL')
  await Promise.all([admin?.disconnect(), producer?.disconnect()])
  await world?.close()
  rmSync(directory, { recursive: true, force: true })
})

test('behavior: nobody ends, epochs go on, and the audit names what a foreign client wrote', {
  timeout: 900_000,
}, async () => {
  await anchorEpochs(1)
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(world.appId))
  expect(topics.length).toBeGreaterThan(20)
  const refused: string[] = []
  for (const topic of topics)
    for (const { name, message, compression = CompressionTypes.None } of [
      ...KINDS,
      ...(topic === `${world.prefix}submissions` ? [UNKNOWN] : []),
    ])
      await producer
        .send({ topic, compression, messages: [{ partition: 0, ...message }] })
        .catch((error: Error) => refused.push(`${topic} ${name}: ${error.message}`))
  // brokers themselves refuse records without a key where topics are compacted
  expect(refused.filter((one) => !/null|a negative time/.test(one))).toEqual([])

  await anchorEpochs(1)
  await alive()
  process.child.kill('SIGKILL')
  await process.finished
  await start()
  await anchorEpochs(1)
  await alive()
  const metrics = await (await fetch(`${ops}/metrics`)).text()
  expect(metrics).toMatch(/seq_unreadable_records_total\{reader="clock"[^}]*\} [1-9]/)
  expect(metrics).toMatch(/seq_unreadable_records_total\{reader="view"[^}]*\} [1-9]/)
  process.child.kill('SIGTERM')
  expect((await process.finished).exitCode).toBe(0)

  const counts = await runSequencer(['dead-letters', 'count', '--config', world.config, '--json'])
  expect(counts.exitCode, counts.stderr).toBe(0)
  expect(counts.stdout).toContain('oversize')
  for (const words of [['why', '--slot', '1'], ['epochs']]) {
    const seen = await runSequencer([...words, '--config', world.config, '--json'])
    expect(seen.exitCode, `${words.join(' ')}: ${seen.stderr}`).toBe(0)
  }
  const audit = await runSequencer(['audit', '--config', world.config, '--json'])
  const report = JSON.parse(audit.stdout) as AuditReport
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0 })
  expect(report.differences.filter(({ message }) => !message.startsWith('it cannot be read'))).toEqual([])
  expect(report.mismatches).toBeGreaterThanOrEqual(16 * 10)
})
