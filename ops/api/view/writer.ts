/** Turns fetched records into the rows of one commit. Synchronous, one fetch at a time; decides nothing. */

import { sizeBytesOf } from '../../../schemas/batch-joiner.ts'
import type { Anchor, AnchorKey, Batch, EpochKey, EpochTick, ProjectFinalization } from '../../../schemas/types.ts'
import type { RecordTopic } from '../../../streams/kafka-topic.ts'
import type { FetchedPartition, LogRecord } from '../../../streams/ports.ts'
import { type OnUnreadable, type ReadRecord, readRecords } from '../../../streams/read-record.ts'
import { isEpochSummary, isMarker, type Topics } from '../../../topology/topics.ts'
import { standingOfBatch } from '../../reading/epoch-phases.ts'
import { withRecord } from '../../reading/epoch-progress.ts'
import { EQUIVOCATIONS_MAX } from './bounds.ts'
import { createCommit, type ViewCommit } from './commit.ts'
import { onDay, onDayBegan, onPayment, onPayout, onSlotDay, onTally } from './day-rows.ts'
import { keyOf } from './keys.ts'
import type { RowCache } from './row-cache.ts'
import { anchorParts, type BatchRow, epochParts, json, NOTHING, TABLE, timed } from './rows.ts'
import { hasSubmission, putFromVerdict, putSubmission, putVerdict } from './submission-rows.ts'

/** The writes of a commit, and the time of the newest tick in it, 0 without one. */
export interface Rows {
  readonly commit: ViewCommit
  readonly newestTick: number
}

/** @param tell told of each record that is none of its topic: the view goes on behind it */
export function rowsOf(
  topics: Topics,
  cache: RowCache,
  fetched: readonly FetchedPartition[],
  tell: OnUnreadable,
): Rows {
  const commit = createCommit(cache)
  const read = new Map(fetched.flatMap((at) => (at.topic === topics.submissions.name ? [[at.partition, at]] : [])))
  let newestTick = 0
  for (const { topic: name, partition, records } of fetched) {
    const kind = kindOf(topics, name)
    const [topic, apply] = [topics[kind] as RecordTopic<never, never>, APPLY[kind] as Apply<Kind>]
    for (const record of readRecords(topic, partition, records, tell)) {
      if (kind === 'epochTicks') newestTick = Math.max(newestTick, record.timestamp)
      apply(topics, commit, record, { partition, read })
    }
  }
  return { commit, newestTick }
}

type Kind = (typeof VIEW_TOPICS)[number]
export const VIEW_TOPICS = [
  'epochTicks',
  'submissions',
  'verdicts',
  'finalizations',
  'batches',
  'anchors',
  'markets',
  'tallies',
  'slotDays',
  'days',
  'payouts',
  'payments',
] as const satisfies readonly (keyof Topics)[]

const kindOf = (topics: Topics, name: string): Kind => VIEW_TOPICS.find((kind) => topics[kind].name === name)!

interface Place {
  readonly partition: number
  /** Each partition of submissions: what is left of it, and how far it is reflected. */
  readonly read: ReadonlyMap<number, FetchedPartition>
}
type Of<K extends Kind> = Topics[K] extends RecordTopic<infer Key, infer Value> ? ReadRecord<Key, Value> : never
type Apply<K extends Kind> = (topics: Topics, commit: ViewCommit, record: Of<K>, place: Place) => void

