import { pathToFileURL } from 'node:url'
import { createCodec } from '../schemas/codec.ts'
import { memoryRegistry } from '../schemas/registry.ts'
import type { EpochTick } from '../schemas/types.ts'
import type { LogRecord, OutgoingRecord } from '../streams/ports.ts'
import { ReadAhead } from '../streams/read-ahead.ts'
import { Task } from '../streams/task.ts'
import { packEpoch } from '../topology/batch/batch.ts'
import { rootOf } from '../topology/batch/merkle.ts'
import { finalizeProject } from '../topology/consensus/consensus.ts'
import { sequencerTopology } from '../topology/index.ts'
import { frameTexts } from '../topology/shared/frames.ts'
import { asBuffer } from '../topology/shared/keccak.ts'
import { type Vote, voteOf } from '../topology/shared/vote.ts'
import { sequencerStores } from '../topology/stores.ts'
import { sequencerTopics } from '../topology/topics.ts'
import { type BenchRow, median, millis, onCpu, row } from './rows.ts'
import { benchSignatures } from './signatures.ts'
import {
  DATA_MARKET,
  hashOf,
  market,
  owner,
  PROJECTS,
  recoveredOf,
  rules,
  SLOTS,
  SUBMISSIONS,
  submissionOf,
  tick,
} from './stage-data.ts'

/** Records per burst in the stage rows. */
const BURST = 1_000
const CLOSES = 9

export async function benchStages(): Promise<BenchRow[]> {
  return [...(await benchSignatures()), ...(await benchPipeline()), ...benchParts()]
}

// ——— signatures ———

// ——— the stages, one task each, records handed from one to the next in memory ———

async function benchPipeline(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const closes: Record<string, number[]> = {}
  for (let round = 0; round < CLOSES; round++) {
    const stages = await createStages()
    const rates = fillEpoch(stages)
    if (round === 0) continue // the first warms up
    if (round === 1) rows.push(...rates)
    for (const [name, ms] of Object.entries(closeEpoch(stages))) closes[name] = [...(closes[name] ?? []), ms]
  }
  const conditions = `${PROJECTS} projects × ${SLOTS} slots, 1 partition, no I/O, ${CLOSES - 1} closes`
  for (const [name, all] of Object.entries(closes)) {
    rows.push(row(`close → batch, ${name}, p50`, median(all), 'ms CPU', conditions))
    if (name === 'total') rows.push(row('close → batch, total, max', Math.max(...all), 'ms CPU', conditions))
  }
  return rows
}

type Stages = Awaited<ReturnType<typeof createStages>>

async function createStages() {
  const codec = await createCodec(memoryRegistry())
  const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
  const topics = sequencerTopics(codec, { prefix: '', partitions })
  const topology = sequencerTopology(rules, topics, sequencerStores(codec))
  const slots = new Map(Array.from({ length: SLOTS }, (_, i) => [i + 1, owner(i + 1)]))
  const task = (name: string) => {
    const stage = topology.stages.find((one) => one.name === name)!
    const globalTable = () => ({
      get: (key: unknown) => slots.get((key as { slotId: number }).slotId),
      size: slots.size,
    })
    return new Task(stage, 0, {
      appId: 'bench',
      deadLetterTopic: undefined,
      countedTopics: topology.countedTopics,
      globalTable,
    })
  }
  const [validate, admit, consensus, settle, batch] = ['validate', 'admit', 'consensus', 'settle', 'batch'].map(
    task,
  ) as [Task, Task, Task, Task, Task]
  return { topics, validate, admit, consensus, settle, batch }
}

/** Marker, then every submission of an epoch, through validate, admit and consensus. */
function fillEpoch({ topics, validate, admit, consensus }: Stages): BenchRow[] {
  const { submissions } = topics
  const marker = (one: EpochTick) => ({
    key: { dataMarket: one.dataMarket, epochId: one.epochId, projectId: '' },
    value: { tick: one, from: 0, of: 1, count: -1, checksum: 0, blockTimes: [] },
  })
  const received = Array.from({ length: SUBMISSIONS }, (_, n) => submissionOf(n))
  const events = [
    ...[tick('HEAD', 10), tick('OPEN', 10), tick('HEAD', 11)].map(marker),
    ...received.map((value) => ({ key: { dataMarket: DATA_MARKET, epochId: 1, projectId: value.projectId }, value })),
  ]
  const records = events.map(({ key, value }, offset) =>
    recordOf(offset, submissions.key.encode(key), submissions.value.encode(value)),
  )
  const prepared = [undefined, undefined, undefined, ...received.map(recoveredOf)]

  const rows: BenchRow[] = []
  const through = (
    task: Task,
    topic: string,
    input: readonly LogRecord[],
    given?: readonly unknown[],
  ): OutgoingRecord[] => {
    const { micros, result: output } = onCpu(() => runThrough(task, topic, input, given))
    rows.push(
      row(
        `stage ${task.stageName}`,
        (input.length / micros) * 1e6,
        'records/CPU-s',
        `1 task, bursts of ${BURST}, no I/O${given ? ', signatures prepared' : ''}`,
      ),
    )
    return output
  }
  const validated = through(validate, topics.submissions.name, records, prepared)
  const admitted = through(admit, topics.validated.name, pick(validated, topics.validated.name))
  through(consensus, topics.admitted.name, pick(admitted, topics.admitted.name))
  return rows
}

