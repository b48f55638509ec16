/** Turns fetched records into the rows of one commit. Synchronous, a fetched batch at a time; decides nothing. */
import { sizeBytesOf } from '../../../schemas/batch-joiner.ts'
import type {
  Anchor,
  AnchorKey,
  Batch,
  EpochKey,
  EpochTick,
  LogPosition,
  ProjectFinalization,
  Submission,
  Verdict,
} from '../../../schemas/types.ts'
import type { FetchedPartition, LogRecord } from '../../../streams/ports.ts'
import { isEpochSummary, isMarker, type Topics } from '../../../topology/topics.ts'
import { createCommit, type ViewCommit } from './commit.ts'
import { withAnchor, withFinalization, withSummary, withTick } from './epoch-row.ts'
import type { RowCache } from './row-cache.ts'
import {
  anchorParts,
  type BatchRow,
  EQUIVOCATIONS_MAX,
  epochParts,
  json,
  keyOf,
  NOTHING,
  queueOf,
  type SubmissionRow,
  slotParts,
  submissionParts,
  TABLE,
  timed,
} from './rows.ts'

export function rowsOf(topics: Topics, cache: RowCache, fetched: readonly FetchedPartition[]): ViewCommit {
  const commit = createCommit(cache)
  const starts = new Map(
    fetched.flatMap((at) => (at.topic === topics.submissions.name ? [[at.partition, at.start]] : [])),
  )
  for (const { topic, partition, records } of fetched) {
    const apply = APPLY[kindOf(topics, topic)]
    for (const record of records) if (record.key !== null) apply(topics, commit, record, { partition, starts })
  }
  return commit
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
  /** First offset that is left of each partition of submissions. */
  readonly starts: ReadonlyMap<number, number>
}
type Apply = (topics: Topics, commit: ViewCommit, record: LogRecord, place: Place) => void

const APPLY: Record<Kind, Apply> = {
  epochTicks({ epochTicks }, commit, { value, timestamp }) {
    if (value !== null) onTick(commit, epochTicks.value.decode(value), timestamp)
  },
  submissions({ submissions: { key, value } }, commit, record, { partition }) {
    if (record.value === null) return
    const event = value.decode(record.value)
    if (!isMarker(event)) onSubmission(commit, key.decode(record.key!), event, record, partition)
  },
  verdicts({ verdicts: { key, value } }, commit, record, { starts }) {
    if (record.value === null) return
    const [epoch, verdict] = [key.decode(record.key!), value.decode(record.value)]
    onVerdict(commit, epoch, verdict, record)
    // its submission is gone from the log, so nothing else leads to it
    const { partition, offset } = verdict.position
    if (offset < (starts.get(partition) ?? 0)) putSubmission(commit, epoch, { ...verdict, receivedAt: null }, record)
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
  if (kind === 'OPEN') commit.released(key)
  else commit.heads(dataMarket, { closed: epochId })
  commit.epoch(key, (row) => withTick(row, tick, time), time)
}

function onSubmission(commit: ViewCommit, key: EpochKey, submission: Submission, record: LogRecord, partition: number) {
  putSubmission(commit, key, { ...submission, position: { partition, offset: record.offset } }, record)
  commit.count(key, record.timestamp)
}

type Received = Omit<SubmissionRow, 'time'> & { readonly slotId: number; readonly position: LogPosition }

/** One that was read before it went from the log stays as it is. */
function putSubmission(commit: ViewCommit, key: EpochKey, received: Received, { timestamp }: LogRecord): void {
  const { submissionId, projectId, snapshotCid, receivedAt, slotId, position } = received
  const parts = submissionParts(key, slotId, position)
  const id = keyOf(TABLE.submissions, ...parts)
  if (receivedAt === null && commit.has(id)) return
  commit.put(id, json({ submissionId, projectId, snapshotCid, receivedAt, time: timestamp } satisfies SubmissionRow))
  commit.put(keyOf(TABLE.submissionIds, submissionId.toLowerCase(), ...parts), NOTHING)
  commit.put(keyOf(TABLE.slotSubmissions, ...slotParts(parts)), NOTHING)
}

function onVerdict(commit: ViewCommit, key: EpochKey, verdict: Verdict, record: LogRecord): void {
  const parts = submissionParts(key, verdict.slotId, verdict.position)
  commit.put(keyOf(TABLE.verdicts, ...parts), timed(record.timestamp, record.value!))
  commit.count(key, record.timestamp, verdict.reason)
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
