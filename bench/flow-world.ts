/** The stages from a received submission to the batch, on a log, with a chain that the benchmark itself moves on. */

import { systemClock } from '../connectors/system-clock.ts'
import { createPrepare } from '../ops/run/prepare.ts'
import type { SignerPool } from '../ops/run/signers.ts'
import { slotWallet } from '../ops/world/snapshotters/wallets.ts'
import { createCodec } from '../schemas/codec.ts'
import { memoryRegistry } from '../schemas/registry.ts'
import type { EpochTick, Submission } from '../schemas/types.ts'
import { partitionFor } from '../streams/partitioner.ts'
import type { Appender, Clock, Log, LogRecord, OutgoingRecord } from '../streams/ports.ts'
import { StreamsRuntime } from '../streams/runtime.ts'
import type { RuntimeObserver } from '../streams/runtime-observer.ts'
import { sequencerTopology } from '../topology/index.ts'
import type { ProtocolRules } from '../topology/rules.ts'
import { sequencerStores } from '../topology/stores.ts'
import { isEpochSummary, isMarker, sequencerTopics, type Topics } from '../topology/topics.ts'
import { blockHash, ownerOf, recoveredOf, rules as stageRules, tick } from './stage-data.ts'

const STAGES = ['tick-fanout', 'validate', 'admit', 'consensus', 'settle', 'batch']
const PARTITIONS = 4
const COMMIT_INTERVAL_MS = 25
const FEED_RECORDS = 1_000
/** A look at the log while a close goes on, ms. */
const LOOK_MS = 5
/** Nothing that is waited for here takes so long, on a busy machine either. */
const WAIT_MS_MAX = 600_000
const FETCH = { maxWaitMs: 500, maxBytesPerPartition: 4 * 1024 * 1024 }
const POLL_MS = 5
const SEED = 1

export interface FlowOptions {
  readonly log: Log
  readonly slots: number
  /** Recovered for good, in so many worker threads (0 = the main thread); or `given`, to measure what is left. */
  readonly signatures: { readonly workers: number } | 'given'
  readonly observer?: RuntimeObserver
  /** Before every name in the log, where several worlds share one. */
  readonly prefix?: string
  readonly rules?: ProtocolRules
  /** Stages beside those from a submission to its batch and its verdict. */
  readonly moreStages?: readonly string[]
  /** Clock of the runtime; the machine's by default. */
  readonly clock?: Clock
  /** The time that records and ticks have, ms since 1970; the machine's by default. */
  readonly now?: () => number
  /** The last word on every tick. */
  readonly withTick?: (tick: EpochTick) => EpochTick
}

const BLOCKS_PER_EPOCH = 3
export const releaseBlockOf = (epochId: number): number => 10 + epochId * BLOCKS_PER_EPOCH
/** The header that submissions of an epoch sign as the newest. */
export const headerOf = (epochId: number): string => blockHash(releaseBlockOf(epochId) + 1)
export const walletOf = (slotId: number) => slotWallet(SEED, slotId)

export type FlowWorld = Awaited<ReturnType<typeof createFlowWorld>>

export async function createFlowWorld(options: FlowOptions) {
  const { log, slots, signatures, observer = {}, prefix = '', clock = systemClock, moreStages = [] } = options
  const { rules = stageRules, now = systemClock.now, withTick = (tick) => tick } = options
  const recordOf = recordsAt(now)
  const appId = `${prefix}bench`
  const codec = await createCodec(memoryRegistry(), prefix)
  const counts = { submissions: PARTITIONS, validated: PARTITIONS, admitted: PARTITIONS, finalizations: 1 }
  const topics = sequencerTopics(codec, { prefix, partitions: { ...counts, verdicts: PARTITIONS } })
  const { submissions, epochTicks, slots: slotTopic } = topics
  await log.createTopics([submissions, epochTicks, slotTopic, topics.deadLetters])
  const appender = await log.appender()

  const addressOf = (slotId: number): string => (signatures === 'given' ? ownerOf(slotId) : walletOf(slotId).address)
  const owners = slotRecords(topics, slots, addressOf, recordOf)
  const { length: slotsOffset } = owners
  const [bounds] = await log.bounds([{ topic: slotTopic.name, partition: 0 }])
  if (bounds!.stable === 0) await appender.append(owners)

  const pool = signatures === 'given' ? undefined : await signerPool(rules, signatures.workers)
  const runtime: StreamsRuntime = new StreamsRuntime(sequencerTopology(rules, topics, sequencerStores(codec)), {
    appId,
    instanceId: 'bench',
    log,
    clock,
    stages: [...STAGES, ...moreStages],
    background: ['settle'],
    commitIntervalMs: COMMIT_INTERVAL_MS,
    observer,
    prepare: [
      createPrepare({
        topics,
        signers: pool ?? givenSigners,
        slotsReached: (offset) => runtime.globalTableReached(slotTopic.name, offset),
      }),
    ],
    onFailure: (error) => void Promise.reject(error), // ends the process
  })

  const appendTicks = (...ticks: readonly EpochTick[]) =>
    appender.append(
      ticks.map((one) => {
        const key = epochTicks.key.encode({ dataMarket: one.dataMarket })
        return recordOf(epochTicks.name, 0, key, epochTicks.value.encode({ ...withTick(one), slotsOffset }))
      }),
    )

  return {
    topics,
    start: () => runtime.start(),
    async stop() {
      await runtime.close()
      await pool?.close()
    },
    /** The ticks up to the block after the release. */
    open: (epochId: number) => appendTicks(...openTicks(epochId)),
    close: (epochId: number) => appendTicks(...closeTicks(epochId)),
    /** Appends submissions as the intake does. */
    feed: (all: Iterable<Submission>) => feed(appender, topics, recordOf, all),
    /** The stages that a submission passes, each with what it reads, in order. */
    path: [
      ['validate', submissions],
      ['admit', topics.validated],
      ['consensus', topics.admitted],
      ['settle', topics.finalizations],
    ] as const,
    /** Resolves when a stage has read its input to the end. */
    caughtUp: (stage: string, topic: { name: string; partitions: number }) => caughtUp(log, `${appId}-${stage}`, topic),
  }
}

