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
import { batchJson, EMPTY_BATCH_BYTES, quoteAll } from './batch-json.ts'
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
  const parts = cut(inByteOrder(winners).map(partOf), market)
  let tree = createTree()
  const batches = parts.map((projects, batchIndex): Batch => {
    if (market.tree === 'fresh') tree = createTree()
    const leavesBefore = tree.size
    const submissionIds = projects.flatMap((project) => project.submissionIds)
    tree.append(submissionIds)
    const roothash = publishedRoot(tree)
    const projectIds = projects.map(({ projectId }) => projectId)
    const snapshotCids = projects.map(({ snapshotCid }) => snapshotCid)
    const json = batchJson({
      submissionIds,
      submissions: projects.map(({ texts }) => texts),
      roothash,
      projectIds,
      snapshotCids,
    })
    return {
      epochId: tick.epochId,
      batchIndex,
      batchCount: parts.length,
      json,
      roothash,
      finalizedCidsRootHash: rootOf(snapshotCids),
      projectIds,
      snapshotCids,
      submissions: submissionIds.length,
      leavesBefore,
      gasEstimate: projects.length * GAS_PER_PROJECT,
    }
  })
  return [...batches, summaryOf(finalized, winners, batches.length, tick)]
}

/** A project as it goes into a batch. */
interface ProjectPart {
  readonly projectId: string
  readonly snapshotCid: string
  readonly submissionIds: readonly string[]
  /** Its submissions as they stand in the batch. */
  readonly texts: Uint8Array
  /** What it adds to the batch's bytes, with a comma behind each of its elements. */
  readonly bytes: number
}

/** All votes of the project are in the batch, the outvoted ones too: whoever holds it can recount (decision 0008). */
function partOf({ projectId, snapshotCid, ballots, texts }: ProjectFinalization): ProjectPart {
  const submissionIds = ballots.map(({ submissionId }) => submissionId)
  const names = [quoteAll(submissionIds), quoteAll([projectId, snapshotCid])]
  const bytes = texts.length + names.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 1)
  return { projectId, snapshotCid, submissionIds, texts, bytes }
}

/** Byte order of the UTF-8 projectIds, which differs from JavaScript's order of strings above U+FFFF. */
const inByteOrder = (projects: readonly ProjectFinalization[]): ProjectFinalization[] =>
  projects
    .map((project) => ({ project, id: Buffer.from(project.projectId) }))
    .sort((a, b) => Buffer.compare(a.id, b.id))
    .map(({ project }) => project)

/** A new batch begins where one more project would exceed a bound; a project by itself may exceed it. */
function cut(projects: readonly ProjectPart[], market: MarketRules): ProjectPart[][] {
  const parts: ProjectPart[][] = []
  let part: ProjectPart[] = []
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
  submissions: winners.reduce((sum, { votes }) => sum + votes, 0),
})