const APPLY: { readonly [K in Kind]: Apply<K> } = {
  epochTicks(_, commit, { value: tick, timestamp }) {
    if (tick) onTick(commit, tick, timestamp)
  },
  submissions(topics, commit, { key, value: event, offset, timestamp: time }, { partition }) {
    if (!event || isMarker(event)) return
    putSubmission(commit, topics, event, { key, position: { partition, offset }, time })
    commit.count(key, time)
  },
  verdicts(_, commit, { key: epoch, value: verdict, timestamp: time, record }, { read }) {
    if (!verdict) return
    const { position, reason } = verdict
    const place = { key: epoch, position, time }
    const { start, next } = read.get(position.partition) ?? { start: 0, next: 0 }
    // its submission is gone from the log, so nothing else leads to it
    if (position.offset < start) putFromVerdict(commit, verdict, place)
    const wasTakenOut = position.offset < next && !hasSubmission(commit, verdict, place)
    if (!wasTakenOut) putVerdict(commit, record.value!, verdict, place)
    if (!wasTakenOut || commit.isKnown(epoch)) commit.count(epoch, time, reason)
  },
  finalizations(_, commit, { key, value: event, timestamp }) {
    if (event && !isMarker(event)) onFinalization(commit, key, event, timestamp)
  },
  batches(_, commit, { key: { dataMarket }, value: event, record }) {
    if (!event) return
    if (!isEpochSummary(event)) return onBatch(commit, { dataMarket, epochId: event.epochId }, event, record)
    const epoch = { dataMarket, epochId: event.summaryOf }
    commit.epoch(epoch, (row) => withRecord(row, { summary: event, at: record.timestamp }), record.timestamp)
    commit.heads(dataMarket, { batched: event.summaryOf })
  },
  anchors(_, commit, { key, value: anchor, record }) {
    onAnchor(commit, key, anchor, record)
  },
  markets(_, commit, { key, value: market }) {
    if (market) commit.market(key.dataMarket, market)
  },
  tallies(_, commit, { key, value: event, offset }, { partition }) {
    if (event) onTally(commit, key, event, { partition, offset })
  },
  slotDays: (_, commit, { key, record }) => onSlotDay(commit, key, record),
  days: (_, commit, { key, value: day, timestamp }) => onDay(commit, key, day, timestamp),
  payouts(_, commit, { key, value: payout, record }) {
    if (payout) onPayout(commit, key, payout, record)
  },
  payments: (_, commit, { key, value: payment, record }) => onPayment(commit, key, payment, record),
}

function onTick(commit: ViewCommit, tick: EpochTick, time: number): void {
  const { kind, dataMarket, epochId, blockNumber } = tick
  if (kind === 'HEAD') commit.chainHead({ blockNumber, at: time })
  for (const refused of tick.refused) {
    const { dataMarket, epochId } = refused
    commit.refused({ dataMarket, epochId })
    commit.epoch({ dataMarket, epochId }, (row) => withRecord(row, { refused, at: time }), time)
  }
  for (const market of tick.markets) if (market.served) commit.beginAnew(market.dataMarket)
  if (kind === 'ORPHAN') commit.orphaned(tick, time)
  if (kind !== 'OPEN' && kind !== 'CLOSE') return
  const key = { dataMarket, epochId }
  if (kind === 'OPEN') {
    commit.released(tick, time)
    onDayBegan(commit, tick, time)
  } else commit.heads(dataMarket, { closed: epochId })
  commit.epoch(key, (row) => withRecord(row, { tick, at: time }), time)
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
  commit.epoch(key, (row) => withRecord(row, { finalization: project, at: time }), time)
}

function onBatch(commit: ViewCommit, key: EpochKey, batch: Batch, { offset, timestamp }: LogRecord): void {
  if (batch.part > 0) return
  const { json: _, texts: __, epochId: ___, batchIndex, part: ____, parts: _____, ...fields } = batch
  const row: BatchRow = { ...fields, sizeBytes: sizeBytesOf(batch), batchedAt: timestamp, offset }
  commit.put(keyOf(TABLE.batches, ...anchorParts({ ...key, batchIndex })), json(row))
  for (const projectId of batch.projectIds)
    commit.put(keyOf(TABLE.batchOfProject, ...epochParts(key), projectId), json(batchIndex))
  commit.epoch(key, (row) => row, timestamp)
}

function onAnchor(commit: ViewCommit, key: AnchorKey, anchor: Anchor | null, { timestamp, value }: LogRecord): void {
  const parts = anchorParts(key)
  const before = commit.epochRow(key).anchors[key.batchIndex]
  if (before) commit.del(keyOf(TABLE.anchorsByStanding, standingOfBatch(before.state), ...parts))
  if (anchor === null) commit.del(keyOf(TABLE.anchors, ...parts))
  else {
    commit.put(keyOf(TABLE.anchors, ...parts), timed(timestamp, value!))
    commit.put(keyOf(TABLE.anchorsByStanding, standingOfBatch(anchor.state), ...parts), NOTHING)
    if (anchor.cid !== '') commit.put(keyOf(TABLE.batchCids, anchor.cid, ...parts), NOTHING)
  }
  const { batchIndex } = key
  commit.epoch(key, (row) => withRecord(row, { batchIndex, anchor, at: timestamp }), timestamp)
  commit.anchorChanged(key)
}
