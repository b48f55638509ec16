/**
 * From the tick that closes an epoch to its last batch on the embedded log, and how fast the state of the stages is
 * restored. Signatures are taken as recovered: both come after them.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import type { Submission } from '../schemas/types.ts'
import type { Log } from '../streams/ports.ts'
import { createFlowWorld, type FlowWorld, headerOf, untilBatched, untilCommitted } from './flow-world.ts'
import { type BenchRow, median, percentile, row } from './rows.ts'
import { PROJECTS, SLOTS, SUBMISSIONS, submissionOf } from './stage-data.ts'

const EPOCHS = 10
const RESTORED_EPOCHS = 2

export async function benchClose(): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-close-'))
  try {
    return [...(await closes(join(directory, 'close'))), ...(await restore(join(directory, 'restore')))]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function closes(directory: string): Promise<BenchRow[]> {
  const log = await openEmbeddedLog({ directory })
  const { times, cpuTimes, fillRate } = await runCloses(log)
  await log.close()
  const conditions = `embedded log, ${PROJECTS} projects × ${SLOTS} slots, tick appended → batches and summary committed, ${EPOCHS} closes`
  return [
    row('close → batch, p50', percentile(times, 0.5), 'ms', conditions),
    row('close → batch, p99', percentile(times, 0.99), 'ms', `${conditions}: the slowest of them`),
    row(
      'close → batch, CPU of all threads, p50',
      median(cpuTimes),
      'ms CPU',
      `${conditions}; verdicts begun meanwhile`,
    ),
    row(
      'submissions through validate and admit into votes, without signatures',
      fillRate,
      'submissions/s',
      'embedded log, exactly-once, one process, appending included',
    ),
  ]
}

export interface Closes {
  /** From the tick to the last batch, ms, one for each epoch. */
  readonly times: readonly number[]
  /** CPU of all threads of this process meanwhile, ms. */
  readonly cpuTimes: readonly number[]
  /** Submissions per second into votes before. */
  readonly fillRate: number
}

/** Fills and closes epochs on any log, one more than are counted: the first warms up. */
export async function runCloses(log: Log, prefix = ''): Promise<Closes> {
  const world = await createFlowWorld({ log, slots: SLOTS, signatures: 'given', prefix })
  await world.start()
  const times: number[] = []
  const cpuTimes: number[] = []
  let fillSeconds = 0
  let [offset, end] = [0, 0]
  for (let epochId = 1; epochId <= EPOCHS + 1; epochId++) {
    const started = performance.now()
    await fill(world, epochId)
    fillSeconds += (performance.now() - started) / 1000
    const [cpu, closing] = [process.cpuUsage(), performance.now()]
    await world.close(epochId)
    end = await untilCommitted(log, world.topics.batches.name, end)
    const [took, { user, system }] = [performance.now() - closing, process.cpuUsage(cpu)]
    offset = await untilBatched(log, world, epochId, offset)
    if (offset > end) throw new Error(`the batches of epoch ${epochId} were not committed at once: ${offset} > ${end}`)
    if (epochId === 1) continue
    times.push(took)
    cpuTimes.push((user + system) / 1000)
  }
  await world.stop()
  return { times, cpuTimes, fillRate: (SUBMISSIONS * (EPOCHS + 1)) / fillSeconds }
}

/** Two full epochs of votes and quotas, then another start on the same log. */
async function restore(directory: string): Promise<BenchRow[]> {
  const log = await openEmbeddedLog({ directory })
  const first = await createFlowWorld({ log, slots: SLOTS, signatures: 'given' })
  await first.start()
  for (let epochId = 1; epochId <= RESTORED_EPOCHS; epochId++) await fill(first, epochId)
  await first.stop()
  let [records, ready] = [0, 0]
  const observer = {
    restored(_stage: string, _partition: number, count: number) {
      records += count
      ready = performance.now()
    },
  }
  const second = await createFlowWorld({ log, slots: SLOTS, signatures: 'given', observer })
  const started = performance.now()
  await second.start()
  await second.open(RESTORED_EPOCHS + 1)
  await second.caughtUp('consensus', second.topics.admitted)
  await second.stop()
  await log.close()
  const conditions = `embedded log, ${RESTORED_EPOCHS} open epochs of ${SUBMISSIONS} votes, ${records} records, all stages at once`
  return [row('restore of the stages', records / ((ready - started) / 1000), 'records/s', conditions)]
}

async function fill(world: FlowWorld, epochId: number): Promise<void> {
  await world.open(epochId)
  await world.feed(submissionsOf(epochId))
  for (const [stage, topic] of world.path.slice(0, -1)) await world.caughtUp(stage, topic)
}

function* submissionsOf(epochId: number): Iterable<Submission> {
  const header = headerOf(epochId)
  for (let n = 0; n < SUBMISSIONS; n++) yield { ...submissionOf(n), epochId, header }
}
