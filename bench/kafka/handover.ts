/**
 * `npm run bench:handover`: how long tasks stand still when they move between processes on a real broker. Under a steady
 * load, from one process to three and back (`--rounds N`); and after kill -9 of one of two that keep a million keys
 * (`--keys N`), with and without standbys. Checks that every record came out once.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { startKafka } from '../../ops/world/brokers/start.ts'
import type { Log, OutgoingRecord } from '../../streams/ports.ts'
import type { MemberOptions, Opened } from './member.ts'
import { COMMIT_INTERVAL_MS, PARTITIONS } from './work.ts'

const { values: given } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, keys: { type: 'string', default: '1000000' } },
})
const ROUNDS = Number(given.rounds)
const KEYS = Number(given.keys)
const RECORDS_PER_SECOND = 1_000
const FEED_EVERY_MS = 20
/** Between two changes of the group. */
const STEP_MS = 8_000
const WAIT_MS_MAX = 300_000
const VALUE_BYTES = 100
const APPEND_RECORDS = 2_000
const RECORDS_AT_MS = 1_700_000_000_000

const directory = await mkdtemp(join(tmpdir(), 'bench-handover-'))
const kafka = await startKafka({ brokers: 1, directory, jvm: ['-Xms512m', '-Xmx1g'] })
const log = await openKafkaLog({
  brokers: kafka.bootstrap,
  clientId: 'bench',
  clock: systemClock,
  replicationFactor: 1,
})
const members = new Set<Member>()
try {
  const [cpu, ...more] = cpus()
  const load = loadavg().map((one) => one.toFixed(1))
  console.log(`${cpu!.model}, ${more.length + 1} CPUs, load ${load.join(' ')}, Node ${process.version}, one broker`)
  await scale()
  for (const standbys of [0, 1]) await killOne(standbys)
} finally {
  for (const member of members) member.process.kill('SIGKILL')
  await log.close()
  await kafka.close()
  await rm(directory, { recursive: true, force: true })
}

interface Member {
  readonly process: ChildProcess
  readonly opened: Opened[]
}

function start(options: MemberOptions): Member {
  const program = fileURLToPath(new URL('./member.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const member: Member = { process: child, opened: [] }
  createInterface({ input: child.stdout! }).on('line', (line) => member.opened.push(JSON.parse(line) as Opened))
  members.add(member)
  child.once('close', () => members.delete(member))
  return member
}

async function stop({ process: child }: Member, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const ended = once(child, 'close')
  child.kill(signal)
  await ended
}

async function application(name: string, standbys: number): Promise<Omit<MemberOptions, 'instanceId'>> {
  const [input, output] = [`${name}-in`, `${name}-out`]
  await log.createTopics([input, output].map((topic) => ({ name: topic, partitions: PARTITIONS, cleanup: 'delete' })))
  return { brokers: kafka.bootstrap, appId: name, input, output, standbys }
}

/** One record per key; the value begins with the number of the task that will pass it on. */
function recordOf(topic: string, number: number): OutgoingRecord {
  const partition = number % PARTITIONS
  const value = Buffer.alloc(VALUE_BYTES, partition)
  return { topic, partition, timestamp: RECORDS_AT_MS, key: Buffer.from(`key-${number}`), value }
}

async function scale(): Promise<void> {
  const options = await application('scale', 1)
  const stopped = new AbortController()
  const first = start({ ...options, instanceId: 'a' })
  await until(() => first.opened.length === PARTITIONS)
  const feeding = feed(options.input, stopped.signal)
  feeding.catch(() => {}) // heard of below
  const watching = watch(log, options.output, stopped.signal)
  await systemClock.sleep(STEP_MS)
  const pauses = { moved: [] as number[], retained: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    const others: Member[] = []
    for (const change of ['b joins', 'c joins', 'c leaves', 'b leaves']) {
      const from = Date.now()
      const [instanceId, verb] = change.split(' ') as [string, string]
      if (verb === 'joins') others.push(start({ ...options, instanceId }))
      else await stop(others.pop()!)
      await systemClock.sleep(STEP_MS)
      const opened = [first, ...others].flatMap((member) => member.opened.filter(({ at }) => at >= from))
      const moved = new Set(opened.map(({ partition }) => partition))
      for (const [task, gap] of gapsSince(from, await watching.arrivals()).entries())
        pauses[moved.has(task) ? 'moved' : 'retained'].push(gap)
    }
  }
  stopped.abort()
  const sent = await feeding
  await until(async () => (await watching.count()) >= sent)
  await systemClock.sleep(2 * COMMIT_INTERVAL_MS)
  await watching.done
  if ((await watching.count()) !== sent) throw new Error(`${sent} records in, ${await watching.count()} out`)
  await stop(first)
  console.log(
    `scale, ${RECORDS_PER_SECOND} records/s, 1 → 3 → 1 processes ${ROUNDS} times: ${sent} records, each out once`,
  )
  for (const [which, all] of Object.entries(pauses))
    console.log(`  longest pause of a task that is ${which}: ${summary(all)}`)
}

async function feed(topic: string, signal: AbortSignal): Promise<number> {
  const appender = await log.appender()
  const started = Date.now()
  let sent = 0
  while (!signal.aborted) {
    const due = Math.floor(((Date.now() - started) / 1_000) * RECORDS_PER_SECOND)
    if (due > sent) await appender.append(Array.from({ length: due - sent }, (_, i) => recordOf(topic, sent + i)))
    sent = Math.max(sent, due)
    await systemClock.sleep(FEED_EVERY_MS, signal)
  }
  return sent
}

interface Watch {
  /** Task → when records of it were seen, ms. */
  arrivals(): Promise<readonly (readonly number[])[]>
  /** Records seen, each key once. */
  count(): Promise<number>
  readonly done: Promise<void>
}

/** Reads the output as it comes. */
function watch(reader: Log, topic: string, signal: AbortSignal): Watch {
  const arrivals: number[][] = Array.from({ length: PARTITIONS }, () => [])
  const seen = new Set<string>()
  let total = 0
  const read = async (): Promise<void> => {
    let positions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, offset: 0 }))
    for (let quiet = 0; !signal.aborted || quiet < 10; ) {
      const fetched = await reader.fetch(positions, { maxWaitMs: 100, maxBytesPerPartition: 1 << 20 })
      const now = Date.now()
      quiet = fetched.every(({ records }) => records.length === 0) ? quiet + 1 : 0
      for (const { key, value } of fetched.flatMap(({ records }) => records)) {
        total++
        seen.add(Buffer.from(key!).toString())
        const of = arrivals[value![0]!]!
        if (of.at(-1) !== now) of.push(now)
      }
      positions = fetched.map(({ partition, next }) => ({ topic, partition, offset: next }))
    }
  }
  const done = read()
  done.catch(() => {}) // the waiting caller hears of it
  return {
    arrivals: async () => arrivals,
    count: async () => {
      if (total !== seen.size) throw new Error(`${total} records out, of ${seen.size} keys`)
      return total
    },
    done,
  }
}

