/**
 * Transactions that brokers have lost sight of, on a broker of its own that does not verify partitions (KIP-890 part 1): a batch that
 * was written without its coordinator's knowledge hangs, as after the loss of a coordinator's markers.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { attempts } from '../../../../connectors/log/kafka/attempts.ts'
import { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
import { type KafkaLog, openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { encodeRecordBatch } from '../../../../connectors/log/kafka/record-batch.ts'
import { initProducerId, type ProducerIdentity } from '../../../../connectors/log/kafka/requests/init-producer-id.ts'
import { produce } from '../../../../connectors/log/kafka/requests/produce.ts'
import { endTxn } from '../../../../connectors/log/kafka/requests/transaction.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { textOf } from '../../../../ops/base/output.ts'
import { examineTransactions } from '../../../../ops/look/doctor/held-back.ts'
import { renderRepair, repairTransactions } from '../../../../ops/look/doctor/repair/repair.ts'
import { type Kafka, startKafka } from '../../../../ops/world/brokers/start.ts'
import { createTopic, fetchOne, record } from '../../../contract/log-kit.ts'

const APP = 'seq'
const MINUTE_MS = 60_000
const TIMEOUT_MS = 30_000
/** A fresh broker has no coordinators yet. */
const START_MS = 20_000

let kafka: Kafka
let directory: string
let log: KafkaLog
let cluster: KafkaCluster

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hanging-'))
  kafka = await startKafka({
    brokers: 1,
    directory,
    properties: { 'transaction.partition.verification.enable': 'false' },
  })
  const options = { brokers: kafka.bootstrap, clientId: 'test', clock: systemClock }
  log = await openKafkaLog(options)
  cluster = new KafkaCluster(options)
  await cluster.connect()
}, 120_000)
afterAll(async () => {
  await cluster?.close()
  await log?.close()
  await kafka?.close()
  rmSync(directory, { recursive: true, force: true })
})

interface Writer extends ProducerIdentity {
  readonly transactionalId: string
}

let writers = 0

async function newWriter(prefix = APP): Promise<Writer> {
  const transactionalId = `${prefix}-stage-${++writers}`
  const ask = async () => {
    const coordinator = await cluster.coordinatorOf('transaction', transactionalId)
    return await cluster.send(coordinator, initProducerId(transactionalId, TIMEOUT_MS))
  }
  const forget = () => cluster.forgetCoordinator('transaction', transactionalId)
  return { transactionalId, ...(await attempts(cluster.limits(START_MS), ask, forget)) }
}

/** @param isKnown whether the coordinator hears of the partition, and so ends the transaction there. @param ageMs of the record */
async function write(writer: Writer, topic: string, isKnown: boolean, ageMs = 5 * MINUTE_MS): Promise<void> {
  const records = [{ ...record(topic, 0, 'value'), timestamp: Date.now() - ageMs }]
  const batch = encodeRecordBatch(records, { ...writer, baseSequence: 0, transactional: true })
  const request = produce([{ topic, partition: 0, batch }], {
    transactionalId: writer.transactionalId,
    timeoutMs: 5_000,
    version: isKnown ? 12 : 9,
  })
  const [answer] = await cluster.send(await cluster.leaderOf({ topic, partition: 0 }), request)
  expect(answer).toMatchObject({ errorCode: 0 })
}

async function end(writer: Writer, commit: boolean): Promise<void> {
  const coordinator = await cluster.coordinatorOf('transaction', writer.transactionalId)
  await cluster.send(coordinator, endTxn(writer, commit, 5))
}

const repair = (topics: readonly string[], dryRun = false) =>
  repairTransactions(
    log,
    topics.map((name) => ({ name, partitions: 1 })),
    { appId: APP, now: Date.now(), dryRun },
  )

/** A transaction that has ended in `whole` and hangs in `hanging`. */
async function hangs(commit: boolean, prefix = APP) {
  const [whole, hanging] = [await createTopic(log, 1), await createTopic(log, 1)]
  const writer = await newWriter(prefix)
  await write(writer, whole, true)
  await write(writer, hanging, false)
  await end(writer, commit)
  await expect.poll(async () => (await log.bounds([{ topic: whole, partition: 0 }]))[0]!.stable).toBe(2)
  return { writer, whole, hanging }
}

test('behavior: a transaction that was committed elsewhere is committed: what it wrote is not lost', async () => {
  const { whole, hanging, writer } = await hangs(true)
  expect((await log.bounds([{ topic: hanging, partition: 0 }]))[0]!.stable).toBe(0)
  const [found] = await examineTransactions(log, [{ name: hanging, partitions: 1 }], { brokers: [], now: Date.now() })
  expect(found).toMatchObject({ ok: false })
  expect(found!.advice).toContain('doctor --repair-transactions --dry-run')

  const tried = await repair([whole, hanging], true)
  expect(tried).toMatchObject([{ topic: hanging, writer: writer.transactionalId, end: 'COMMIT', done: undefined }])
  expect(textOf(renderRepair(tried, true))).toContain(`${whole}/0 offset 1 (COMMIT)`)
  expect((await log.bounds([{ topic: hanging, partition: 0 }]))[0]!.stable).toBe(0)

  expect(await repair([whole, hanging])).toMatchObject([{ topic: hanging, end: 'COMMIT', done: true }])
  expect((await fetchOne(log, hanging, 0)).records).toHaveLength(1)
  expect(await repair([whole, hanging])).toEqual([])
})

test('behavior: a transaction that was aborted elsewhere is aborted', async () => {
  const { whole, hanging } = await hangs(false)
  expect(await repair([whole, hanging])).toMatchObject([{ topic: hanging, end: 'ABORT', done: true }])
  const { records, next } = await fetchOne(log, hanging, 0)
  expect({ records, next }).toEqual({ records: [], next: 2 })
})

test('behavior: an earlier transaction of the same writer says nothing about this one', async () => {
  const { whole, writer } = await hangs(true)
  const hanging = await createTopic(log, 1)
  const second = { ...writer, producerEpoch: writer.producerEpoch + 1 }
  await write(second, hanging, false)
  expect(await repair([whole, hanging])).toMatchObject([{ topic: hanging, end: 'ABORT', done: true }])
})

test('behavior: a client that is not ours: its ends elsewhere may be of other transactions, so it is left alone', async () => {
  const { whole, hanging } = await hangs(true, 'billing')
  const left = await repair([whole, hanging])
  expect(left).toMatchObject([{ topic: hanging, end: undefined, done: undefined }])
  expect(left[0]!.why).toContain('nothing tells which of them was this one')
})

test('behavior: a transaction that is under way, or has just been written to, is left alone', async () => {
  const [known, young] = [await createTopic(log, 1), await createTopic(log, 1)]
  const writer = await newWriter()
  await write(writer, known, true)
  await write(await newWriter(), young, false, 0)
  const left = await repair([known, young])
  expect(left.map(({ topic, end }) => ({ topic, end }))).toEqual([
    { topic: known, end: undefined },
    { topic: young, end: undefined },
  ])
  expect(left[0]!.why).toContain('its coordinator has it (Ongoing)')
  expect(left[1]!.why).toMatch(/its last record is \d s old/)
  await end(writer, false)
})