/** The close marker from validate on; what each stage adds until the batches and the summary are encoded. */
function closeEpoch({ topics, validate, admit, consensus, settle, batch }: Stages): Record<string, number> {
  const { submissions } = topics
  const times: Record<string, number> = {}
  const timed = (name: string, task: Task, topic: string, input: readonly LogRecord[]): OutgoingRecord[] => {
    const { micros, result } = onCpu(() => runThrough(task, topic, input))
    times[name] = micros / 1_000
    return result
  }
  const close = { tick: tick('CLOSE', 12), from: 0, of: 1, count: -1, checksum: 0, blockTimes: [] }
  const key = submissions.key.encode({ dataMarket: DATA_MARKET, epochId: 1, projectId: '' })
  const marker = [recordOf(validate.positionOf(submissions.name), key, submissions.value.encode(close))]
  const validated = timed('validate', validate, submissions.name, marker)
  const admitted = timed(
    'admit',
    admit,
    topics.validated.name,
    pick(validated, topics.validated.name, admit.positionOf(topics.validated.name)),
  )
  const finalized = timed(
    'consensus',
    consensus,
    topics.admitted.name,
    pick(admitted, topics.admitted.name, consensus.positionOf(topics.admitted.name)),
  )
  const events = pick(finalized, topics.finalizations.name)
  const batches = pick(timed('batch', batch, topics.finalizations.name, events), topics.batches.name)
  // the summary is one event; gas cuts more than the number of projects does
  if (batches.length <= PROJECTS / market.batchProjectsMax) throw new Error(`${batches.length} batch events`)
  times.total = Object.values(times).reduce((a, b) => a + b)
  timed('settle (beside the path)', settle, topics.finalizations.name, events)
  return times
}

const recordOf = (offset: number, key: Uint8Array, value: Uint8Array): LogRecord => ({
  offset,
  timestamp: 1,
  key,
  value,
  headers: [],
})

function runThrough(
  task: Task,
  topic: string,
  records: readonly LogRecord[],
  prepared?: readonly unknown[],
): OutgoingRecord[] {
  const output: OutgoingRecord[] = []
  const ahead = prepared && new ReadAhead(task.stage.sources.find(({ name }) => name === topic)!, records)
  if (ahead) ahead.prepared = prepared
  for (let from = 0; from < records.length; from += BURST) {
    task.process(topic, records, from, Math.min(from + BURST, records.length), ahead)
    const burst = task.seal('bench')
    for (const record of burst.records) output.push(record)
    task.applied(burst, new Map())
  }
  return output
}

const pick = (records: readonly OutgoingRecord[], topic: string, from = 0): LogRecord[] =>
  records.filter((record) => record.topic === topic).map(({ key, value }, i) => recordOf(from + i, key!, value!))

// ——— the parts of the path from close to batch ———

function benchParts(): BenchRow[] {
  const submissions = Array.from({ length: SUBMISSIONS }, (_, n) => {
    const submission = submissionOf(n)
    return { ...submission, position: { partition: 0, offset: n }, digest: asBuffer(hashOf(submission.submissionId)) }
  })
  const projects = new Map<string, Vote[]>()
  for (const submission of submissions)
    projects.set(submission.projectId, [...(projects.get(submission.projectId) ?? []), voteOf(submission)])
  const close = { tick: tick('CLOSE', 12), headers: new Set(tick('CLOSE', 12).acceptedHeaders), blockTimes: [], market }
  const finalize = () => [...projects].map(([projectId, all]) => finalizeProject(projectId, all, close))
  const finalized = finalize()
  const ids = submissions.map(({ submissionId }) => submissionId)
  const conditions = `${SUBMISSIONS} submissions, median of 5`
  return [
    row('part: tally', millis(finalize), 'ms CPU', conditions),
    row(
      'part: frames of the texts',
      millis(() => [...projects.values()].map(frameTexts)),
      'ms CPU',
      conditions,
    ),
    row(
      'part: one tree over the ids',
      millis(() => rootOf(ids)),
      'ms CPU',
      conditions,
    ),
    row(
      'part: batches from finalizations',
      millis(() => [...packEpoch(finalized, tick('CLOSE', 12), market)]),
      'ms CPU',
      conditions,
    ),
  ]
}

if (globalThis.process.argv[1] && import.meta.url === pathToFileURL(globalThis.process.argv[1]).href)
  for (const { name, value, unit, conditions } of await benchStages())
    console.log(`${name.padEnd(46)} ${`${value}`.padStart(9)} ${unit.padEnd(10)} ${conditions}`)
