/**
 * The progress of each epoch, followed from the topics as they are written. For the live table, the plain lines, the metrics and
 * `--epochs N`; it decides nothing.
 */
import { isEnding } from '../../schemas/anchor-keys.ts'
import { createBatchJoiner } from '../../schemas/batch-joiner.ts'
import type { Anchor, EpochTick } from '../../schemas/types.ts'
import type { RecordTopic } from '../../streams/kafka-topic.ts'
import type { Clock, FetchPosition, Log, LogRecord, TopicPartition } from '../../streams/ports.ts'
import type { RangePorts } from '../../streams/read-range.ts'
import { type OnUnreadable, positionBehind, readRecord } from '../../streams/read-record.ts'
import { isEpochSummary, isMarker, type Topics } from '../../topology/topics.ts'
import type { Closeable } from '../base/lifecycle.ts'
import { onlooking } from '../base/onlooking.ts'
import { allListeners } from './all-listeners.ts'
import { endOf, lostOf, mayChange, type ProgressRecord, unseenEpoch, withRecord } from './epoch-progress.ts'
import type { FollowedEpoch, Moment, ProgressListener } from './progress-listener.ts'
import { type Recalled, recall } from './recall.ts'
import { partitionsOf } from './scan.ts'
import { createSight } from './sight.ts'

/** Epochs remembered, the oldest are forgotten: at one every 12 s, more than three hours. */
export const EPOCHS_KEPT = 1_024
const FETCH_WAIT_MS = 500
const FETCH_BYTES = 1024 * 1024
/** Ticks, and rows of anchors: enough for the epochs under way, whose number is bounded by windows and depth. */
const RECALLED_RECORDS = 10_000

/** From the release to the end on the chain, when this process saw both. */
export const secondsToAnchor = ({ releasedAt, endedAt }: FollowedEpoch): number | undefined =>
  releasedAt === undefined || endedAt === undefined ? undefined : (endedAt - releasedAt) / 1000

/** The batches of an epoch that will not be on the chain, as a list. */
export const lostWords = ({ progress }: FollowedEpoch): string =>
  lostOf(progress)
    .map(([index, state]) => `${isEnding({ batchIndex: index }) ? 'ending call' : `batch ${index}`} ${state}`)
    .join(', ')

export interface ProgressOptions {
  readonly topics: Topics
  readonly listeners: readonly ProgressListener[]
  /** Told of each record that is none of its topic. */
  readonly onUnreadable: OnUnreadable
  /** The follower cannot read now, and tries again; undefined when it reads. Not told of what is over within some seconds. */
  readonly waiting?: (reason: string | undefined) => void
  /** A listener threw: a fault of ours. It is told the rest. */
  readonly failed?: (error: unknown) => void
}

export interface Progress extends Closeable {
  /** Resolves when it is known from where on everything is told as it happens, or after `close`. */
  readonly started: Promise<void>
}

/**
 * Follows from the present end of the topics; of the epochs that are under way, it first reads how far they have come. An
 * observer ends nothing and nobody: whatever the log says, at the start or later, it is asked again. A topic that was made anew is
 * followed from its start, beside what is known.
 */
export function followProgress(
  { topics, listeners, waiting, ...options }: ProgressOptions,
  { log, clock }: { readonly log: Log; readonly clock: Clock },
): Progress {
  const stop = new AbortController()
  const { signal } = stop
  const epochs = new Map<string, FollowedEpoch>()
  const folding = { ...options, topics, epochs }
  const past = createFold({ ...folding, listeners: listeners.filter(({ wantsPast }) => wantsPast) })
  const live = createFold({ ...folding, listeners })
  const ports = { log, clock, signal, tell: options.onUnreadable }
  const starting = onlooking(ports, () => startOf(log, topics), waiting)
  const following = (async () => {
    const start = await starting
    const recalled = start && (await onlooking(ports, () => readPast(ports, topics, start.positions), waiting))
    for (const [at, record] of recalled ?? []) past(at, record, { at: record.timestamp, past: true })
    const now: Apply = (at, record) => live(at, record, { at: clock.now(), past: false })
    if (start) await follow(ports, start, now, waiting)
  })()
  return {
    started: starting.then(() => {}),
    async close() {
      stop.abort()
      await following
    },
  }
}

