/**
 * Packs the finalized projects of an epoch into batches: projects by the bytes of their id, submissions by slot, cut by
 * projects, bytes, gas and calldata, two Merkle roots each.
 */
import { EMPTY_BATCH_BYTES } from '../../schemas/batch-json.ts'
import { textsLength } from '../../schemas/framed-texts.ts'
import { quoteAll } from '../../schemas/go-json.ts'
import type {
  Batch,
  BatchTexts,
  EpochKey,
  EpochMarker,
  EpochSummary,
  EpochTick,
  MarketKey,
  ProjectFinalization,
} from '../../schemas/types.ts'
import type { ProcessorSupplier } from '../../streams/processor.ts'
import { type MarketRules, type ProtocolRules, rulesOfMarket } from '../rules.ts'
import { addCosts, type BatchCost, costOfBatch, costOfProject, isTooCostly } from '../shared/batch-cost.ts'
import { asBuffer } from '../shared/keccak.ts'
import { batchParts } from '../shared/parts.ts'
import type { Stores } from '../stores.ts'
import { type BatchEvent, epochScope, isEpochSummary, type Topics } from '../topics.ts'
import { createTree, leavesOf, type MerkleTree, publishedRoot, rootOf } from './merkle.ts'

export type BatchOutputs = { readonly batches: readonly [MarketKey, BatchEvent] }

export const cutBatches =
  (
    rules: ProtocolRules,
    topics: Pick<Topics, 'finalizations'>,
    stores: Pick<Stores, 'projects'>,
  ): ProcessorSupplier<EpochKey, ProjectFinalization, BatchOutputs, EpochMarker> =>
  (context) => {
    const projects = context.store(stores.projects)
    return {
      process({ dataMarket, epochId }, project) {
        const { projectId, part } = project
        const scope = epochScope(dataMarket, epochId)
        if (part === 0) projects.put(scope, projectId, project)
        else projects.put(furtherPartsOf(scope), `${part}/${projectId}`, project)
        return undefined
      },
      onMarker({ tick }) {
        const { dataMarket, epochId } = tick
        // The marker reaches every task; the epoch lies in a single task.
        if (!context.owns(topics.finalizations.key.encode({ dataMarket, epochId }))) return undefined
        const scope = epochScope(dataMarket, epochId)
        const scopes = [scope, furtherPartsOf(scope)]
        const finalized = scopes.flatMap((one) => [...projects.entries(one)].map(([, project]) => project))
        for (const event of packEpoch(finalized, tick, rulesOfMarket(rules, dataMarket)))
          for (const record of isEpochSummary(event) ? [event] : batchParts(event))
            context.outputs.batches.send({ dataMarket }, record)
        for (const one of scopes) projects.dropScope(one)
        return undefined
      },
    }
  }

/** The scope of the further parts (not part 0): its keys cannot be keys of a project, whatever projects are called. */
const furtherPartsOf = (scope: string): string => `${scope}/parts`

/**
 * The batches of an epoch from 0 on, each in one piece, then its summary. Made one at a time: all of an epoch can be hundreds of MiB, and
 * the caller needs no second copy of it.
 * @param finalized all parts of all projects, in any order
 */
export function* packEpoch(
  finalized: readonly ProjectFinalization[],
  tick: Pick<EpochTick, 'epochId' | 'releaseBlock' | 'blockNumber' | 'blockHash'>,
  market: MarketRules,
): Generator<BatchEvent> {
  const projects = together(finalized)
  // "A project that fits no transaction has no winner": consensus applies this rule, except to projects that it finalized by
  // wider rules.
  const winners = projects.filter(([first]) => first!.snapshotCid !== '' && !isTooCostly(costOf(first!), market))
  const parts = cut(inByteOrder(winners).map(partOf), market)
  let tree = createTree()
  for (const [batchIndex, part] of parts.entries()) {
    if (market.tree === 'fresh') tree = createTree()
    yield batchOf(part, tree, { epochId: tick.epochId, batchIndex, batchCount: parts.length })
  }
  yield summaryOf(projects, winners, parts.length, tick)
}

/** The parts of one project, in their order. */
type Finalized = readonly ProjectFinalization[]

function together(finalized: readonly ProjectFinalization[]): Finalized[] {
  const projects = new Map<string, ProjectFinalization[]>()
  for (const part of finalized) {
    const known = projects.get(part.projectId)
    if (known) known.push(part)
    else projects.set(part.projectId, [part])
  }
  for (const parts of projects.values()) {
    parts.sort((a, b) => a.part - b.part)
    if (parts.some(({ part, parts: count }, i) => part !== i || count !== parts.length))
      throw new Error(`a part of the finalization of ${JSON.stringify(parts[0]!.projectId)} is missing at the close`)
  }
  return [...projects.values()]
}

