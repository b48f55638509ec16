/** The process of a run of bench/day.ts: a day of epochs through the stages on the embedded log, each checked. Prints JSON. */
import { readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import { SimulatedClock } from '../connectors/log/simulated/simulated-clock.ts'
import { systemClock } from '../connectors/system-clock.ts'
import type { EpochTick, Submission } from '../schemas/types.ts'
import { configOf } from '../streams/kafka-topic.ts'
import type { Clock, Log, LogRecord } from '../streams/ports.ts'
import { readRange } from '../streams/read-range.ts'
import { RUNTIME_DEFAULTS } from '../streams/runtime-options.ts'
import { within } from '../streams/within.ts'
import { isEpochSummary } from '../topology/topics.ts'
import { createFlowWorld, type FlowWorld, headerOf, releaseBlockOf, until } from './flow-world.ts'
import { rules, submissionOf } from './stage-data.ts'
import { type Closed, type Look, TENTHS, tenthOf } from './tenths.ts'

export const DAY_EPOCHS = 7_200
const PROJECTS = 100
/** Every project has equally many votes then. */
const SUBMISSIONS_STEP = PROJECTS
const SUBMISSIONS_MAX = 100_000
const PER_SLOT = 2
/** Votes of a project in a row, of which the last names another CID: the OUTVOTED ones. */
const ROUNDS = 10
const EPOCH_MS = 12_000
const WINDOW_MS = 9_000
const MS_PER_DAY = 24 * 60 * 60 * 1_000
/** Days of which the run is the picture where records are deleted by age: what is kept for 30 is kept for a twelfth of it. */
const DAYS_OF_RETENTION = 360
/** Blocks that the stages keep; the 4,096 of a deployment would take a fifth of the run to fill up. */
const HEADS_KEPT = 512
const LOOKS_PER_TENTH = 12
/** Between two looks whether consensus has all votes. */
const VOTES_MS = 1
/** Bound of one wait for the batches of an epoch, in the time of the machine: no day passes meanwhile. */
const LIMIT = { clock: systemClock, ms: 600_000 }
const FETCH = { maxWaitMs: 60_000, maxBytesPerPartition: 4 * 1024 * 1024 }

export interface DayRun {
  readonly closes: readonly Closed[]
  readonly looks: readonly Look[]
  readonly seconds: number
}

interface DaySize {
  readonly epochs: number
  readonly submissions: number
}

/** @returns in words what is wrong */
export function daySize(epochs: number, submissions: number): DaySize | string {
  if (!Number.isInteger(epochs) || epochs < 2 * TENTHS) return `--epochs: a whole number from ${2 * TENTHS} is needed`
  const isMultiple = Number.isInteger(submissions / SUBMISSIONS_STEP)
  if (!isMultiple || submissions < SUBMISSIONS_STEP || submissions > SUBMISSIONS_MAX)
    return `--submissions: a multiple of ${SUBMISSIONS_STEP} up to ${SUBMISSIONS_MAX} is needed`
  return { epochs, submissions }
}

/** Every verdict of an epoch, by reason. */
export function verdictsDue(submissions: number): Readonly<Record<string, number>> {
  const rounds = submissions / PROJECTS
  const outvoted = Math.floor(rounds / ROUNDS) * PROJECTS
  return outvoted === 0 ? { COUNTED: submissions } : { COUNTED: submissions - outvoted, OUTVOTED: outvoted }
}

async function runDay(directory: string, { epochs, submissions }: DaySize): Promise<DayRun> {
  const day = new SimulatedClock()
  const log = await openEmbeddedLog({ directory, clock: day })
  let votes = 0
  const world = await createFlowWorld({
    log,
    slots: Math.ceil(submissions / PER_SLOT),
    signatures: 'given',
    rules: { ...rules, headsKept: HEADS_KEPT },
    moreStages: ['ledger'],
    clock: clockOf(day),
    now: () => day.now(),
    withTick: (tick) => ofDay(tick, day.now(), epochs),
    observer: {
      processed: (stage, _partition, records) => {
        if (stage === 'consensus') votes += records
      },
    },
  })
  await world.start()
  await shortenRetention(log, world, epochs * EPOCH_MS)
  const reader = createReader(log, world)
  const [times, cpuTimes] = [new Float64Array(epochs), new Float64Array(epochs)] // of their full size: they are no growth
  const looks: Look[] = []
  const started = performance.now()
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const before = votes
    await world.open(epoch)
    await world.feed(submissionsOf(epoch, submissions, day.now()))
    await until(
      `consensus has the ${submissions} votes of epoch ${epoch}`,
      VOTES_MS,
      () => votes >= before + submissions,
    )
    day.advance(WINDOW_MS)
    const [cpu, closing] = [process.cpuUsage(), performance.now()]
    await world.close(epoch)
    const counted = await reader.summaryOf(epoch)
    const [ms, { user, system }] = [performance.now() - closing, process.cpuUsage(cpu)]
    times[epoch - 1] = ms
    cpuTimes[epoch - 1] = (user + system) / 1_000
    await world.caughtUp('settle', world.topics.finalizations)
    await world.caughtUp('ledger', world.topics.tallies)
    checkEpoch(epoch, submissions, counted, await reader.newVerdicts())
    if (isLookDue(epoch, epochs)) looks.push({ epoch, ...(await look(directory)) })
    if (tenthOf(epoch, epochs) !== tenthOf(epoch + 1, epochs)) tell(epoch, epochs, performance.now() - started)
    day.advance(EPOCH_MS - WINDOW_MS)
  }
  const seconds = (performance.now() - started) / 1_000
  checkDays(await reader.days(), { epochs, submissions })
  await world.stop()
  await log.close()
  const closes = Array.from(times, (ms, at): Closed => ({ epoch: at + 1, ms, cpuMs: cpuTimes[at]! }))
  return { closes, looks, seconds }
}

