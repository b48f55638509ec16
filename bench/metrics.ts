/**
 * The cost of metrics for a submission. The difference between two runs with and without metrics is smaller than between two
 * equal runs; so one run is recorded, every call that it made to its observers, and the calls are made again to the metrics, many
 * times.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import { systemClock } from '../connectors/system-clock.ts'
import { createHealth } from '../ops/base/health.ts'
import { ROLES } from '../ops/base/roles.ts'
import { intakeMetrics } from '../ops/watch/metrics/connectors.ts'
import { createMetrics, type Metrics } from '../ops/watch/metrics/create.ts'
import { epochMetrics } from '../ops/watch/metrics/epochs.ts'
import { runtimeMetrics } from '../ops/watch/metrics/runtime.ts'
import { createCodec } from '../schemas/codec.ts'
import { memoryRegistry } from '../schemas/registry.ts'
import type { Log, LogRecord } from '../streams/ports.ts'
import { readRange } from '../streams/read-range.ts'
import { isMarker, sequencerTopics } from '../topology/topics.ts'
import { runFlow } from './flow.ts'
import { type BenchRow, onCpu, perItem, row } from './rows.ts'
import { DATA_MARKET } from './stage-data.ts'

const ROUNDS = 20
const SCRAPES = 50
const SCRAPE_SECONDS = 5
const PARTITIONS = { submissions: 4, validated: 4, admitted: 4, finalizations: 1, verdicts: 4 }

type Call = (watchers: ReturnType<typeof watchersOf>) => void

export async function benchMetrics(): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-metrics-'))
  const log = await openEmbeddedLog({ directory })
  try {
    const calls: Call[] = []
    const { submissions, cpuSeconds } = await runFlow(log, {
      runtime: recorder('runtime', calls),
      intake: recorder('intake', calls),
    })
    const metrics = createMetrics({ version: 'bench', roles: ROLES, markets: [DATA_MARKET] })
    const watched = callsAgain(metrics, calls) / submissions
    const read = await epochsAgain(log, metrics, submissions)
    const scrape = await scraping(metrics)
    const all = (cpuSeconds * 1e6) / submissions
    const share = ((watched + read.counted) / all) * 100
    return [
      row('socket → verdict, the run that is recorded', all, 'µs CPU/submission', `${submissions} submissions`),
      row('calls of intake and stages', watched, 'µs CPU/submission', `${calls.length} calls, ${ROUNDS} times`),
      row('verdicts and votes counted by the role api', read.counted, 'µs CPU/submission', 'records decoded'),
      row('both / the run', share, '%', 'what metrics add where a submission passes'),
      row('verdicts and finalizations decoded for it', read.decoded, 'µs CPU/submission', 'by the role api only'),
      row('a scrape', scrape / 1_000, 'ms CPU', `all roles in one process; every ${SCRAPE_SECONDS} s`),
    ]
  } finally {
    await log.close()
    await rm(directory, { recursive: true, force: true })
  }
}

const watchersOf = (metrics: Metrics) => ({
  runtime: runtimeMetrics(metrics, () => {}),
  intake: intakeMetrics(metrics, createHealth(ROLES, systemClock.now)),
})

/** Takes note of every call, whatever it is. */
function recorder<W extends 'runtime' | 'intake'>(whose: W, calls: Call[]): ReturnType<typeof watchersOf>[W] {
  const target = {} as ReturnType<typeof watchersOf>[W]
  return new Proxy(target, {
    get:
      (_, event: string) =>
      (...said: unknown[]): void => {
        calls.push((watchers) => (watchers[whose] as Record<string, (...args: unknown[]) => void>)[event]?.(...said))
      },
  })
}

/** µs for one round. */
function callsAgain(metrics: Metrics, calls: readonly Call[]): number {
  const watchers = watchersOf(metrics)
  const all = () => {
    for (const call of calls) call(watchers)
  }
  all()
  return (
    onCpu(() => {
      for (let round = 0; round < ROUNDS; round++) all()
    }).micros / ROUNDS
  )
}

async function epochsAgain(log: Log, metrics: Metrics, submissions: number) {
  const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: PARTITIONS })
  const listener = epochMetrics(metrics, { now: systemClock.now })
  const { verdicts, finalizations } = topics
  const verdictRecords = await recordsOf(log, verdicts)
  const finalizationRecords = await recordsOf(log, finalizations)
  const verdictOf = ({ key, value }: LogRecord) => ({
    key: verdicts.key.decode(key!),
    value: verdicts.value.decode(value!),
  })
  const projectOf = ({ value }: LogRecord) => finalizations.value.decode(value!)
  const decoded =
    perItem(verdictRecords, verdictOf) * verdictRecords.length +
    perItem(finalizationRecords, projectOf) * finalizationRecords.length
  const projects = finalizationRecords.map(projectOf)
  const counted =
    perItem(verdictRecords.map(verdictOf), ({ key, value }) => listener.verdict!(key.dataMarket, value)) *
      verdictRecords.length +
    perItem(projects, (one) => !isMarker(one) && listener.finalized!(DATA_MARKET, 1, one)) * projects.length
  return { decoded: decoded / submissions, counted: counted / submissions }
}

async function recordsOf(log: Log, { name, partitions }: { name: string; partitions: number }): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  const ports = { log, clock: systemClock, signal: new AbortController().signal }
  for (let partition = 0; partition < partitions; partition++) {
    const [bounds] = await log.bounds([{ topic: name, partition }])
    const from = { topic: name, partition, offset: bounds!.start }
    await readRange(ports, from, bounds!.stable, (record) => void records.push(record))
  }
  return records
}

/** µs of one. */
async function scraping(metrics: Metrics): Promise<number> {
  await metrics.text()
  const before = process.cpuUsage()
  for (let n = 0; n < SCRAPES; n++) await metrics.text()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / SCRAPES
}