/** @param tree grows by the leaves of the batch */
function batchOf(
  projects: readonly ProjectPart[],
  tree: MerkleTree,
  place: Pick<Batch, 'epochId' | 'batchIndex' | 'batchCount'>,
): Batch {
  const leavesBefore = tree.size
  tree.append(Buffer.concat(projects.flatMap(({ leaves }) => leaves)))
  const roothash = publishedRoot(tree)
  const projectIds = projects.map(({ projectId }) => projectId)
  const snapshotCids = projects.map(({ snapshotCid }) => snapshotCid)
  return {
    ...place,
    json: NOTHING,
    roothash,
    finalizedCidsRootHash: rootOf(snapshotCids),
    projectIds,
    snapshotCids,
    submissions: tree.size - leavesBefore,
    leavesBefore,
    gasEstimate: costOfBatch(projects.map(({ cost }) => cost).reduce(addCosts)).gas,
    part: 0,
    parts: 1,
    sizeBytes: projects.reduce((sum, project) => sum + project.bytes, EMPTY_BATCH_BYTES - LAST_COMMAS),
    texts: projects.flatMap(({ texts }) => texts),
  }
}

const NOTHING = Buffer.alloc(0)

/** A project as it goes into a batch. */
interface ProjectPart {
  readonly projectId: string
  readonly snapshotCid: string
  /** Leaves of its submissions, in runs. */
  readonly leaves: readonly Buffer[]
  /** The submissions of the project as they stand in the batch. */
  readonly texts: readonly BatchTexts[]
  /** The project's share of the batch's bytes, with a comma behind each of its elements. */
  readonly bytes: number
  /** The project's share of the batch's transaction. */
  readonly cost: BatchCost
}

/** All votes of the project are in the batch, the outvoted ones too: every holder of the batch can recount (decision 0008). */
function partOf(parts: Finalized): ProjectPart {
  const { projectId, snapshotCid } = parts[0]!
  const leaves = parts.map(leavesIn)
  const texts = parts.filter(({ ballots }) => ballots.length > 0).map(textsOf)
  let bytes = Buffer.byteLength(quoteAll([projectId, snapshotCid])) + 1
  for (const some of texts) bytes += Buffer.byteLength(some.submissionIds) + textsLength(some) + 2
  return { projectId, snapshotCid, leaves, texts, bytes, cost: costOf(parts[0]!) }
}

/** A finalization that was written before there were leaves has none. */
const leavesIn = ({ leaves, ballots }: ProjectFinalization): Buffer =>
  leaves.length > 0 ? asBuffer(leaves) : leavesOf(ballots.map(({ submissionId }) => submissionId))

const costOf = ({ projectId, snapshotCid }: ProjectFinalization): BatchCost =>
  costOfProject(Buffer.byteLength(projectId), Buffer.byteLength(snapshotCid))

/** A finalization that was written before there were frames has all texts in one piece. */
function textsOf({ ballots, frames, signatures, texts }: ProjectFinalization): BatchTexts {
  const submissionIds = quoteAll(ballots.map((ballot) => ballot.submissionId))
  if (texts.length > 0) {
    const whole = { middle: asBuffer(texts).toString(), end: '' }
    return { submissionIds, slotIds: [0], frameNumbers: [0], frames: [whole], signatures }
  }
  const slotIds = ballots.map(({ slotId }) => slotId)
  return { submissionIds, slotIds, frameNumbers: ballots.map(({ frame }) => frame), frames, signatures }
}

/** Byte order of the UTF-8 projectIds, which differs from JavaScript's order of strings above U+FFFF. */
const inByteOrder = (projects: readonly Finalized[]): Finalized[] =>
  projects
    .map((project) => ({ project, id: Buffer.from(project[0]!.projectId) }))
    .sort((a, b) => Buffer.compare(a.id, b.id))
    .map(({ project }) => project)

/**
 * A new batch begins where one more project would exceed a bound. By itself a project may exceed `batchBytesMax`: how many
 * votes it has is not for it to say. Gas and calldata it does not exceed.
 */
function cut(projects: readonly ProjectPart[], market: MarketRules): ProjectPart[][] {
  const parts: ProjectPart[][] = []
  let part: ProjectPart[] = []
  let bytes = 0
  let cost = NO_COST
  for (const project of projects) {
    const isFull =
      part.length + 1 > market.batchProjectsMax ||
      bytes + project.bytes > market.batchBytesMax + LAST_COMMAS ||
      isTooCostly(addCosts(cost, project.cost), market)
    if (isFull || part.length === 0) {
      part = []
      parts.push(part)
      bytes = EMPTY_BATCH_BYTES
      cost = NO_COST
    }
    part.push(project)
    bytes += project.bytes
    cost = addCosts(cost, project.cost)
  }
  return parts
}

const NO_COST: BatchCost = { gas: 0, calldata: 0 }

/** The last element of each of the four lists has no comma behind it. */
const LAST_COMMAS = 4

const summaryOf = (
  projects: readonly Finalized[],
  winners: readonly Finalized[],
  batches: number,
  { epochId, releaseBlock, blockNumber, blockHash }: Parameters<typeof packEpoch>[1],
): EpochSummary => ({
  summaryOf: epochId,
  releaseBlock,
  closeBlock: blockNumber,
  closeBlockHash: blockHash,
  batches,
  projects: winners.length,
  projectsWithoutQuorum: projects.length - winners.length,
  submissions: winners.reduce((sum, [first]) => sum + first!.votes, 0),
})