type Following = Required<RangePorts>

type Apply = (at: TopicPartition, record: LogRecord) => void
type Fold = (at: TopicPartition, record: LogRecord, when: Moment) => void

interface Place {
  readonly positions: readonly FetchPosition[]
  /** The topics that the positions lie in, by what tells them from others of the same name. */
  readonly ids: Ids
}
type Ids = Awaited<ReturnType<Log['topicIds']>>

async function startOf(log: Log, topics: Topics): Promise<Place> {
  const { epochTicks, finalizations, batches, anchors, verdicts } = topics
  const partitions = [epochTicks, finalizations, batches, anchors, verdicts].flatMap(partitionsOf)
  const ids = await idsOf(log, partitions)
  const bounds = await log.bounds(partitions)
  return { positions: partitions.map((tp, i) => ({ ...tp, offset: bounds[i]!.stable })), ids }
}

const idsOf = (log: Log, partitions: readonly TopicPartition[]): Promise<Ids> =>
  log.topicIds([...new Set(partitions.map(({ topic }) => topic))])

/** An epoch of which not everything can be known any more is left out: it would seem to be under way for ever. */
async function readPast(
  ports: Following,
  { epochTicks, anchors }: Topics,
  positions: readonly FetchPosition[],
): Promise<Recalled['records']> {
  const ends = positions.filter(({ topic }) => topic === epochTicks.name || topic === anchors.name)
  const starts = await ports.log.bounds(ends)
  const bounds = ends.map(({ offset: stable }, i) => ({ start: starts[i]!.start, stable }))
  const { records, completeFrom } = await recall(ports, ends, bounds, RECALLED_RECORDS)
  return records.filter(([, { timestamp }]) => timestamp >= completeFrom)
}

async function follow(
  ports: Following,
  start: Place,
  apply: Apply,
  waiting: ProgressOptions['waiting'],
): Promise<void> {
  const { signal, tell } = ports
  const sight = createSight(ports.log)
  let { positions, ids } = start
  let isOther = false
  const options = { maxWaitMs: FETCH_WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal }
  const advance = async (log: Log): Promise<void> => {
    if (isOther) {
      const now = await idsOf(log, positions)
      positions = positions.map((at) => (now?.get(at.topic) === ids?.get(at.topic) ? at : { ...at, offset: 0 }))
      ;[ids, isOther] = [now, false]
    }
    const fetched = await log.fetch(positions, options)
    for (const at of fetched) for (const record of at.records) apply(at, record)
    positions = fetched.map((at) => ({ topic: at.topic, partition: at.partition, offset: positionBehind(at, tell) }))
  }
  const lost = (): void => {
    isOther = true
  }
  while (!signal.aborted) await onlooking(ports, () => sight.look(advance, lost), waiting)
  await sight.close()
}

interface Folding extends Omit<ProgressOptions, 'waiting'> {
  readonly epochs: Map<string, FollowedEpoch>
}