/** The machine's time; but the runtime deletes what it needs no more in the time of the day, as the log does. */
const clockOf = (day: SimulatedClock): Clock => ({
  now: () => systemClock.now(),
  sleep: (ms, signal) =>
    ms === RUNTIME_DEFAULTS.purgeIntervalMs ? day.sleep(ms, signal) : systemClock.sleep(ms, signal),
})

/** The first half of the run lies in one day of the market, the second in the next. */
const dayOf = (epochId: number, epochs: number): number => (epochId <= epochs / 2 ? 1 : 2)

function ofDay(tick: EpochTick, now: number, epochs: number): EpochTick {
  const timed = { ...tick, blockTimestamp: Math.floor(now / 1_000) }
  if (tick.kind !== 'OPEN' && tick.kind !== 'CLOSE') return timed
  const day = dayOf(tick.epochId, epochs)
  return { ...timed, day, dailyQuota: PER_SLOT, daysEnded: tick.kind === 'CLOSE' ? day - 1 : 0 }
}

/** A day is shorter than what topics keep: deletion would never begin. */
async function shortenRetention(log: Log, { topics }: FlowWorld, runMs: number): Promise<void> {
  const share = runMs / (DAYS_OF_RETENTION * MS_PER_DAY)
  const all = Object.values(topics).map(configOf)
  await log.createTopics(
    all.flatMap((one) =>
      one.retentionMs === undefined ? [] : [{ ...one, retentionMs: Math.ceil(one.retentionMs * share) }],
    ),
  )
}

function* submissionsOf(epochId: number, count: number, receivedAt: number): Iterable<Submission> {
  const [header, deadline] = [headerOf(epochId), releaseBlockOf(epochId) + 10]
  for (let n = 0; n < count; n++) {
    const [project, round] = [n % PROJECTS, Math.floor(n / PROJECTS) % ROUNDS]
    const { projectId } = submissionOf(project)
    const snapshotCid = `bafkrei${round === ROUNDS - 1 ? 'b' : 'a'}${String(project).padStart(51, 'c')}`
    const slotId = 1 + Math.floor(n / PER_SLOT)
    const one = submissionOf(epochId * SUBMISSIONS_MAX + n) // its id is its own
    yield { ...one, slotId, epochId, header, deadline, projectId, snapshotCid, receivedAt }
  }
}

