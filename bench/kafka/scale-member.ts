// A process of a role in scale.ts, until the line "stop" or the end of its input. Lines of JSON: its open tasks at each change, then what it measured.
import { createInterface } from 'node:readline'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { createPrepare } from '../../ops/run/prepare.ts'
import { createSignerPool } from '../../ops/run/signers.ts'
import type { FetchedPartition, Log } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import type { RuntimeObserver } from '../../streams/runtime-observer.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { sequencerStores } from '../../topology/stores.ts'
import { rules } from '../stage-data.ts'
import type { MemberRun, ScaleRole } from './scale-figures.ts'
import { scaleTopics } from './scale-world.ts'
import { COMMIT_INTERVAL_MS } from './work.ts'

export interface ScaleMemberOptions {
  readonly brokers: readonly string[]
  readonly instanceId: string
  readonly prefix: string
  readonly partitions: number
  readonly role: ScaleRole
  /** Records that this process has before it is measured. */
  readonly warmUp: number
}

export type ScaleLine = { readonly open: number } | { readonly measured: MemberRun }

/** An empty partition is asked for as often. */
const EMPTY_MS = 100

const { brokers, instanceId, prefix, partitions, role, warmUp } = JSON.parse(process.argv[2]!) as ScaleMemberOptions
const say = (line: ScaleLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const { codec, topics, inputs, appId } = await scaleTopics(prefix, partitions)
const kafka = await openKafkaLog({ brokers, clientId: instanceId, clock: systemClock, replicationFactor: 1 })
let begun = false
const meter = createMeter()
const runtime: StreamsRuntime = new StreamsRuntime(sequencerTopology(rules, topics, sequencerStores(codec)), {
  appId,
  instanceId,
  log: emptyUntilBegun(kafka, inputs[role].name),
  clock: systemClock,
  stages: [role],
  commitIntervalMs: COMMIT_INTERVAL_MS,
  observer: meter.observer,
  prepare: [
    createPrepare({
      topics,
      signers: createSignerPool(rules, 0),
      slotsReached: (offset) => runtime.globalTableReached(topics.slots.name, offset),
    }),
  ],
  onFailure: (error) => {
    throw error // ends the process
  },
})
const lines = createInterface(process.stdin)
lines.on('close', () => process.exit(1)) // nobody is left to measure for
lines.on('line', async (line) => {
  if (line === 'go') begun = true
  if (line !== 'stop') return
  say({ measured: meter.measured() })
  await runtime.close()
  await kafka.close()
  process.exit(0)
})
await runtime.start()

/** The input looks empty until all processes have their tasks: else the first one would do the work of the others. */
function emptyUntilBegun(log: Log, input: string): Log {
  const fetch: Log['fetch'] = async (positions, options) => {
    if (begun || positions.every(({ topic }) => topic !== input)) return await log.fetch(positions, options)
    await systemClock.sleep(Math.min(options.maxWaitMs, EMPTY_MS), options.signal)
    return positions.map(
      ({ topic, partition, offset }): FetchedPartition => ({
        topic,
        partition,
        records: [],
        next: offset,
        stable: offset,
        start: 0,
        outOfRange: false,
      }),
    )
  }
  return Object.create(log, { fetch: { value: fetch } })
}

function createMeter(): { readonly observer: RuntimeObserver; measured(): MemberRun } {
  const open = new Set<number>()
  let total = 0
  let first: { readonly total: number; readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
  let lastAt = 0
  let lastCpu = process.cpuUsage()
  const observer: RuntimeObserver = {
    rebalanced(_stage, owned) {
      for (const partition of open) if (!owned.has(partition)) open.delete(partition)
      say({ open: open.size })
    },
    restored(_stage, partition) {
      open.add(partition)
      say({ open: open.size })
    },
    processed(_stage, _partition, records) {
      total += records
      lastAt = performance.now()
      if (total >= warmUp) first ??= { total, at: lastAt, cpu: process.cpuUsage() }
    },
    committed() {
      lastCpu = process.cpuUsage()
    },
  }
  const measured = (): MemberRun => {
    if (!first) return { records: 0, wallSeconds: 0, cpuSeconds: 0, total }
    const micros = lastCpu.user + lastCpu.system - first.cpu.user - first.cpu.system
    const wallSeconds = (lastAt - first.at) / 1_000
    return { records: total - first.total, wallSeconds, cpuSeconds: micros / 1e6, total }
  }
  return { observer, measured }
}