/** The longest time without a record of each task, from a moment on. */
function gapsSince(from: number, arrivals: readonly (readonly number[])[]): number[] {
  return arrivals.map((of) => {
    const times = of.filter((at) => at >= from - COMMIT_INTERVAL_MS)
    return Math.max(...times.map((at, i) => at - (times[i - 1] ?? at)), Date.now() - (times.at(-1) ?? from))
  })
}

async function killOne(standbys: number): Promise<void> {
  const options = await application(`restore-${standbys}`, standbys)
  const appender = await log.appender()
  for (let at = 0; at < KEYS; at += APPEND_RECORDS)
    await appender.append(Array.from({ length: APPEND_RECORDS }, (_, i) => recordOf(options.input, at + i)))
  const [a, b] = ['a', 'b'].map((instanceId) => start({ ...options, instanceId })) as [Member, Member]
  const inputs = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: options.input, partition }))
  await until(async () => {
    const offsets = await log.committedOffsets(`${options.appId}-work`, inputs)
    return offsets.reduce((sum, offset) => sum + (offset?.next ?? 0), 0) >= KEYS
  })
  await systemClock.sleep(STEP_MS) // a standby hears of the last of it
  const killed = Date.now()
  await stop(a, 'SIGKILL')
  const moved = () => b.opened.filter(({ at }) => at >= killed)
  await until(() => moved().length >= PARTITIONS / 2)
  const opened = moved()
  const records = opened.reduce((sum, { restored }) => sum + restored, 0)
  const restoredMs = Math.max(...opened.map(({ restoredMs: ms }) => ms))
  const runningMs = Math.max(...opened.map(({ at }) => at - killed))
  await stop(b)
  console.log(
    `kill -9 of one of two with ${KEYS} keys, ${standbys} standbys: ${records} records restored in ${restoredMs} ms, ` +
      `running ${(runningMs / 1_000).toFixed(1)} s after the kill (the session ends after 10 s)`,
  )
}

function summary(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${sorted.at(-1)} ms (${all.length} times)`
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WAIT_MS_MAX; !(await condition()); await systemClock.sleep(50))
    if (Date.now() > end) throw new Error(`not so after ${WAIT_MS_MAX} ms`)
}
