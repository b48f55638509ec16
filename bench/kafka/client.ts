// A run of our client in a process of its own, so that its CPU time is nobody else's. Prints one line of JSON.

import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { Log } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import type { RuntimeObserver } from '../../streams/runtime-observer.ts'
import { runCloses } from '../close.ts'
import { runFlow } from '../flow.ts'
import { percentile } from '../rows.ts'
import { COMMIT_INTERVAL_MS, PARTITIONS, type WorkKind, workTopology } from './work.ts'

export type ClientRun =
  | {
      readonly run: WorkKind
      readonly input: string
      readonly output: string
      readonly appId: string
      readonly records: number
      readonly warmUp: number
    }
  | { readonly run: 'restore'; readonly input: string; readonly output: string; readonly appId: string }
  | { readonly run: 'bursts'; readonly topic: string; readonly tasks: number; readonly seconds: number }
  /** Submissions from a socket to their verdicts. */
  | { readonly run: 'flow'; readonly prefix: string }
  /** Closes of full epochs to their last batch. */
  | { readonly run: 'closes'; readonly prefix: string }

type WorkRun = Extract<ClientRun, { readonly input: string }>

export interface ClientSettings {
  readonly brokers: readonly string[]
  readonly transactionsVersion: 1 | 2
}

/** The work that was done, and its time; bursts and closes also have their latencies. */
export interface Measured {
  readonly records: number
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

const [settings, run] = JSON.parse(process.argv[2]!) as [ClientSettings, ClientRun]
const log = await openKafkaLog({ ...settings, clientId: 'bench', clock: systemClock })
const measured = await measure()
process.stdout.write(`${JSON.stringify(measured)}\n`)
await log.close()

async function measure(): Promise<Measured> {
  if (run.run === 'bursts') return await bursts(log, run)
  if (run.run === 'closes') return await closes(log, run.prefix)
  if (run.run !== 'flow') return await work(log, run)
  const { submissions: records, ...time } = await runFlow(log, { prefix: run.prefix })
  return { records, ...time }
}

/** Takes the time from one moment to another. */
function stopwatch(): () => { readonly wallSeconds: number; readonly cpuSeconds: number } {
  const cpu = process.cpuUsage()
  const started = performance.now()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { wallSeconds: (performance.now() - started) / 1_000, cpuSeconds: (user + system) / 1e6 }
  }
}

/** From the `warmUp`th record to the last (as Java's meter), or the reading of the state of all tasks. */
async function work(log: Log, options: WorkRun): Promise<Measured> {
  const kind = options.run === 'restore' ? 'stateful' : options.run
  const topology = workTopology(kind, options.input, options.output)
  let runtime: StreamsRuntime | undefined
  const measured = await new Promise<Measured>((resolve, reject) => {
    runtime = new StreamsRuntime(topology, {
      appId: options.appId,
      instanceId: 'bench',
      log,
      clock: systemClock,
      commitIntervalMs: COMMIT_INTERVAL_MS,
      observer: options.run === 'restore' ? restoreMeter(resolve) : meter(options, resolve),
      onFailure: reject,
    })
    runtime.start().catch(reject)
  })
  await runtime!.close()
  return measured
}

function meter(
  { records, warmUp }: { readonly records: number; readonly warmUp: number },
  finish: (measured: Measured) => void,
): RuntimeObserver {
  let seen = 0
  let from = 0
  let stop: ReturnType<typeof stopwatch> | undefined
  return {
    processed: (_stage, _partition, count) => {
      seen += count
      if (stop === undefined && seen >= warmUp) {
        from = seen
        stop = stopwatch()
      } else if (stop !== undefined && seen === records) finish({ records: seen - from, ...stop() })
    },
  }
}

function restoreMeter(finish: (measured: Measured) => void): RuntimeObserver {
  const stop = stopwatch()
  let tasks = 0
  let records = 0
  return {
    restored: (_stage, _partition, count) => {
      records += count
      if (++tasks === PARTITIONS) finish({ records, ...stop() })
    },
  }
}

/** Bursts of one record and one offset, back to back, by several tasks at once. */
async function bursts(log: Log, { topic, tasks, seconds }: Extract<ClientRun, { run: 'bursts' }>): Promise<Measured> {
  const value = Buffer.alloc(100)
  const writers = await Promise.all(Array.from({ length: tasks }, (_, at) => log.transactionalWriter(`${topic}-${at}`)))
  const latencies: number[] = []
  const end = performance.now() + seconds * 1_000
  const stop = stopwatch()
  const repeat = async (writer: (typeof writers)[number], partition: number): Promise<void> => {
    for (let next = 1; performance.now() < end; next++) {
      const started = performance.now()
      const records = [{ topic, partition, timestamp: 1_700_000_000_000, key: null, value }]
      const offsets = { group: `${topic}-group`, commits: [{ topic, partition, next, metadata: '' }] }
      const { outcome } = await writer.commit({ records, offsets })
      if (outcome !== 'committed') throw new Error(outcome)
      latencies.push(performance.now() - started)
    }
  }
  await Promise.all(writers.map(repeat))
  return { records: latencies.length, ...stop(), ...latency(latencies) }
}

async function closes(log: Log, prefix: string): Promise<Measured> {
  const { times, cpuTimes } = await runCloses(log, prefix)
  const seconds = (all: readonly number[]): number => all.reduce((sum, ms) => sum + ms, 0) / 1_000
  return { records: times.length, wallSeconds: seconds(times), cpuSeconds: seconds(cpuTimes), ...latency(times) }
}

function latency(times: readonly number[]) {
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) }
}