/** Reads what the stages write, each record once. */
function createReader(log: Log, { topics }: FlowWorld) {
  let batchesFrom = 0
  const verdictsFrom = Array.from({ length: topics.verdicts.partitions }, () => 0)
  const read = async (topic: string, partition: number, from: number, apply: (record: LogRecord) => void) => {
    const [bounds] = await log.bounds([{ topic, partition }])
    await readRange({ log, clock: systemClock }, { topic, partition, offset: from }, bounds!.stable, apply)
    return bounds!.stable
  }
  return {
    /** Waits for the summary of an epoch. @returns the submissions counted in its batches */
    async summaryOf(epochId: number): Promise<number> {
      for (;;) {
        const position = { topic: topics.batches.name, partition: 0, offset: batchesFrom }
        const [fetched] = await within(log.fetch([position], FETCH), LIMIT, () => {
          throw new Error(`epoch ${epochId} has no summary of its batches after ${LIMIT.ms / 1_000} s`)
        })
        batchesFrom = fetched!.next
        for (const { value } of fetched!.records) {
          const event = topics.batches.value.decode(value!)
          if (isEpochSummary(event) && event.summaryOf === epochId) return event.submissions
        }
      }
    },
    async newVerdicts(): Promise<Readonly<Record<string, number>>> {
      const reasons: Record<string, number> = {}
      for (const [partition, from] of verdictsFrom.entries())
        verdictsFrom[partition] = await read(topics.verdicts.name, partition, from, ({ value }) => {
          const { reason } = topics.verdicts.value.decode(value!)
          reasons[reason] = (reasons[reason] ?? 0) + 1
        })
      return reasons
    },
    /** The rows of the market's days, as they are now. */
    async days() {
      const rows = new Map<number, ReturnType<typeof topics.days.value.decode>>()
      const { name, key, value: days } = topics.days
      await read(name, 0, 0, (record) => rows.set(key.decode(record.key!).day, days.decode(record.value!)))
      return [...rows.values()]
    },
  }
}

/** @throws Error when the verdicts or the batches of an epoch have other submissions than were sent */
export function checkEpoch(
  epoch: number,
  submissions: number,
  counted: number,
  verdicts: Readonly<Record<string, number>>,
): void {
  const due = verdictsDue(submissions)
  const said = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([reason, count]) => `${count} ${reason}`)
      .join(', ')
  if (said(verdicts) !== said(due))
    throw new Error(`the verdicts of epoch ${epoch} are ${said(verdicts) || 'none'}; due were ${said(due)}`)
  if (counted !== due.COUNTED)
    throw new Error(`the batches of epoch ${epoch} have ${counted} submissions; due were ${due.COUNTED}`)
}

interface DayRow {
  readonly closed: number
  readonly accepted: number
  readonly counted: number
  readonly whole: boolean
}

/** @throws Error when the days of the ledger do not add up to what was sent */
export function checkDays(days: readonly DayRow[], { epochs, submissions }: DaySize): void {
  const sum = (field: 'closed' | 'accepted' | 'counted'): number => days.reduce((all, row) => all + row[field], 0)
  const found = [days.length, sum('closed'), sum('accepted'), sum('counted'), days.filter(({ whole }) => whole).length]
  const due = [2, epochs, epochs * submissions, epochs * verdictsDue(submissions).COUNTED!, 2]
  if (`${found}` !== `${due}`)
    throw new Error(`days, epochs, accepted, counted, whole days in the ledger are ${found}; due were ${due}`)
}

/** Equally far from each other, LOOKS_PER_TENTH in a tenth, or after every epoch of a short run. */
function isLookDue(epoch: number, epochs: number): boolean {
  const looks = TENTHS * LOOKS_PER_TENTH
  return epochs <= looks || Math.floor((epoch * looks) / epochs) !== Math.floor(((epoch - 1) * looks) / epochs)
}

async function look(directory: string): Promise<Omit<Look, 'epoch'>> {
  if (globalThis.gc === undefined) throw new Error('node needs --expose-gc')
  globalThis.gc()
  const mebibytes = (bytes: number): number => bytes / 2 ** 20
  const { rss, heapUsed } = process.memoryUsage()
  const [, anonymous] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return {
    resident: mebibytes(rss),
    anonymous: mebibytes(Number(anonymous) * 1_024),
    heap: mebibytes(heapUsed),
    disk: mebibytes(await bytesIn(directory)),
  }
}

/** A file that LevelDB deletes meanwhile counts for nothing. */
async function bytesIn(directory: string): Promise<number> {
  const sizes = (await readdir(directory)).map((name) =>
    stat(join(directory, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

function tell(epoch: number, epochs: number, ms: number): void {
  const [took, whole] = [ms / 1_000, (ms / 1_000 / epoch) * epochs]
  console.error(`${epoch} of ${epochs} epochs, ${Math.round(took)} s of about ${Math.round(whole)} s`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [directory, epochs, submissions] = process.argv.slice(2)
  process.stdin.once('end', () => process.exit(1)).resume() // nobody is left to measure for
  const run = await runDay(directory!, { epochs: Number(epochs), submissions: Number(submissions) })
  process.stdout.write(JSON.stringify(run))
  process.stdin.destroy()
}
