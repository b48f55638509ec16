/**
 * The part of a file that some of its blocks show: a CID is the hash of a block, and a block names its children by their hashes
 * and lengths, so bytes and their places are certain even when the rest of the file is missing. For the verifier.
 */
import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { type FileNode, fileNode } from '../../../connectors/ipfs/unixfs.ts'
import { printable } from '../../base/printable.ts'
import { ProofFault } from '../../reading/proof/format.ts'

const RAW = 0x55
const DAG_PB = 0x70
const SHA2_256 = 0x12
/** 174 links a node and 256 KiB a leaf make 4 levels 1.3 TiB. */
const LEVELS_MAX = 4

/** Bytes of the file without a gap. */
export interface Run {
  readonly start: number
  readonly bytes: Buffer
}

export interface FileView {
  /** Length of the whole file. */
  readonly size: number
  /** In order; what lies between two of them is not shown. */
  readonly runs: readonly Run[]
}

/** @param blocks the root's first, the others in the order in which they lie in the file. Throws ProofFault */
export function viewFile(cidText: string, blocks: readonly Uint8Array[]): FileView {
  const walk = { blocks: blocks.map((bytes) => ({ bytes, hash: sha256(bytes) })), taken: 0, at: 0, parts: [] as Run[] }
  const root = parseCid(cidText)
  if (!isNext(walk, root)) throw new ProofFault('batch.blocks: the first block does not hash to batch.cid')
  visit(walk, root, undefined, 1)
  if (walk.taken < blocks.length)
    throw new ProofFault(`batch.blocks: block ${walk.taken} is no part of ${printable(cidText)}`)
  return { size: walk.at, runs: joined(walk.parts) }
}

interface Walk {
  readonly blocks: readonly { readonly bytes: Uint8Array; readonly hash: Buffer }[]
  taken: number
  /** Offset in the file. */
  at: number
  readonly parts: Run[]
}

const isNext = ({ blocks, taken }: Walk, { multihash }: CID): boolean =>
  blocks[taken]?.hash.equals(multihash.digest) ?? false

/** @param length length that the parent says; undefined for the root */
function visit(walk: Walk, cid: CID, length: number | undefined, level: number): void {
  if (level > LEVELS_MAX) throw new ProofFault(`batch.blocks: the tree is deeper than ${LEVELS_MAX} levels`)
  const from = walk.at
  if (isNext(walk, cid)) take(walk, cid, walk.blocks[walk.taken++]!.bytes, level)
  else walk.at += length!
  if (length !== undefined && walk.at - from !== length)
    throw new ProofFault(`batch.blocks: ${cid} has ${walk.at - from} bytes, its parent says ${length}`)
}

function take(walk: Walk, cid: CID, block: Uint8Array, level: number): void {
  const { data, children } = nodeOf(cid, block)
  if (data.length > 0) walk.parts.push({ start: walk.at, bytes: Buffer.from(data) })
  walk.at += data.length
  for (const { link, length } of children) visit(walk, link, length, level + 1)
}

function nodeOf(cid: CID, block: Uint8Array): { data: Uint8Array; children: { link: CID; length: number }[] } {
  let node: FileNode
  try {
    node = fileNode(cid, block)
  } catch (error) {
    throw new ProofFault(`batch.blocks: ${cid} is no node of a file`, error)
  }
  const lengths = node.lengths.map(Number)
  if (lengths.length !== node.links.length || !lengths.every((length) => Number.isSafeInteger(length)))
    throw new ProofFault(`batch.blocks: ${cid} does not say how long its parts are`)
  return { data: node.data, children: node.links.map((link, i) => ({ link: checked(link), length: lengths[i]! })) }
}

function parseCid(text: string): CID {
  let cid: CID
  try {
    cid = CID.parse(text)
  } catch (error) {
    throw new ProofFault(`batch.cid: ${printable(text)} is no CID`, error)
  }
  if (cid.toString() !== text)
    throw new ProofFault(`batch.cid: ${printable(text)} is written in another way than a CID is`)
  return checked(cid)
}

function checked(cid: CID): CID {
  if (cid.multihash.code !== SHA2_256 || (cid.code !== RAW && cid.code !== DAG_PB))
    throw new ProofFault(`batch.blocks: ${cid} is no part of a file as batches are stored`)
  return cid
}

function joined(parts: readonly Run[]): Run[] {
  const runs: { start: number; end: number; bytes: Buffer[] }[] = []
  for (const { start, bytes } of parts) {
    const last = runs.at(-1)
    const end = start + bytes.length
    if (last?.end !== start) runs.push({ start, end, bytes: [bytes] })
    else {
      last.bytes.push(bytes)
      last.end = end
    }
  }
  return runs.map(({ start, bytes }) => ({ start, bytes: Buffer.concat(bytes) }))
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
