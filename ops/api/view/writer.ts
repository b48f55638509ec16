/** Turns fetched records into the rows of one commit. Synchronous, a fetched batch at a time; decides nothing. */
import { sizeBytesOf } from '../../../schemas/batch-joiner.ts'
import { CodecError } from '../../../schemas/codec-error.ts'
import type { Anchor, AnchorKey, Batch, EpochKey, EpochTick, ProjectFinalization } from '../../../schemas/types.ts'
import type { FetchedPartition, LogRecord } from '../../../streams/ports.ts'
import { isEpochSummary, isMarker, type Topics } from '../../../topology/topics.ts'
import { createCommit, type ViewCommit } from './commit.ts'
import { withAnchor, withFinalization, withSummary, withTick } from './epoch-row.ts'
import { keyOf } from './keys.ts'
import type { RowCache } from './row-cache.ts'
import {
  anchorParts,
  type BatchRow,
  EQUIVOCATIONS_MAX,
  epochParts,
  json,
  NOTHING,
  queueOf,
  TABLE,
  timed,
} from './rows.ts'
import { hasSubmission, putFromVerdict, putSubmission, putVerdict } from './submission-rows.ts'

export function rowsOf(topics: Topics, cache: RowCache, fetched: readonly FetchedPartition[]): ViewCommit {
  const commit = createCommit(cache)
  const read = new Map(fetched.flatMap((at) => (at.topic === topics.submissions.name ? [[at.partition, at]] : [])))
  for (const { topic, partition, records } of fetched) {
    const apply = APPLY[kindOf(topics, topic)]
    for (const record of records)
      if (record.key !== null) readable(() => apply(topics, commit, record, { partition, read }))
  }
  return commit
}

/** A record that nobody can read is a dead letter of its stage: the view goes on behind it. */
function readable(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
  }
}

type Kind = 'submissions' | 'epochTicks' | 'finalizations' | 'batches' | 'anchors' | 'verdicts' | 'markets'
export const VIEW_TOPICS = [
  'epochTicks',
  'submissions',
  'verdicts',
  'finalizations',
  'batches',
  'anchors',
  'markets',
] as const satisfies readonly Kind[]

const kindOf = (topics: Topics, name: string): Kind => VIEW_TOPICS.find((kind) => topics[kind].name === name)!

interface Place {
  readonly partition: number
  /** Each partition of submissions: what is left of it, and how far it is reflected. */
  readonly read: ReadonlyMap<number, FetchedPartition>
}
type Apply = (topics: Topics, commit: ViewCommit, record: LogRecord, place: Place) => void

const APPLY: Record<Kind, Apply> = {
  epochTicks({ epochTicks }, commit, { value, timestamp }) {
    if (value !== null) onTick(commit, epochTicks.value.decode(value), timestamp)
  },
  submissions(topics, commit, record, { partition }) {
    if (record.value === null) return
    const { key, value } = topics.submissions
    const event = value.decode(record.value)
    if (isMarker(event)) return
    const [epoch, time] = [key.decode(record.key!), record.timestamp]
    putSubmission(commit, topics, event, { key: epoch, position: { partition, offset: record.offset }, time })
    commit.count(epoch, time)
  },
  verdicts({ verdicts: { key, value } }, commit, record, { read }) {
    if (record.value === null) return
    const [epoch, verdict, time] = [key.decode(record.key!), value.decode(record.value), record.timestamp]
    const { position, reason } = verdict
    const place = { key: epoch, position, time }
    const { start, next } = read.get(position.partition) ?? { start: 0, next: 0 }
    // its submission is gone from the log, so nothing else leads to it
    if (position.offset < start) putFromVerdict(commit, verdict, place)
    const wasTakenOut = position.offset < next && !hasSubmission(commit, verdict, place)
    if (!wasTakenOut) putVerdict(commit, record.value, verdict, place)
    if (!wasTakenOut || commit.isKnown(epoch)) commit.count(epoch, time, reason)
  },
  finalizations({ finalizations: { key, value } }, commit, record) {
    if (record.value === null) return
    const event = value.decode(record.value)
    if (!isMarker(event)) onFinalization(commit, key.decode(record.key!), event, record.timestamp)
  },
  batches({ batches: { key, value } }, commit, record) {
    if (record.value === null) return
    const event = value.decode(record.value)
    const { dataMarket } = key.decode(record.key!)
    if (!isEpochSummary(event)) return onBatch(commit, { dataMarket, epochId: event.epochId }, event, record)
    const epoch = { dataMarket, epochId: event.summaryOf }
    commit.epoch(epoch, (row) => withSummary(row, event, record.timestamp), record.timestamp)
    commit.heads(dataMarket, { batched: event.summaryOf })
  },
  anchors({ anchors: { key, value } }, commit, record) {
    const anchor = record.value === null ? null : value.decode(record.value)
    onAnchor(commit, key.decode(record.key!), anchor, record)
  },
  markets({ markets: { key, value } }, commit, record) {
    if (record.value !== null) commit.market(key.decode(record.key!).dataMarket, value.decode(record.value))
  },
}

