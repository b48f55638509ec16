/**
 * `npm run bench:kafka`: what the engine costs on a real broker, beside Kafka Streams at the same work in the same run.
 * Rates are per second of wall time and per CPU-second (user and system) of the client process; the broker's own are not
 * counted. Then the sequencer itself: submissions from a socket to their verdicts, and from the close of an epoch to its last
 * batch. `--records N`, `--no-java`, `--no-engine`, `--transactions 1`; `--broker host:port` for one that runs already.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { startKafka } from '../../ops/world/brokers/start.ts'
import { PROJECTS, SLOTS } from '../stage-data.ts'
import type { ClientRun, ClientSettings, Measured } from './client.ts'
import { type JavaRun, runJava } from './java.ts'
import { fillInput, PARTITIONS, VALUE_BYTES, type WorkKind } from './work.ts'

const BURST_SECONDS = 5
const CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url))
const BROKER_JVM = ['-Xms512m', '-Xmx1g']

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1500000' },
    java: { type: 'boolean', default: true },
    engine: { type: 'boolean', default: true },
    transactions: { type: 'string', default: '2' },
    broker: { type: 'string' },
  },
  allowNegative: true,
})
const records = Number(options.records)
const warmUp = Math.floor(records / 3)
const unique = Date.now().toString(36)
const input = `bench-in-${unique}`

await withBroker(async (bootstrap) => {
  const settings: ClientSettings = { brokers: [bootstrap], transactionsVersion: options.transactions === '1' ? 1 : 2 }
  conditions()
  if (options.engine) await engine(settings, bootstrap)
  await sequencer(settings)
})

async function engine(settings: ClientSettings, bootstrap: string): Promise<void> {
  await fill(settings)
  for (const tasks of [1, 4, 12]) printBursts(tasks, await client(settings, await burstsOf(settings, tasks)))
  for (const kind of ['pass-through', 'stateful'] as const) await compare(kind, settings, bootstrap)
  const restored = { run: 'restore', input, output: outputOf('stateful', 'ours'), appId: appOf('stateful') } as const
  print('restore of the state', await client(settings, restored))
}

async function sequencer(settings: ClientSettings): Promise<void> {
  const flow = await client(settings, { run: 'flow', prefix: `flow-${unique}-` })
  print('socket → verdict, no worker threads', flow)
  const closes = await client(settings, { run: 'closes', prefix: `closes-${unique}-` })
  const cost = Math.round((closes.cpuSeconds / closes.records) * 1_000)
  console.log(
    `close → batch, ${closes.records} closes of ${PROJECTS} projects × ${SLOTS} slots: p50 ${closes.p50Ms!.toFixed()} ms, ` +
      `p99 (the slowest) ${closes.p99Ms!.toFixed()} ms, ${cost} ms CPU each`,
  )
}

async function compare(kind: WorkKind, settings: ClientSettings, bootstrap: string): Promise<void> {
  const run = { input, output: outputOf(kind, 'ours'), appId: appOf(kind), records, warmUp }
  const ours = await client(settings, { run: kind, ...run })
  print(`${kind}, exactly once`, ours)
  if (!options.java) return
  for (const guarantee of ['exactly_once_v2', 'at_least_once'] as const) {
    const java = await javaRun(kind, guarantee, bootstrap)
    print(`  Kafka Streams, ${guarantee}`, java)
    if (guarantee === 'exactly_once_v2')
      console.log(`  ratio per CPU-second ${(perCpu(ours) / perCpu(java)).toFixed(2)}`)
  }
}

async function javaRun(kind: WorkKind, guarantee: JavaRun['guarantee'], bootstrap: string): Promise<Measured> {
  const output = outputOf(kind, guarantee)
  const log = await openKafkaLog({ brokers: [bootstrap], clientId: 'bench', clock: systemClock })
  await log.createTopics([{ name: output, partitions: PARTITIONS, cleanup: 'delete' }])
  await log.close()
  return await runJava({ kind, guarantee, bootstrap, input, output, appId: `java-${output}`, records, warmUp })
}

async function fill(settings: ClientSettings): Promise<void> {
  const log = await openKafkaLog({ ...settings, clientId: 'bench', clock: systemClock })
  await fillInput(log, input, records)
  await log.close()
}

async function burstsOf(settings: ClientSettings, tasks: number): Promise<ClientRun> {
  const topic = `bench-bursts-${tasks}-${unique}`
  const log = await openKafkaLog({ ...settings, clientId: 'bench', clock: systemClock })
  await log.createTopics([{ name: topic, partitions: tasks, cleanup: 'delete' }])
  await log.close()
  return { run: 'bursts', topic, tasks, seconds: BURST_SECONDS }
}

async function client(settings: ClientSettings, run: ClientRun): Promise<Measured> {
  const shim = fileURLToPath(new URL('../../ops/bin/shim.mjs', import.meta.url))
  const args = ['--import', shim, '--import', 'tsx', CLIENT, JSON.stringify([settings, run])]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as Measured
}

async function withBroker(use: (bootstrap: string) => Promise<void>): Promise<void> {
  if (options.broker) return await use(options.broker)
  const directory = await mkdtemp(join(tmpdir(), 'bench-kafka-'))
  const kafka = await startKafka({ brokers: 1, directory, jvm: BROKER_JVM })
  try {
    await use(kafka.bootstrap[0]!)
  } finally {
    await kafka.close()
    await rm(directory, { recursive: true, force: true })
  }
}

function conditions(): void {
  const [cpu, ...more] = cpus()
  const load = loadavg().map((one) => one.toFixed(1))
  console.log(`${cpu!.model}, ${more.length + 1} CPUs, load ${load.join(' ')}, Node ${process.version}`)
  console.log(`one broker beside the client; ${records} records of ${VALUE_BYTES} B, the first ${warmUp} not measured`)
  console.log(`${PARTITIONS} partitions, commits every 200 ms, transactions version ${options.transactions}`)
}

function print(name: string, measured: Measured): void {
  const wall = Math.round(measured.records / measured.wallSeconds)
  const cost = ((measured.cpuSeconds / measured.records) * 1e6).toFixed(2)
  console.log(`${name.padEnd(36)} ${wall} records/s, ${Math.round(perCpu(measured))} per CPU-second (${cost} µs each)`)
}

function printBursts(tasks: number, { records: bursts, wallSeconds, cpuSeconds, p50Ms, p99Ms }: Measured): void {
  const rate = Math.round(bursts / wallSeconds)
  const cost = ((cpuSeconds / bursts) * 1_000).toFixed(2)
  const latency = `p50 ${p50Ms!.toFixed(1)} ms, p99 ${p99Ms!.toFixed(1)} ms`
  console.log(`${`bursts back to back, ${tasks} tasks`.padEnd(36)} ${rate} bursts/s, ${cost} ms CPU each, ${latency}`)
}

function perCpu({ records, cpuSeconds }: Measured): number {
  return records / cpuSeconds
}

function appOf(kind: WorkKind): string {
  return `bench-${kind}-${unique}`
}

function outputOf(kind: WorkKind, by: string): string {
  return `bench-out-${kind}-${by}-${unique}`
}
