/**
 * What has become of each epoch, followed from the topics as they are written. For the live table, the plain lines, the
 * metrics and `--epochs N`; it decides nothing.
 */
import { createBatchJoiner } from '../schemas/batch-joiner.ts'
import type { Anchor, Batch, EpochTick, ProjectFinalization, Verdict } from '../schemas/types.ts'
import { type Clock, type FetchPosition, type Log, LogError, type LogRecord } from '../streams/ports.ts'
import { backOff, retried } from '../streams/retry.ts'
import { isEpochSummary, isMarker, type Topics } from '../topology/topics.ts'
import { partitionsOf } from './log-reading/scan.ts'
import { recall } from './recall.ts'

/** Epochs remembered, the oldest are forgotten: at one every 12 s, more than three hours. */
export const EPOCHS_KEPT = 1_024
const FETCH_WAIT_MS = 500
const FETCH_BYTES = 1024 * 1024
/** Ticks, and rows of anchors: enough for the epochs under way, whose number is bounded by windows and depth. */
const RECALLED_RECORDS = 10_000

export interface EpochProgress {
  readonly dataMarket: string
  readonly epochId: number
  releaseBlock: number
  /** First of the epochs right before it that the market's owner skipped; 0 = none. */
  skippedFrom: number
  closeBlock: number | undefined
  /** When this process saw the release and the end, ms; undefined when it did not, as after a restart. */
  releasedAt: number | undefined
  endedAt: number | undefined
  submissions: number
  projects: number
  projectsWithoutQuorum: number
  batches: number | undefined
  readonly anchors: Map<number, Anchor>
  readonly reasons: Map<string, number>
}

/** When something was, as far as can be known: for what is read as it is written, now; for the past, when its record was. */
export interface Moment {
  /** Ms. */
  readonly at: number
  /** It was there before this process began to follow. */
  readonly past: boolean
}

export interface ProgressListener {
  /** Is told also what is under way when the following begins: releases, closes and anchors. */
  readonly wantsPast?: boolean
  released?(epoch: EpochProgress, when: Moment): void
  closed?(epoch: EpochProgress, when: Moment): void
  /** The blocks from this one on left the chain, with the releases in them. */
  orphaned?(blockNumber: number, when: Moment): void
  /** Each part of a finalization by itself; what is not a list is the same in all of them. */
  finalized?(dataMarket: string, epochId: number, project: ProjectFinalization): void
  /** In one piece. */
  batched?(dataMarket: string, batch: Batch): void
  summarised?(epoch: EpochProgress, when: Moment): void
  anchorChanged?(
    epoch: EpochProgress,
    batchIndex: number,
    anchor: Anchor,
    before: Anchor | undefined,
    when: Moment,
  ): void
  /** The call that ends the epoch's batches is on the chain, and each batch. */
  anchored?(epoch: EpochProgress, when: Moment): void
  /** That call is on the chain, but a batch is not: it was late, or has failed. */
  missed?(epoch: EpochProgress, when: Moment): void
  verdict?(dataMarket: string, verdict: Verdict): void
}

export interface Progress {
  /** Resolves when the following has ended: with the failure that nothing can be done about, or undefined after `close`. */
  readonly stopped: Promise<Error | undefined>
  close(): Promise<void>
}

/** From the release to the end on the chain, when this process saw both. */
export const secondsToAnchor = ({ releasedAt, endedAt }: EpochProgress): number | undefined =>
  releasedAt === undefined || endedAt === undefined ? undefined : (endedAt - releasedAt) / 1000

/** The batches that will not be on the chain, by their state. */
export const missedBatches = ({ anchors }: EpochProgress): readonly [batch: number, state: Anchor['state']][] =>
  [...anchors]
    .map(([batch, { state }]): [number, Anchor['state']] => [batch, state])
    .filter(([batch, state]) => batch >= 0 && (state === 'LATE' || state === 'FAILED'))