function onTick(commit: ViewCommit, tick: EpochTick, time: number): void {
  const { kind, dataMarket, epochId, blockNumber } = tick
  if (kind === 'HEAD') commit.chainHead({ blockNumber, at: time })
  for (const market of tick.markets) if (market.served) commit.beginAnew(market.dataMarket)
  if (kind !== 'OPEN' && kind !== 'CLOSE') return
  const key = { dataMarket, epochId }
  if (kind === 'OPEN') commit.released(tick)
  else commit.heads(dataMarket, { closed: epochId })
  commit.epoch(key, (row) => withTick(row, tick, time), time)
}

/** A row has a bounded size however many votes there were: what a project's parts have in common, and the first slots. */
function onFinalization(commit: ViewCommit, key: EpochKey, project: ProjectFinalization, time: number): void {
  if (project.part > 0) return
  const { projectId, snapshotCid, votes, voters, candidates, equivocations } = project
  const shown = { candidates, equivocations: equivocations.slice(0, EQUIVOCATIONS_MAX) }
  commit.put(
    keyOf(TABLE.projects, ...epochParts(key), projectId),
    json({ projectId, snapshotCid, votes, voters, ...shown }),
  )
  commit.epoch(key, (epoch) => withFinalization(epoch, project), time)
}

function onBatch(commit: ViewCommit, key: EpochKey, batch: Batch, { offset, timestamp }: LogRecord): void {
  if (batch.part > 0) return
  const { json: _, epochId: __, batchIndex, part: ___, parts: ____, ...fields } = batch
  const row: BatchRow = { ...fields, sizeBytes: sizeBytesOf(batch), builtAt: timestamp, offset }
  commit.put(keyOf(TABLE.batches, ...anchorParts({ ...key, batchIndex })), json(row))
  for (const projectId of batch.projectIds)
    commit.put(keyOf(TABLE.batchOfProject, ...epochParts(key), projectId), json(batchIndex))
  commit.epoch(key, (row) => row, timestamp)
}

function onAnchor(commit: ViewCommit, key: AnchorKey, anchor: Anchor | null, { timestamp, value }: LogRecord): void {
  const parts = anchorParts(key)
  const before = commit.epochRow(key).anchors[key.batchIndex]
  if (before) commit.del(keyOf(TABLE.anchorQueues, queueOf(before.state), ...parts))
  if (anchor === null) commit.del(keyOf(TABLE.anchors, ...parts))
  else {
    commit.put(keyOf(TABLE.anchors, ...parts), timed(timestamp, value!))
    commit.put(keyOf(TABLE.anchorQueues, queueOf(anchor.state), ...parts), NOTHING)
    if (anchor.cid !== '') commit.put(keyOf(TABLE.batchCids, anchor.cid, ...parts), NOTHING)
  }
  commit.epoch(key, (row) => withAnchor(row, key.batchIndex, anchor, timestamp), timestamp)
  commit.anchorChanged(key)
}
