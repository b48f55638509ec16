/** Epochs: the list, one of them, its projects. */

import { END_OF_BATCHES, isBatch } from '../../../schemas/anchor-keys.ts'
import type { EpochKey } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import { nextOf } from '../../reading/epoch.ts'
import {
  type EpochProgress,
  outcomeOf,
  phaseOf,
  supportOf,
  timesOf,
  unseenEpoch,
} from '../../reading/epoch-progress.ts'
import type { EpochDetail, EpochSummary, Page, Project } from '../schema.ts'
import { keyOf, partsOf, prefixOf } from '../view/keys.ts'
import {
  anchorParts,
  type BatchRow,
  bytesOf,
  type Counts,
  EMPTY_COUNTS,
  epochParts,
  fromJson,
  type ProjectRow,
  TABLE,
} from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { skipOf } from './gaps.ts'
import { type PageQuery, pageOf } from './page.ts'

/** Newest first; without a market, one market after another. */
export function listEpochs(reader: ViewReader, page: PageQuery, market?: string): Promise<Page<EpochSummary>> {
  const prefix = market === undefined ? prefixOf(TABLE.epochs) : prefixOf(TABLE.epochs, market)
  return pageOf(reader, { prefix, page, newestFirst: true }, (key, row) => {
    const [, dataMarket, epochId] = partsOf(key)
    return summaryOf(reader, { dataMarket: dataMarket!, epochId: Number(epochId) }, fromJson<EpochProgress>(row))
  })
}

export function epochSummaryOf(reader: ViewReader, key: EpochKey): EpochSummary | undefined {
  const row = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts(key)))
  return row && summaryOf(reader, key, row)
}

export const countsOf = (reader: ViewReader, key: EpochKey): Counts =>
  reader.getJson<Counts>(keyOf(TABLE.counts, ...epochParts(key))) ?? EMPTY_COUNTS

function summaryOf(reader: ViewReader, key: EpochKey, row: EpochProgress): EpochSummary {
  const { projects, projectsWithoutQuorum, counted, batches, anchors } = row
  const final = Object.entries(anchors).filter(
    ([index, { state }]) => isBatch({ batchIndex: Number(index) }) && state === 'FINAL',
  )
  return {
    ...fieldsOf(key, row, countsOf(reader, key)),
    projects,
    projectsWithoutQuorum,
    agreement: supportOf(row),
    counted,
    batches,
    batchesFinal: final.length,
  }
}

function fieldsOf(key: EpochKey, row: EpochProgress, { submissions, reasons }: Counts) {
  const { releaseBlock, closeBlock, begin, end, releasedAt, closedAt, batchedAt } = row
  const times = { releasedAt, closedAt, batchedAt, ...timesOf(row) }
  const { dataMarket, epochId } = key
  return {
    dataMarket,
    epochId,
    phase: phaseOf(row),
    outcome: outcomeOf(row),
    releaseBlock,
    closeBlock,
    begin,
    end,
    ...times,
    submissions,
    reasons,
  }
}

/** The content of `sequencer epoch`; undefined when nothing names the epoch. */
export async function epochDetail(reader: ViewReader, topics: Topics, key: EpochKey): Promise<EpochDetail | undefined> {
  const known = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts(key)))
  const counts = countsOf(reader, key)
  const row = known ?? { ...unseenEpoch(key.epochId), skippedInBlock: await skipOf(reader, key) }
  const { earlierReleaseBlock, skippedInBlock, refused } = row
  if (!known && counts === EMPTY_COUNTS && skippedInBlock === null) return undefined
  const projects = await reader.range({ prefix: prefixOf(TABLE.projects, ...epochParts(key)), limit: PROJECTS_MAX })
  return {
    ...fieldsOf(key, row, counts),
    earlierReleaseBlock,
    skippedInBlock,
    refused,
    next: nextOf(phaseOf(row), outcomeOf(row)),
    verdicts: Object.values(counts.reasons).reduce((sum, count) => sum + count, 0),
    projects: projects.map(([, value]) => projectOf(fromJson<ProjectRow>(value))),
    batches: batchStatuses(reader, topics, key, row),
    endCall: row.anchors[END_OF_BATCHES] ? endCallOf(reader, topics, key) : null,
  }
}

const projectOf = ({ projectId, snapshotCid, votes, voters }: ProjectRow): EpochDetail['projects'][number] => ({
  projectId,
  snapshotCid,
  votes,
  voters,
})

/** An epoch with more has the others in its list of projects. */
const PROJECTS_MAX = 10_000

function batchStatuses(
  reader: ViewReader,
  topics: Topics,
  key: EpochKey,
  { anchors }: EpochProgress,
): EpochDetail['batches'] {
  const indexes = Object.keys(anchors).map(Number)
  return indexes.flatMap((batchIndex) => {
    const row = reader.get(keyOf(TABLE.anchors, ...anchorParts({ ...key, batchIndex })))
    if (!isBatch({ batchIndex }) || !row) return []
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

/** The CID that won a project of an epoch, by its finalization; undefined while the view has none. */
export const winnerOf = (reader: ViewReader, key: EpochKey, projectId: string): string | undefined =>
  reader.getJson<ProjectRow>(keyOf(TABLE.projects, ...epochParts(key), projectId))?.snapshotCid