/** Follows from the present end of the topics; of the epochs that are under way, it first reads how far they have come. */
export async function followProgress(
  log: Log,
  topics: Topics,
  listeners: readonly ProgressListener[],
  clock: Clock,
): Promise<Progress> {
  const stop = new AbortController()
  const { signal } = stop
  const epochs = new Map<string, EpochProgress>()
  const past = createFold(
    topics,
    epochs,
    listeners.filter(({ wantsPast }) => wantsPast),
  )
  const live = createFold(topics, epochs, listeners)
  const positions = await startPositions(log, topics)
  const now = (topic: string, record: LogRecord): void => live(topic, record, { at: clock.now(), past: false })
  const stopped = readPast({ log, clock, signal }, topics, positions, past)
    .then(() => follow({ log, clock, signal }, positions, now))
    .then(
      () => undefined,
      (error: unknown) => (signal.aborted ? undefined : error instanceof Error ? error : new Error(String(error))),
    )
  return {
    stopped,
    async close() {
      stop.abort()
      await stopped
    },
  }
}

interface Following {
  readonly log: Log
  readonly clock: Clock
  readonly signal: AbortSignal
}

type Fold = (topic: string, record: LogRecord, when: Moment) => void

async function startPositions(log: Log, topics: Topics): Promise<FetchPosition[]> {
  const { epochTicks, finalizations, batches, anchors, verdicts } = topics
  const partitions = [epochTicks, finalizations, batches, anchors, verdicts].flatMap(partitionsOf)
  const bounds = await log.bounds(partitions)
  return partitions.map((tp, i) => ({ ...tp, offset: bounds[i]!.stable }))
}

/** An epoch of which not everything can be known any more is left out: it would seem to be under way for ever. */
async function readPast(
  ports: Following,
  { epochTicks, anchors }: Topics,
  positions: readonly FetchPosition[],
  fold: Fold,
): Promise<void> {
  const ends = positions.filter(({ topic }) => topic === epochTicks.name || topic === anchors.name)
  const starts = await ports.log.bounds(ends)
  const bounds = ends.map(({ offset: stable }, i) => ({ start: starts[i]!.start, stable }))
  const { records, completeFrom } = await retried(ports.clock, ports.signal, () =>
    recall(ports, ends, bounds, RECALLED_RECORDS),
  )
  for (const [topic, record] of records)
    if (record.timestamp >= completeFrom) fold(topic, record, { at: record.timestamp, past: true })
}

/** Through any outage of the log: who only looks on does not end the process, nor its other roles. */
async function follow(
  { log, clock, signal }: Following,
  start: readonly FetchPosition[],
  apply: (topic: string, record: LogRecord) => void,
) {
  let positions = start
  const options = { maxWaitMs: FETCH_WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal }
  for (let failures = 0; !signal.aborted; ) {
    const fetched = await log.fetch(positions, options).catch((error: unknown) => {
      if (error instanceof LogError && error.retriable) return undefined
      throw error
    })
    if (!fetched) {
      await backOff(clock, ++failures, signal)
      continue
    }
    failures = 0
    for (const { topic, records } of fetched) for (const record of records) apply(topic, record)
    positions = fetched.map(({ topic, partition, next, outOfRange, start: first }) => ({
      topic,
      partition,
      offset: outOfRange ? first : next,
    }))
  }
}

function createFold(topics: Topics, epochs: Map<string, EpochProgress>, listeners: readonly ProgressListener[]): Fold {
  const tell: Required<ProgressListener> = allListeners(listeners)
  const { epochTicks, finalizations, batches, anchors, verdicts } = topics
  const joiner = createBatchJoiner()
  const folds: Record<string, (key: Uint8Array, value: Uint8Array, when: Moment) => void> = {
    [epochTicks.name]: (_, value, when) => onTick(epochs, tell, epochTicks.value.decode(value), when),
    [finalizations.name](key, value) {
      const project = finalizations.value.decode(value)
      if (isMarker(project)) return
      const { dataMarket, epochId } = finalizations.key.decode(key)
      tell.finalized(dataMarket, epochId, project)
    },
    [batches.name](key, value, when) {
      const { dataMarket } = batches.key.decode(key)
      const event = batches.value.decode(value)
      if (!isEpochSummary(event)) {
        const batch = joiner.take(dataMarket, event)
        return batch && tell.batched(dataMarket, batch)
      }
      const { summaryOf, batches: count, projects, projectsWithoutQuorum, submissions } = event
      const epoch = epochOf(epochs, dataMarket, summaryOf)
      Object.assign(epoch, { batches: count, projects, projectsWithoutQuorum, submissions })
      tell.summarised(epoch, when)
    },
    [anchors.name](key, value, when) {
      const { dataMarket, epochId, batchIndex } = anchors.key.decode(key)
      onAnchor(epochOf(epochs, dataMarket, epochId), batchIndex, anchors.value.decode(value), tell, when)
    },
    [verdicts.name](key, value) {
      const { dataMarket, epochId } = verdicts.key.decode(key)
      const verdict = verdicts.value.decode(value)
      const known = epochs.get(`${dataMarket}/${epochId}`)
      if (known) known.reasons.set(verdict.reason, (known.reasons.get(verdict.reason) ?? 0) + 1)
      tell.verdict(dataMarket, verdict)
    },
  }
  return (topic, { key, value }, when) => {
    if (key !== null && value !== null) folds[topic]!(key, value, when)
  }
}

