import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import { createMemoryLog } from '../connectors/log/memory/memory.ts'
import type { Log, OutgoingRecord } from '../streams/ports.ts'
import { type BenchRow, row } from './rows.ts'

type LogName = 'memory' | 'embedded'

const TOPIC = 'bench'
const PARTITIONS = 4
const BURST = 1_000
const VALUE_SIZE_BYTES = 400
const RECORDS = 1_000_000
const FETCH_SIZE_BYTES = 1024 * 1024
/** Records that surely are in the tail cache of 64 MiB. */
const TAIL_RECORDS = 100_000

/** Figures of both logs: 400 B random hex values, bursts of 1,000, 4 partitions with a writer each, every burst durable. */
export async function benchLog(): Promise<BenchRow[]> {
  const memory = createMemoryLog()
  const rows = await benchWrites('memory', memory)
  rows.push(...(await measure('memory', 'fetch from the tail', RECORDS * 2, () => read(memory, 0, RECORDS * 2))))
  await memory.close()
  const directory = await mkdtemp(join(tmpdir(), 'bench-log-'))
  try {
    rows.push(...(await benchEmbedded(directory)))
  } finally {
    await rm(directory, { recursive: true })
  }
  return rows
}

async function benchEmbedded(directory: string): Promise<BenchRow[]> {
  let log = await openEmbeddedLog({ directory })
  const rows = await benchWrites('embedded', log)
  const bounds = await log.bounds([{ topic: TOPIC, partition: 0 }])
  const tailFrom = bounds[0]!.stable - TAIL_RECORDS / PARTITIONS
  rows.push(
    ...(await measure('embedded', 'fetch from the tail', TAIL_RECORDS * 10, async () => {
      for (let round = 0; round < 10; round++) await read(log, tailFrom, TAIL_RECORDS * 0.99)
    })),
    ...(await single(log)),
  )
  await log.close()
  const opening = performance.now()
  log = await openEmbeddedLog({ directory })
  const all = RECORDS * 2
  rows.push(
    row('log: open, embedded', performance.now() - opening, 'ms', `${all} records, the newest GiB verified`),
    ...(await measure('embedded', 'restore: one partition from disk', all / PARTITIONS, () => restore(log))),
    ...(await measure('embedded', 'fetch from disk, 4 partitions', all, () => read(log, 0, all))),
  )
  await log.close()
  return rows
}

async function benchWrites(name: LogName, log: Log): Promise<BenchRow[]> {
  await log.createTopics([{ name: TOPIC, partitions: PARTITIONS, cleanup: 'delete' }])
  const bursts = Array.from({ length: PARTITIONS }, (_, partition) => burstOf(partition))
  const share = RECORDS / BURST / PARTITIONS
  const appended = await measure(name, 'append', RECORDS, () =>
    everyPartition(async (partition) => {
      const appender = await log.appender()
      for (let at = 0; at < share; at++) await appender.append(bursts[partition]!)
    }),
  )
  const committed = await measure(name, 'transactions', RECORDS, () =>
    everyPartition(async (partition) => {
      const writer = await log.transactionalWriter(`bench-${partition}`)
      for (let at = 0; at < share; at++) {
        const commits = [{ topic: TOPIC, partition, next: at, metadata: '' }]
        const { outcome } = await writer.commit({ records: bursts[partition]!, offsets: { group: 'bench', commits } })
        if (outcome !== 'committed') throw new Error(outcome)
      }
    }),
  )
  return [...appended, ...committed]
}

/** Transactions of one record, one after the other: what a sync costs. */
async function single(log: Log): Promise<BenchRow[]> {
  const writer = await log.transactionalWriter('single')
  const records = burstOf(0).slice(0, 1)
  const count = 500
  return await measure('embedded', 'transactions of 1 record, one at a time', count, async () => {
    for (let at = 0; at < count; at++) await writer.commit({ records })
  })
}

async function read(log: Log, from: number, count: number): Promise<void> {
  const offsets = Array.from({ length: PARTITIONS }, () => from)
  for (let seen = 0; seen < count; ) {
    const positions = offsets.map((offset, partition) => ({ topic: TOPIC, partition, offset }))
    const fetched = await log.fetch(positions, { maxWaitMs: 0, maxBytesPerPartition: FETCH_SIZE_BYTES })
    const before = seen
    for (const { partition, records, next } of fetched) {
      seen += records.length
      offsets[partition] = next
    }
    if (seen === before) throw new Error(`only ${seen} of ${count} records are there`)
  }
}

async function restore(log: Log): Promise<void> {
  const state = new Map<number, Uint8Array | null>()
  const [bounds] = await log.bounds([{ topic: TOPIC, partition: 0 }])
  for (let offset = 0; offset < bounds!.stable; ) {
    const position = { topic: TOPIC, partition: 0, offset }
    const [fetched] = await log.fetch([position], { maxWaitMs: 0, maxBytesPerPartition: 4 * FETCH_SIZE_BYTES })
    for (const record of fetched!.records) state.set(record.offset % BURST, record.value)
    offset = fetched!.next
  }
}

async function everyPartition(work: (partition: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => work(partition)))
}

function burstOf(partition: number): OutgoingRecord[] {
  const text = randomBytes((BURST * VALUE_SIZE_BYTES) / 2).toString('hex')
  return Array.from({ length: BURST }, (_, at) => {
    const value = Buffer.from(text.slice(at * VALUE_SIZE_BYTES, (at + 1) * VALUE_SIZE_BYTES))
    return { topic: TOPIC, partition, timestamp: 1_704_067_200_000, key: Buffer.from(`key ${at}`), value }
  })
}

async function measure(log: LogName, what: string, records: number, work: () => Promise<void>): Promise<BenchRow[]> {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await work()
  const seconds = (performance.now() - begun) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const name = `log: ${what}, ${log}`
  const conditions = `${VALUE_SIZE_BYTES} B values, bursts of ${BURST}, ${PARTITIONS} partitions`
  return [
    row(name, records / seconds, 'records/s', conditions),
    row(`${name}, CPU`, (user + system) / records, 'µs CPU a record', conditions),
  ]
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.table(await benchLog())
