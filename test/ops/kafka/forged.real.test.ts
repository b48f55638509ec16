/**
 * A client with the right to write our topics, and without the key of seals, writes records of the right form: epochs go on as if
 * they were not there, also after a new start, and metrics and audit name them. kafkajs is the client.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs, { type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditReport } from '../../../ops/check/audit/report.ts'
import { type DeployedGround, openGround } from '../../../ops/ground/cluster/open.ts'
import { readAddress } from '../../../ops/settings/parse.ts'
import type { AnchorIntent, AnchorResult, EpochTick } from '../../../schemas/types.ts'
import type { RecordTopic } from '../../../streams/kafka-topic.ts'
import type { LogRecord } from '../../../streams/ports.ts'
import { sharedKafka } from '../../real/kafka.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../run-sequencer.ts'
import { type ClusterWorld, startClusterWorld } from './cluster-world.ts'

const { Kafka, logLevel } = kafkajs
const NEWEST = 20
const SEALED = ['epochTicks', 'batches', 'anchorIntents', 'anchorResults'] as const

const directory = mkdtempSync(join(tmpdir(), 'sequencer-forged-'))
let world: ClusterWorld
let process: StartedSequencer
let producer: Producer
let ground: DeployedGround
let ops: string
let intake: readonly string[]

const start = async (): Promise<void> => {
  process = startSequencer(['run', '--config', world.config, '--json', '--instance-id', 'all'])
  const running = await process.waitFor(({ event }) => event === 'running')
  ;({ ops, intake } = running as unknown as { ops: string; intake: string[] })
}
async function anchorEpochs(epochs: number): Promise<void> {
  const anchored = () => process.events.filter(({ event }) => event === 'anchored').length
  const before = anchored()
  const { exitCode, stderr } = await world.snapshotters(intake[0]!, epochs).finished
  expect(exitCode, stderr).toBe(0)
  await process.waitFor(() => anchored() >= before + epochs)
}

/** The newest records of a topic, as they lie there. */
async function newest({ name: topic }: { readonly name: string }): Promise<readonly LogRecord[]> {
  const [bounds] = await ground.log.bounds([{ topic, partition: 0 }])
  const records: LogRecord[] = []
  for (let offset = Math.max(bounds!.start, bounds!.stable - 10 * NEWEST); offset < bounds!.stable; ) {
    const [got] = await ground.log.fetch([{ topic, partition: 0, offset }], {
      maxWaitMs: 100,
      maxBytesPerPartition: 1e6,
    })
    records.push(...got!.records)
    offset = got!.next
  }
  return records.slice(-NEWEST)
}
const send = (topic: string, key: Uint8Array, value: Uint8Array, headers: LogRecord['headers'] = []) =>
  producer.send({
    topic,
    messages: [
      {
        partition: 0,
        key: Buffer.from(key),
        value: Buffer.from(value),
        headers: Object.fromEntries(headers.map((header) => [header.key, Buffer.from(header.value)])),
      },
    ],
  })
/** Each of the newest records with a change, without a seal and with the seal of the record that it was. */
async function forge<V>(topic: RecordTopic<never, V>, change: (value: V) => V | undefined): Promise<number> {
  let forged = 0
  for (const { key, value, headers } of await newest(topic)) {
    const changed = change(topic.value.decode(value!))
    if (changed === undefined) continue
    for (const seals of [[], headers]) await send(topic.name, key!, topic.value.encode(changed), seals)
    forged += 2
  }
  return forged
}

beforeAll(async () => {
  world = await startClusterWorld(directory)
  const applied = await runSequencer(['deploy', 'apply', '--config', world.config])
  expect(applied.exitCode, applied.stderr).toBe(0)
  producer = new Kafka({ brokers: [...sharedKafka().bootstrap], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  ground = await openGround(readAddress({ config: world.config }, {}), 'forger')
  await start()
  await world.startEpochs()
}, 900_000)
afterAll(async () => {
  process?.child.kill('SIGKILL')
  await producer?.disconnect()
  await ground?.close()
  await world?.close()
  rmSync(directory, { recursive: true, force: true })
})

test('behavior: records of the right form that our roles did not write change nothing, and are named', {
  timeout: 900_000,
}, async () => {
  await anchorEpochs(1)
  const { topics } = ground
  const ticks = topics.epochTicks as RecordTopic<never, EpochTick>
  const far = (tick: EpochTick) => (tick.kind === 'OPEN' ? { ...tick, epochId: tick.epochId + 40 } : undefined)
  const early = (tick: EpochTick) => (tick.kind === 'OPEN' ? { ...tick, kind: 'CLOSE' as const } : undefined)
  const ahead = (tick: EpochTick) => (tick.kind === 'HEAD' ? { ...tick, blockNumber: 1e9 } : undefined)
  const neverThere = (tick: EpochTick) => ({ ...tick, slotsOffset: 1e12 })
  const gone = (tick: EpochTick) => (tick.kind === 'HEAD' ? { ...tick, kind: 'ORPHAN' as const } : undefined)
  let forged = 0
  for (const change of [far, early, ahead, neverThere, gone]) forged += await forge(ticks, change)
  const intents = topics.anchorIntents as RecordTopic<never, AnchorIntent>
  for (const step of ['DONE', 'KEEP', 'WATCH'] as const)
    forged += await forge(intents, (intent) => ({ ...intent, step }))
  const results = topics.anchorResults as RecordTopic<never, AnchorResult>
  const signer = `0x${'77'.repeat(20)}`
  forged += await forge(results, (result) => ({ ...result, outcome: 'FAILED' as const, error: 'forged' }))
  forged += await forge(results, (result) => (result.outcome === 'READY' ? { ...result, signer } : undefined))
  for (const name of SEALED)
    for (const { key, value, headers } of await newest(topics[name])) {
      await send(topics[name].name, key!, value!, headers)
      forged++
    }

  await anchorEpochs(2)
  process.child.kill('SIGKILL')
  await process.finished
  await start()
  await anchorEpochs(2)
  const metrics = await (await fetch(`${ops}/metrics`)).text()
  expect(metrics).toMatch(/seq_unreadable_records_total\{reader="anchor-effects"[^}]*reason="forged"[^}]*\} [1-9]/)
  const letters = await runSequencer(['dead-letters', 'count', '--config', world.config, '--json'])
  expect(letters.stdout).toContain('"forged"')
  process.child.kill('SIGTERM')
  expect((await process.finished).exitCode).toBe(0)

  const audit = await runSequencer(['audit', '--config', world.config, '--rpc', world.chain.rpcUrl, '--json'])
  const report = JSON.parse(audit.stdout) as AuditReport
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0 })
  expect(report.differences.filter(({ message }) => !message.startsWith('it cannot be read: '))).toEqual([])
  // intents that are done are purged, and forged ones with them
  expect(report.mismatches).toBeGreaterThan(forged / 2)
  expect(report.mismatches).toBeLessThanOrEqual(forged)
})
