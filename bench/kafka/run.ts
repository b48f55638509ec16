/**
 * `npm run bench:kafka`: what the engine costs on a real broker, beside Kafka Streams at the same work. Each run measures one
 * side and then the other, the next run the other way round, each in a process of its own; then the sequencer itself:
 * submissions from a socket to their verdicts, and from the close of an epoch to its last batch. Five runs, as medians with
 * their spread; the ratio to Kafka Streams is taken run by run.
 *
 * Rates are per second of wall time and per CPU-second (user and system) of the client process; the broker's own are not
 * counted. `--runs N`, `--records N`, `--no-java`, `--no-engine`, `--no-sequencer`, `--transactions 1`;
 * `--broker host:port` for one that runs already; `--save`, `--against` and `--json` as `npm run bench` has them.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { startKafka } from '../../ops/world/brokers/start.ts'
import { figuresOf } from '../figures.ts'
import { askedRuns, FIGURE_OPTIONS, keptIn, machine, report } from '../kept-figures.ts'
import { type BenchRow, row } from '../rows.ts'
import { PROJECTS, SLOTS } from '../stage-data.ts'
import type { ClientRun, ClientSettings, Measured } from './client.ts'
import { runJava } from './java.ts'
import { fillInput, PARTITIONS, VALUE_BYTES, type WorkKind } from './work.ts'

const BURST_SECONDS = 5
const CLIENT = fileURLToPath(new URL('./client.ts', import.meta.url))
const BROKER_JVM = ['-Xms512m', '-Xmx1g']

const { values: options } = parseArgs({
  options: {
    ...FIGURE_OPTIONS,
    records: { type: 'string', default: '1500000' },
    java: { type: 'boolean', default: true },
    engine: { type: 'boolean', default: true },
    sequencer: { type: 'boolean', default: true },
    transactions: { type: 'string', default: '2' },
    broker: { type: 'string' },
  },
  allowNegative: true,
})
const runs = askedRuns(options.runs)
const records = Number(options.records)
const warmUp = Math.floor(records / 3)
const unique = Date.now().toString(36)
const input = `bench-in-${unique}`
const CONDITIONS =
  `one broker beside the client, ${VALUE_BYTES} B values, ${PARTITIONS} partitions, commits every 200 ms, ` +
  `transactions version ${options.transactions}`

const kept = options.against === undefined ? [] : keptIn(options.against)
const conditions = machine()
const measured: BenchRow[][] = []
console.error(`${records} records, of which the first ${warmUp} are not measured`)
await withBroker(async (bootstrap) => {
  const settings: ClientSettings = { brokers: [bootstrap], transactionsVersion: options.transactions === '1' ? 1 : 2 }
  if (options.engine) await fill(settings)
  for (let run = 1; run <= runs; run++) {
    console.error(`run ${run} of ${runs}`)
    measured.push([
      ...(options.engine ? await engine(settings, bootstrap, run) : []),
      ...(options.sequencer ? await sequencer(settings, run) : []),
    ])
  }
})
process.exitCode = report({ bench: 'kafka', machine: conditions, figures: figuresOf('kafka', measured) }, options, kept)

async function engine(settings: ClientSettings, bootstrap: string, run: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const tasks of [1, 4, 12]) {
    const bursts = await client(settings, await burstsOf(settings, tasks, run))
    const name = `bursts back to back, ${tasks} tasks`
    rows.push(
      row(name, bursts.records / bursts.wallSeconds, 'bursts/s', CONDITIONS),
      row(`${name}, CPU`, (bursts.cpuSeconds / bursts.records) * 1_000, 'ms CPU a burst', CONDITIONS),
    )
  }
  for (const kind of ['pass-through', 'stateful'] as const)
    rows.push(...(await sideBySide(kind, settings, bootstrap, run)))
  const restored = await client(settings, {
    run: 'restore',
    input,
    output: outputOf('stateful', 'ours', run),
    appId: appOf('stateful', run),
  })
  return [...rows, row('restore of the state', perCpu(restored), 'records/CPU-s', `${CONDITIONS}; start included`)]
}

async function sequencer(settings: ClientSettings, run: number): Promise<BenchRow[]> {
  const flow = await client(settings, { run: 'flow', prefix: `flow-${run}-${unique}-` })
  const closes = await client(settings, { run: 'closes', prefix: `closes-${run}-${unique}-` })
  const closed = `${closes.records} closes of ${PROJECTS} projects × ${SLOTS} slots, ${CONDITIONS}`
  return [
    row('socket → verdict', flow.records / flow.wallSeconds, 'submissions/s', `no worker threads, ${CONDITIONS}`),
    row('socket → verdict, CPU', (flow.cpuSeconds / flow.records) * 1e6, 'µs CPU a submission', CONDITIONS),
    row('close → batch, p50', closes.p50Ms!, 'ms', closed),
    row('close → batch, the slowest', closes.p99Ms!, 'ms', closed),
    row('close → batch, CPU', (closes.cpuSeconds / closes.records) * 1_000, 'ms CPU', closed),
  ]
}

/** Neither side always has the broker as the other left it. */
async function sideBySide(
  kind: WorkKind,
  settings: ClientSettings,
  bootstrap: string,
  run: number,
): Promise<BenchRow[]> {
  const work = { input, output: outputOf(kind, 'ours', run), appId: appOf(kind, run), records, warmUp }
  const ourRun = (): Promise<Measured> => client(settings, { run: kind, ...work })
  const javaRun = (): Promise<Measured> => javaSide(kind, bootstrap, run)
  if (!options.java) return ratesOf(`${kind}, exactly once`, await ourRun())
  const javaFirst = run % 2 === 0 ? await javaRun() : undefined
  const ours = await ourRun()
  const java = javaFirst ?? (await javaRun())
  return [
    ...ratesOf(`${kind}, exactly once`, ours),
    ...ratesOf(`${kind}, Kafka Streams, exactly_once_v2`, java),
    row(`${kind}, per CPU-second`, perCpu(ours) / perCpu(java), 'times Kafka Streams', `run by run, ${CONDITIONS}`),
  ]
}

const ratesOf = (name: string, one: Measured): BenchRow[] => [
  row(name, one.records / one.wallSeconds, 'records/s', CONDITIONS),
  row(`${name}, per CPU-second`, perCpu(one), 'records/CPU-s', CONDITIONS),
]

async function javaSide(kind: WorkKind, bootstrap: string, run: number): Promise<Measured> {
  const guarantee = 'exactly_once_v2'
  const output = outputOf(kind, guarantee, run)
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

async function burstsOf(settings: ClientSettings, tasks: number, run: number): Promise<ClientRun> {
  const topic = `bench-bursts-${tasks}-${run}-${unique}`
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

function perCpu({ records: count, cpuSeconds }: Measured): number {
  return count / cpuSeconds
}

function appOf(kind: WorkKind, run: number): string {
  return `bench-${kind}-${run}-${unique}`
}

function outputOf(kind: WorkKind, by: string, run: number): string {
  return `bench-out-${kind}-${by}-${run}-${unique}`
}
