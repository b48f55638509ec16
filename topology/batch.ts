/**
 * Packs the finalized projects of an epoch into batches: projects by the bytes of their id, submissions by slot, cut by
 * projects, bytes and gas, two Merkle roots each.
 */
import type {
  Batch,
  EpochKey,
  EpochMarker,
  EpochSummary,
  EpochTick,
  MarketKey,
  ProjectFinalization,
} from '../schemas/types.ts'
import type { ProcessorSupplier } from '../streams/processor.ts'
import { batchJson, EMPTY_BATCH_BYTES, quote, quotedSubmission } from './batch-json.ts'
import { createTree, publishedRoot, rootOf } from './merkle.ts'
import type { MarketRules, ProtocolRules } from './rules.ts'
import type { Stores } from './stores.ts'
import { type BatchEvent, epochScope, type FinalizationEvent, type Topics } from './topics.ts'

/** submitSubmissionBatch stores each project: 11.91 M gas for 50 new ones, 23.67 M for 100 (protocol-contracts, measured). */
export const GAS_PER_PROJECT = 238_000

export type BatchOutputs = { readonly batches: readonly [MarketKey, BatchEvent] }

export const cutBatches =
  (
    rules: ProtocolRules,
    topics: Pick<Topics, 'finalizations'>,
    stores: Pick<Stores, 'projects'>,
  ): ProcessorSupplier<EpochKey, FinalizationEvent, BatchOutputs> =>
  (context) => {
    const markets = new Map(rules.markets.map((market) => [market.dataMarket, market]))
    const projects = context.store(stores.projects)
    return {
      process({ dataMarket, epochId }, value) {
        const project = value as ProjectFinalization
        projects.put(epochScope(dataMarket, epochId), project.projectId, project)
        return undefined
      },
      onMarker(marker) {
        const { tick } = marker as EpochMarker
        const { dataMarket, epochId } = tick
        // The marker reaches every task; the epoch lies in one of them.
        if (!context.owns(topics.finalizations.key.encode({ dataMarket, epochId }))) return undefined
        const scope = epochScope(dataMarket, epochId)
        const finalized = [...projects.entries(scope)].map(([, project]) => project)
        for (const event of packEpoch(finalized, tick, markets.get(dataMarket)!))
          context.outputs.batches.send({ dataMarket }, event)
        projects.dropScope(scope)
        return undefined
      },
    }
  }

/** The batches of an epoch from 0 on, then its summary. @param finalized in any order */
export function packEpoch(
  finalized: readonly ProjectFinalization[],
  tick: Pick<EpochTick, 'epochId' | 'releaseBlock' | 'blockNumber' | 'blockHash'>,
  market: MarketRules,
): [...Batch[], EpochSummary] {
  const winners = finalized.filter(({ snapshotCid }) => snapshotCid !== '')
  const parts = cut(inByteOrder(winners).map(renderProject), market)
  let tree = createTree()
  const batches = parts.map((projects, batchIndex): Batch => {
    if (market.tree === 'fresh') tree = createTree()
    const leavesBefore = tree.size
    const submissionIds = projects.flatMap((project) => project.submissionIds)
    tree.append(submissionIds)
    const roothash = publishedRoot(tree)
    const snapshotCids = projects.map(({ snapshotCid }) => snapshotCid)
    const json = batchJson({
      submissionIds: submissionIds.map(quote),
      submissions: projects.flatMap(({ submissions }) => submissions),
      roothash,
      projectIds: projects.map(({ quotedId }) => quotedId),
      snapshotCids: snapshotCids.map(quote),
    })
    return {
      epochId: tick.epochId,
      batchIndex,
      batchCount: parts.length,
      json: Buffer.from(json),
      roothash,
      finalizedCidsRootHash: rootOf(snapshotCids),
      projectIds: projects.map(({ projectId }) => projectId),
      snapshotCids,
      submissions: submissionIds.length,
      leavesBefore,
      gasEstimate: projects.length * GAS_PER_PROJECT,
    }
  })
  return [...batches, summaryOf(finalized, winners, batches.length, tick)]
}

/** A project as it goes into a batch. */
interface RenderedProject {
  readonly projectId: string
  readonly quotedId: string
  readonly snapshotCid: string
  readonly submissionIds: readonly string[]
  /** Quoted. */
  readonly submissions: readonly string[]
  /** What it adds to the batch's bytes, with a comma behind each element. */
  readonly bytes: number
}

/**
 * All votes of the project are in the batch, the outvoted ones too, ascending by slotId: whoever holds it can recount
 * (decision 0008). Source: FinalizeBatch of the deployed finalizer.
 */
function renderProject({ projectId, snapshotCid, counted, outvoted }: ProjectFinalization): RenderedProject {
  const votes = outvoted.length === 0 ? counted : [...counted, ...outvoted].sort((a, b) => a.slotId - b.slotId)
  const submissionIds = votes.map(({ submissionId }) => submissionId)
  const submissions = votes.map(quotedSubmission)
  const quotedId = quote(projectId)
  let bytes = Buffer.byteLength(quotedId) + Buffer.byteLength(quote(snapshotCid)) + 2
  for (const id of submissionIds) bytes += Buffer.byteLength(quote(id)) + 1
  for (const text of submissions) bytes += Buffer.byteLength(text) + 1
  return { projectId, quotedId, snapshotCid, submissionIds, submissions, bytes }
}

/** Byte order of the UTF-8 projectIds, which differs from JavaScript's order of strings above U+FFFF. */
const inByteOrder = (projects: readonly ProjectFinalization[]): ProjectFinalization[] =>
  projects
    .map((project) => ({ project, id: Buffer.from(project.projectId) }))
    .sort((a, b) => Buffer.compare(a.id, b.id))
    .map(({ project }) => project)

/** A new batch begins where one more project would exceed a bound; a project by itself may exceed it. */
function cut(projects: readonly RenderedProject[], market: MarketRules): RenderedProject[][] {
  const parts: RenderedProject[][] = []
  let part: RenderedProject[] = []
  let bytes = 0
  for (const project of projects) {
    const count = part.length + 1
    const isFull =
      count > market.batchProjectsMax ||
      bytes + project.bytes > market.batchBytesMax + LAST_COMMAS ||
      count * GAS_PER_PROJECT > market.batchGasMax
    if (isFull && part.length > 0) part = []
    if (part.length === 0) {
      parts.push(part)
      bytes = EMPTY_BATCH_BYTES
    }
    part.push(project)
    bytes += project.bytes
  }
  return parts
}

/** The last element of each of the four lists has no comma behind it. */
const LAST_COMMAS = 4

const summaryOf = (
  finalized: readonly ProjectFinalization[],
  winners: readonly ProjectFinalization[],
  batches: number,
  { epochId, releaseBlock, blockNumber, blockHash }: Parameters<typeof packEpoch>[1],
): EpochSummary => ({
  summaryOf: epochId,
  releaseBlock,
  closeBlock: blockNumber,
  closeBlockHash: blockHash,
  batches,
  projects: winners.length,
  projectsWithoutQuorum: finalized.length - winners.length,
  submissions: winners.reduce((sum, { counted }) => sum + counted.length, 0),
})
