/**
 * The cost of the engine: records per second through a topology of one stage, exactly once, on the log in memory and on the
 * embedded log. Run: npx tsx bench/streams.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import { createMemoryLog } from '../connectors/log/memory/memory.ts'
import { systemClock } from '../connectors/system-clock.ts'
import type { Log, OutgoingRecord } from '../streams/ports.ts'
import { StreamsRuntime } from '../streams/runtime.ts'
import type { Topology } from '../streams/topology.ts'
import { PARTITIONS, VALUE_BYTES, workTopology } from './kafka/work.ts'
import { type BenchRow, row } from './rows.ts'

const KEYS = 10_000
const APPEND_RECORDS = 1_000

export async function benchStreams(): Promise<BenchRow[]> {
  const memory = async () => createMemoryLog()
  const rows = [
    ...(await measure('pass-through, memory', memory, workTopology('pass-through', 'in', 'out'), 1_000_000)),
    ...(await measure('stateful, memory', memory, workTopology('stateful', 'in', 'out'), 500_000)),
  ]
  for (const [kind, records] of [
    ['pass-through', 300_000],
    ['stateful', 200_000],
  ] as const)
    await withDirectory(async (directory) => {
      const embedded = () => openEmbeddedLog({ directory })
      rows.push(...(await measure(`${kind}, embedded`, embedded, workTopology(kind, 'in', 'out'), records)))
    })
  return rows
}

/** From the start of the runtime to the last commit, with everything to process in the log already. */
async function measure(
  name: string,
  open: () => Promise<Log>,
  topology: Topology,
  records: number,
): Promise<BenchRow[]> {
  const log = await open()
  await log.createTopics([{ name: 'in', partitions: PARTITIONS, cleanup: 'delete' }])
  await fill(log, records)
  const runtime = new StreamsRuntime(topology, { appId: 'bench', instanceId: 'bench', log, clock: systemClock })
  const cpu = process.cpuUsage()
  const started = performance.now()
  await runtime.start()
  await processed(log, topology.stages[0]!.name, records)
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await runtime.close()
  await log.close()
  const conditions = `exactly-once, ${VALUE_BYTES} B values, ${PARTITIONS} tasks, ${KEYS} keys`
  return [
    row(name, records / seconds, 'records/s', conditions),
    row(`${name}, CPU`, (user + system) / records, 'µs CPU a record', conditions),
  ]
}

async function fill(log: Log, records: number): Promise<void> {
  const appender = await log.appender()
  const value = Buffer.alloc(VALUE_BYTES, 'x')
  for (let at = 0; at < records; at += APPEND_RECORDS) {
    const batch = Array.from({ length: APPEND_RECORDS }, (_, i): OutgoingRecord => {
      const key = Buffer.from(`key-${(at + i) % KEYS}`)
      return { topic: 'in', partition: (at + i) % PARTITIONS, timestamp: 1, key, value }
    })
    await appender.append(batch)
  }
}

async function processed(log: Log, stage: string, records: number): Promise<void> {
  const inputs = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 'in', partition }))
  for (;;) {
    const offsets = await log.committedOffsets(`bench-${stage}`, inputs)
    if (offsets.reduce((sum, offset) => sum + (offset?.next ?? 0), 0) >= records) return
    await systemClock.sleep(2)
  }
}

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-streams-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

if (import.meta.filename === process.argv[1]) console.table(await benchStreams())