function onTick(
  epochs: Map<string, EpochProgress>,
  tell: Required<ProgressListener>,
  tick: EpochTick,
  when: Moment,
): void {
  const { kind, dataMarket, epochId, blockNumber, releaseBlock } = tick
  if (kind === 'ORPHAN') tell.orphaned(blockNumber, when)
  if (kind !== 'OPEN' && kind !== 'CLOSE') return
  const epoch = epochOf(epochs, dataMarket, epochId)
  epoch.releaseBlock = releaseBlock
  if (kind === 'OPEN') epoch.skippedFrom = tick.skippedFrom
  if (kind === 'CLOSE') epoch.closeBlock = blockNumber
  else if (!when.past) epoch.releasedAt = when.at
  tell[kind === 'CLOSE' ? 'closed' : 'released'](epoch, when)
}

function onAnchor(
  epoch: EpochProgress,
  batchIndex: number,
  anchor: Anchor,
  tell: Required<ProgressListener>,
  when: Moment,
): void {
  const before = epoch.anchors.get(batchIndex)
  epoch.anchors.set(batchIndex, anchor)
  tell.anchorChanged(epoch, batchIndex, anchor, before, when)
  if (batchIndex !== -1 || anchor.state !== 'FINAL' || epoch.endedAt !== undefined) return
  epoch.endedAt = when.at
  tell[missedBatches(epoch).length === 0 ? 'anchored' : 'missed'](epoch, when)
}

function epochOf(epochs: Map<string, EpochProgress>, dataMarket: string, epochId: number): EpochProgress {
  const id = `${dataMarket}/${epochId}`
  const known = epochs.get(id)
  if (known) return known
  const epoch = unseenEpoch(dataMarket, epochId)
  epochs.set(id, epoch)
  if (epochs.size > EPOCHS_KEPT) epochs.delete(epochs.keys().next().value!)
  return epoch
}

export const unseenEpoch = (dataMarket: string, epochId: number): EpochProgress => ({
  dataMarket,
  epochId,
  releaseBlock: 0,
  skippedFrom: 0,
  closeBlock: undefined,
  releasedAt: undefined,
  endedAt: undefined,
  submissions: 0,
  projects: 0,
  projectsWithoutQuorum: 0,
  batches: undefined,
  anchors: new Map(),
  reasons: new Map(),
})

/** One listener that tells several. */
function allListeners(listeners: readonly ProgressListener[]): Required<ProgressListener> {
  type Event = Exclude<keyof ProgressListener, 'wantsPast'>
  const tell =
    <E extends Event>(event: E) =>
    (...said: Parameters<NonNullable<ProgressListener[E]>>): void => {
      for (const listener of listeners) (listener[event] as ((...args: typeof said) => void) | undefined)?.(...said)
    }
  return {
    wantsPast: true,
    released: tell('released'),
    closed: tell('closed'),
    orphaned: tell('orphaned'),
    finalized: tell('finalized'),
    batched: tell('batched'),
    summarised: tell('summarised'),
    anchorChanged: tell('anchorChanged'),
    anchored: tell('anchored'),
    missed: tell('missed'),
    verdict: tell('verdict'),
  }
}