type MakeRecord = (topic: string, partition: number, key: Uint8Array, value: Uint8Array) => OutgoingRecord

/** Records of the time that it is when they are made: retention looks at it. */
export const recordsAt =
  (now: () => number): MakeRecord =>
  (topic, partition, key, value) => ({ topic, partition, timestamp: now(), key, value })

/** The slots from 1 on, each with one owner from the beginning. */
export const slotRecords = (
  { slots: { name, key, value } }: Topics,
  count: number,
  addressOf: (slotId: number) => string,
  recordOf: MakeRecord,
): OutgoingRecord[] =>
  Array.from({ length: count }, (_, i) => {
    const slotId = i + 1
    const owner = { sinceBlock: 0, owner: addressOf(slotId), active: true, sinceFork: 0, untilFork: 0 }
    return recordOf(name, 0, key.encode({ slotId }), value.encode({ slotId, history: [owner] }))
  })

async function feed(
  appender: Appender,
  { submissions }: Topics,
  recordOf: MakeRecord,
  all: Iterable<Submission>,
): Promise<void> {
  let burst: OutgoingRecord[] = []
  for (const submission of all) {
    const { dataMarket, epochId, projectId } = submission
    const key = submissions.key.encode({ dataMarket: dataMarket.toLowerCase(), epochId, projectId })
    const value = submissions.value.encode(submission)
    burst.push(recordOf(submissions.name, partitionFor(key, PARTITIONS), key, value))
    if (burst.length < FEED_RECORDS) continue
    await appender.append(burst)
    burst = []
  }
  if (burst.length > 0) await appender.append(burst)
}

const givenSigners: SignerPool = {
  recover: async (values) => values.map((value) => (value && !isMarker(value) ? recoveredOf(value) : undefined)),
  close: async () => {},
}

/** Compiled: a worker thread cannot load the sources. */
async function signerPool(rules: ProtocolRules, workers: number): Promise<SignerPool> {
  const compiled = new URL('../dist/ops/run/signers.js', import.meta.url).href
  const { createSignerPool } = (await import(compiled)) as typeof import('../ops/run/signers.ts')
  return createSignerPool(rules, workers)
}

export function openTicks(epochId: number): EpochTick[] {
  const release = releaseBlockOf(epochId)
  return [
    tick('HEAD', release),
    { ...tick('OPEN', release), epochId, releaseBlock: release },
    tick('HEAD', release + 1),
  ]
}

function closeTicks(epochId: number): EpochTick[] {
  const release = releaseBlockOf(epochId)
  const acceptedHeaders = [release, release + 1, release + 2].map(blockHash)
  const closed = { ...tick('CLOSE', release + 2), epochId, releaseBlock: release, acceptedHeaders }
  return [tick('HEAD', release + 2), closed]
}

export async function caughtUp(log: Log, group: string, { name, partitions }: { name: string; partitions: number }) {
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))
  await until(`${group} has read ${name}`, POLL_MS, async () => {
    const [bounds, offsets] = await Promise.all([log.bounds(all), log.committedOffsets(group, all)])
    return bounds.every(({ stable }, i) => (offsets[i]?.next ?? 0) >= stable)
  })
}

/** @param what as in "it is not so that …" @throws Error when it is not so after WAIT_MS_MAX */
export async function until(what: string, everyMs: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + WAIT_MS_MAX; !(await condition()); await systemClock.sleep(everyMs))
    if (performance.now() > end) throw new Error(`after ${WAIT_MS_MAX / 1_000} s it is not so that ${what}`)
}

/** Resolves when a partition 0 has committed records from an offset on; answers the offset behind them. */
export async function untilCommitted(log: Log, topic: string, from: number): Promise<number> {
  let stable = from
  await until(`${topic} goes on behind ${from}`, LOOK_MS, async () => {
    const [bounds] = await log.bounds([{ topic, partition: 0 }])
    stable = bounds!.stable
    return stable > from
  })
  return stable
}

/** Resolves when the last batch of an epoch has been read; answers the offset after it. */
export const untilBatched = (log: Log, { topics }: FlowWorld, epochId: number, from: number): Promise<number> =>
  readUntil(log, topics.batches.name, from, ({ value }) => {
    const event = topics.batches.value.decode(value!)
    return isEpochSummary(event) && event.summaryOf === epochId
  })

/** Reads one partition from `offset` on until a record satisfies; answers the offset after it. */
async function readUntil(
  log: Log,
  topic: string,
  offset: number,
  enough: (record: LogRecord) => boolean,
): Promise<number> {
  for (let next = offset; ; ) {
    const [fetched] = await log.fetch([{ topic, partition: 0, offset: next }], FETCH)
    for (const record of fetched!.records) if (enough(record)) return record.offset + 1
    if (fetched!.outOfRange) throw new Error(`${topic} begins at ${fetched!.start}, ${next} was asked for`)
    next = fetched!.next
  }
}