function createFold({ topics, epochs, listeners, onUnreadable, failed }: Folding): Fold {
  const tell: Required<ProgressListener> = allListeners(listeners, failed)
  const { epochTicks, finalizations, batches, anchors, verdicts } = topics
  const joiner = createBatchJoiner()
  /** A record that is none of the topic is left out, and reported. */
  const foldOf =
    <K, V>(topic: RecordTopic<K, V>, apply: (key: K, value: V, when: Moment) => void): Fold =>
    ({ partition }, record, when) => {
      const read = readRecord(topic, partition, record, onUnreadable)
      if (read && read.value !== null) apply(read.key, read.value, when)
    }
  const folds: Record<string, Fold> = {
    [epochTicks.name]: foldOf(epochTicks, (_, tick, when) => onTick(epochs, tell, tick, when)),
    [finalizations.name]: foldOf(finalizations, ({ dataMarket, epochId }, project, { at }) => {
      if (isMarker(project)) return
      take(epochOf(epochs, dataMarket, epochId), { finalization: project, at })
      tell.finalized(dataMarket, epochId, project)
    }),
    [batches.name]: foldOf(batches, ({ dataMarket }, event, when) => {
      if (!isEpochSummary(event)) {
        const batch = joiner.take(dataMarket, event)
        return batch && tell.batched(dataMarket, batch)
      }
      const epoch = epochOf(epochs, dataMarket, event.summaryOf)
      take(epoch, { summary: event, at: when.at })
      tell.summarised(epoch, when)
    }),
    [anchors.name]: foldOf(anchors, ({ dataMarket, epochId, batchIndex }, anchor, when) =>
      onAnchor(epochOf(epochs, dataMarket, epochId), batchIndex, anchor, tell, when),
    ),
    [verdicts.name]: foldOf(verdicts, ({ dataMarket, epochId }, verdict) => {
      const known = epochs.get(`${dataMarket}/${epochId}`)
      if (known) known.reasons.set(verdict.reason, (known.reasons.get(verdict.reason) ?? 0) + 1)
      tell.verdict(dataMarket, verdict)
    }),
  }
  return (at, record, when) => folds[at.topic]!(at, record, when)
}

/** True when the record changed anything. */
function take(epoch: FollowedEpoch, record: ProgressRecord): boolean {
  const before = epoch.progress
  epoch.progress = withRecord(before, record)
  return epoch.progress !== before
}

function onTick(
  epochs: Map<string, FollowedEpoch>,
  tell: Required<ProgressListener>,
  tick: EpochTick,
  when: Moment,
): void {
  const { kind, dataMarket, epochId, blockNumber, skippedFrom } = tick
  const record = { tick, at: when.at }
  if (kind === 'ORPHAN' || skippedFrom > 0)
    for (const other of epochs.values())
      if (other.epochId !== epochId && mayChange(tick, other) && take(other, record)) tell.withdrawn(other, when)
  if (kind === 'ORPHAN') tell.orphaned(blockNumber, when)
  if (kind !== 'OPEN' && kind !== 'CLOSE') return
  const epoch = epochOf(epochs, dataMarket, epochId)
  take(epoch, record)
  if (kind === 'OPEN') epoch.skippedFrom = skippedFrom
  if (kind === 'OPEN' && !when.past) epoch.releasedAt = when.at
  tell[kind === 'CLOSE' ? 'closed' : 'released'](epoch, when)
}

function onAnchor(
  epoch: FollowedEpoch,
  batchIndex: number,
  anchor: Anchor,
  tell: Required<ProgressListener>,
  when: Moment,
): void {
  const before = epoch.anchors.get(batchIndex)
  epoch.anchors.set(batchIndex, anchor)
  take(epoch, { batchIndex, anchor, at: when.at })
  tell.anchorChanged(epoch, batchIndex, anchor, before, when)
  const end = endOf(epoch.progress)
  if (epoch.endedAt !== undefined || end === null) return
  epoch.endedAt = when.at
  if (end === 'ANCHORED') tell.anchored(epoch, when)
  else if (end === 'LATE' || end === 'FAILED') tell.missed(epoch, when)
  else tell.endedWithoutBatch(epoch, end, when)
}

function epochOf(epochs: Map<string, FollowedEpoch>, dataMarket: string, epochId: number): FollowedEpoch {
  const id = `${dataMarket}/${epochId}`
  const known = epochs.get(id)
  if (known) return known
  const epoch = followedEpoch(dataMarket, epochId)
  epochs.set(id, epoch)
  if (epochs.size > EPOCHS_KEPT) epochs.delete(epochs.keys().next().value!)
  return epoch
}

/** An epoch of which nothing is known yet. */
export const followedEpoch = (dataMarket: string, epochId: number): FollowedEpoch => ({
  dataMarket,
  epochId,
  progress: unseenEpoch(epochId),
  skippedFrom: 0,
  releasedAt: undefined,
  endedAt: undefined,
  anchors: new Map(),
  reasons: new Map(),
})
