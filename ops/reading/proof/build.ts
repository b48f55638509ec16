/** Makes proofs of the submissions of one anchored batch. The parts that they share are made once, a proof then takes about 0.1 ms. */

import { quote } from '../../../schemas/go-json.ts'
import type { Anchor, Batch } from '../../../schemas/types.ts'
import { keccak256, toHex } from '../../../topology/shared/keccak.ts'
import { domainOf, recoverSigner } from '../../../topology/shared/signature.ts'
import { type FileBlock, fileBlocks } from './file-blocks.ts'
import { FORMAT, type Proof, seal, VERSION } from './format.ts'
import { type Levels, levelsOf } from './tree.ts'

export interface ProofContext {
  readonly chainId: number
  readonly protocolState: string
  readonly dataMarket: string
}

/** A submission in the batch. */
export interface Entry {
  readonly index: number
  readonly submission: Proof['submission']
}

export interface ProvableBatch {
  /** Bytes of the batch's file. */
  readonly bytes: number
  readonly projectIds: readonly string[]
  /** The entries of a slot: at most one submission a project. */
  entriesOf(slotId: number): readonly Entry[]
  prove(entry: Entry): Proof
}

/**
 * @param earlierIds the submission ids of the epoch's batches before it, when the tree is chained: `batch.leavesBefore`
 * @throws Error when the bytes do not have the CID that was anchored
 */
export async function provableBatch(
  { chainId, protocolState, dataMarket }: ProofContext,
  batch: Batch,
  anchor: Anchor,
  earlierIds: readonly string[],
): Promise<ProvableBatch> {
  const blocks = await fileBlocks(batch.json, anchor.cid)
  const file = JSON.parse(Buffer.from(batch.json).toString('utf8')) as BatchFile
  const idTree = levelsOf([...earlierIds, ...file.submissionIDs])
  const cidTree = levelsOf(file.cids)
  const places = placesOf(file)
  const bySlot = entriesBySlot(file)
  const domain = domainOf({ chainId, protocolState })
  const { transactionHash, blockNumber, blockHash, cid } = anchor

  const prove = ({ index, submission }: Entry): Proof => {
    const { slotId, epochId, projectId } = submission.request
    const project = file.pids.indexOf(projectId)
    const recovered = recoverSigner({ ...submission.request, signature: submission.signature }, domain)
    if (recovered.signer === undefined) throw new Error(`submission ${submission.id} of ${cid} has no signer`)
    const { start, end } = places[index]!
    return seal({
      format: FORMAT,
      version: VERSION,
      chainId,
      protocolState,
      dataMarket,
      epochId,
      projectId,
      slotId,
      signer: recovered.signer,
      submission,
      submissionIds: { ...leafIn(idTree, earlierIds.length + index), ...endOf(idTree), ...rootIn(idTree, 'roothash') },
      finalizedCids: {
        snapshotCid: file.cids[project]!,
        ...leafIn(cidTree, project),
        ...rootIn(cidTree, 'finalizedCidsRootHash'),
      },
      batch: { cid, blocks: blocks.filter(shows(start - 1, end + 1, places.at(-1)!.end)).map(({ base64 }) => base64) },
      anchor: { transactionHash, blockNumber, blockHash },
    })
  }
  return { bytes: batch.json.length, projectIds: file.pids, entriesOf: (slotId) => bySlot.get(slotId) ?? [], prove }
}

interface BatchFile {
  readonly submissionIDs: readonly string[]
  readonly submissions: readonly string[]
  readonly pids: readonly string[]
  readonly cids: readonly string[]
}

const leafIn = (tree: Levels, index: number) => ({
  leaf: toHex(tree.leaf(index)),
  index,
  size: tree.size,
  path: tree.path(index).map(toHex),
})
const endOf = (tree: Levels) => ({
  lastLeaf: toHex(tree.leaf(tree.size - 1)),
  lastPath: tree.path(tree.size - 1).map(toHex),
})
const rootIn = <Name extends string>(tree: Levels, name: Name) =>
  ({ root: toHex(tree.root), [name]: toHex(keccak256(tree.root)) }) as { root: string } & Record<Name, string>

/** Chooses the blocks that show these bytes and all from `tail` on: leaves that hold some of them, and all nodes above leaves. */
const shows =
  (from: number, to: number, tail: number) =>
  ({ start, end }: FileBlock): boolean =>
    start === end || (start < to && end > from) || end > tail

interface Place {
  readonly start: number
  readonly end: number
}

/** Where each submission's JSON string lies in the file, by its index. */
function placesOf({ submissionIDs, submissions }: BatchFile): readonly Place[] {
  let start = Buffer.byteLength(`{"submissionIDs":[${submissionIDs.map(quote).join()}],"submissions":[`)
  return submissions.map((text) => {
    const place = { start, end: start + Buffer.byteLength(quote(text)) }
    start = place.end + 1
    return place
  })
}

function entriesBySlot({ submissionIDs, submissions }: BatchFile): ReadonlyMap<number, readonly Entry[]> {
  const bySlot = new Map<number, Entry[]>()
  for (const [index, text] of submissions.entries()) {
    const submission = submissionOf(submissionIDs[index]!, text)
    const { slotId } = submission.request
    const entries = bySlot.get(slotId)
    if (entries) entries.push({ index, submission })
    else bySlot.set(slotId, [{ index, submission }])
  }
  return bySlot
}

/** Empty and zero fields are left out of a batch's submission. */
function submissionOf(id: string, text: string): Proof['submission'] {
  const { request = {}, signature = '', header = '', dataMarket = '', nodeVersion = null } = JSON.parse(text) as Message
  const { slotId = 0, deadline = 0, snapshotCid = '', epochId = 0, projectId = '' } = request
  const signed = {
    slotId: Number(slotId),
    deadline: Number(deadline),
    snapshotCid,
    epochId: Number(epochId),
    projectId,
  }
  return { id, request: signed, signature, header, dataMarket, nodeVersion }
}

interface Message {
  readonly request?: Partial<Record<'slotId' | 'deadline' | 'snapshotCid' | 'epochId' | 'projectId', string>>
  readonly signature?: string
  readonly header?: string
  readonly dataMarket?: string
  readonly nodeVersion?: string
}
