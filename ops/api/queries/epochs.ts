/** Epochs: the list, one of them, its projects. */

import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import type { EpochKey } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import { NEXT } from '../../reading/epoch.ts'
import type { EpochDetail, EpochSummary, Page, Project } from '../schema.ts'
import { phaseOfRow, timesOf } from '../view/epoch-row.ts'
import { keyOf, partsOf, prefixOf } from '../view/keys.ts'
import {
  anchorParts,
  type BatchRow,
  bytesOf,
  type Counts,
  EMPTY_COUNTS,
  EMPTY_EPOCH,
  type EpochRow,
  epochParts,
  fromJson,
  type ProjectRow,
  TABLE,
  type Unsettled,
} from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { type PageQuery, pageOf } from './page.ts'

/** Newest first; without a market, one market after another. */
export function listEpochs(reader: ViewReader, page: PageQuery, market?: string): Promise<Page<EpochSummary>> {
  const prefix = market === undefined ? prefixOf(TABLE.epochs) : prefixOf(TABLE.epochs, market)
  return pageOf(reader, { prefix, page, newestFirst: true }, (key, row) => {
    const [, dataMarket, epochId] = partsOf(key)
    return summaryOf(reader, { dataMarket: dataMarket!, epochId: Number(epochId) }, fromJson<EpochRow>(row))
  })
}

export function epochSummaryOf(reader: ViewReader, key: EpochKey): EpochSummary | undefined {
  const row = reader.getJson<EpochRow>(keyOf(TABLE.epochs, ...epochParts(key)))
  return row && summaryOf(reader, key, row)
}

export const countsOf = (reader: ViewReader, key: EpochKey): Counts =>
  reader.getJson<Counts>(keyOf(TABLE.counts, ...epochParts(key))) ?? EMPTY_COUNTS

function summaryOf(reader: ViewReader, key: EpochKey, row: EpochRow): EpochSummary {
  const { projects, projectsWithoutQuorum, votes, voters, batches, anchors } = row
  const final = Object.entries(anchors).filter(([index, { state }]) => Number(index) >= 0 && state === 'FINAL')
  return {
    ...fieldsOf(key, row, countsOf(reader, key)),
    projects,
    projectsWithoutQuorum,
    agreement: voters === 0 ? null : votes / voters,
    batches,
    batchesFinal: final.length,
  }
}

function fieldsOf(key: EpochKey, row: EpochRow, { submissions, reasons }: Counts) {
  const { releaseBlock, closeBlock, begin, end, releasedAt, closedAt, batchedAt } = row
  const times = { releasedAt, closedAt, batchedAt, ...timesOf(row) }
  const { dataMarket, epochId } = key
  return {
    dataMarket,
    epochId,
    phase: phaseOfRow(row),
    releaseBlock,
    closeBlock,
    begin,
    end,
    ...times,
    submissions,
    reasons,
  }
}

/** What `sequencer epoch` prints; undefined when nothing names the epoch. */
export async function epochDetail(reader: ViewReader, topics: Topics, key: EpochKey): Promise<EpochDetail | undefined> {
  const known = reader.getJson<EpochRow>(keyOf(TABLE.epochs, ...epochParts(key)))
  const counts = countsOf(reader, key)
  const skippedInBlock = known ? known.skippedInBlock : await skipOf(reader, key)
  if (!known && counts === EMPTY_COUNTS && skippedInBlock === null) return undefined
  const row = known ?? EMPTY_EPOCH
  const phase = known || skippedInBlock === null ? phaseOfRow(known) : 'SKIPPED'
  const projects = await reader.range({ prefix: prefixOf(TABLE.projects, ...epochParts(key)), limit: PROJECTS_MAX })
  return {
    ...fieldsOf(key, row, counts),
    phase,
    earlierReleaseBlock: row.earlierReleaseBlock,
    skippedInBlock,
    next: NEXT[phase],
    verdicts: Object.values(counts.reasons).reduce((sum, count) => sum + count, 0),
    projects: projects.map(([, value]) => {
      const { projectId, snapshotCid, votes, voters } = fromJson<ProjectRow>(value)
      return { projectId, snapshotCid, votes, voters }
    }),
    batches: batchStatuses(reader, topics, key, row),
    endCall: row.anchors[END_OF_BATCHES] ? endCallOf(reader, topics, key) : null,
  }
}

/** Block in which the market's owner skipped the epoch; null when that is not known of it. */
async function skipOf(reader: ViewReader, { dataMarket, epochId }: EpochKey): Promise<number | null> {
  const prefix = prefixOf(TABLE.unsettled, dataMarket)
  const after = keyOf(TABLE.unsettled, ...epochParts({ dataMarket, epochId: epochId + 1 }))
  const [found] = await reader.range({ prefix, after, newestFirst: true, limit: 1 })
  const row = found && fromJson<Unsettled>(found[1])
  return row?.last !== undefined && row.last >= epochId ? (row.skippedInBlock ?? null) : null
}

/** An epoch with more has the others in its list of projects. */
const PROJECTS_MAX = 10_000

function batchStatuses(
  reader: ViewReader,
  topics: Topics,
  key: EpochKey,
  { anchors }: EpochRow,
): EpochDetail['batches'] {
  const indexes = Object.keys(anchors).map(Number)
  return indexes.flatMap((batchIndex) => {
    const row = reader.get(keyOf(TABLE.anchors, ...anchorParts({ ...key, batchIndex })))
    if (batchIndex === END_OF_BATCHES || !row) return []
    const batch = reader.getJson<BatchRow>(keyOf(TABLE.batches, ...anchorParts({ ...key, batchIndex })))
    const { state, cid, transactionHash, blockNumber, attestations, attested, error } = topics.anchors.value.decode(
      bytesOf(row),
    )
    const sizes = { projects: batch?.projectIds.length ?? 0, submissions: batch?.submissions ?? 0 }
    const sent = { transactionHash, blockNumber, attestations: attestations.length, attested, error }
    return [{ batchIndex, state, cid, ...sizes, ...sent }]
  })
}

function endCallOf(reader: ViewReader, topics: Topics, key: EpochKey): EpochDetail['endCall'] {
  const row = reader.get(keyOf(TABLE.anchors, ...anchorParts({ ...key, batchIndex: END_OF_BATCHES })))
  if (!row) return null
  const { state, transactionHash } = topics.anchors.value.decode(bytesOf(row))
  return { state, transactionHash }
}

/** By project id. */
export function listProjects(reader: ViewReader, key: EpochKey, page: PageQuery): Promise<Page<Project>> {
  const prefix = prefixOf(TABLE.projects, ...epochParts(key))
  return pageOf(reader, { prefix, page }, (_, row) => {
    const project = fromJson<ProjectRow>(row)
    const batch = reader.getJson<number>(keyOf(TABLE.batchOfProject, ...epochParts(key), project.projectId))
    return { ...project, batchIndex: batch ?? null }
  })
}
