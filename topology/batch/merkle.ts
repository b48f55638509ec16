/**
 * The incremental Merkle tree of a batch: sha256, height 32, leaf = sha256 of the text's UTF-8 bytes, empty leaf = 32 zero
 * bytes. The published value is keccak256 of the root. Source: sergerad/incremental-merkle-tree, as the finalizer uses it.
 */
import { hash } from 'node:crypto'
import { keccak256, toHex } from '../shared/keccak.ts'

export const TREE_HEIGHT = 32
const NODE_BYTES = 32

const sha256 = (bytes: Uint8Array | string): Buffer => hash('sha256', bytes, 'buffer')
/** Writes the hash to its place. By way of a string of bytes, since a Buffer per hash costs more than the hash. */
const sha256Into = (target: Buffer, node: number, bytes: Uint8Array | string): void =>
  void target.write(hash('sha256', bytes, 'binary'), node * NODE_BYTES, 'latin1')
export const parentOf = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.concat([left, right]))

/** zeroHashes[level] is the root of an empty subtree of that level; 32 of them. */
export const zeroHashes: readonly Uint8Array[] = emptySubtrees()

export const leafOf = (text: string): Uint8Array => sha256(text)

/** The leaves of some texts, one behind the other. */
export function leavesOf(texts: readonly string[]): Buffer {
  const leaves = Buffer.allocUnsafe(texts.length * NODE_BYTES)
  for (let index = 0; index < texts.length; index++) sha256Into(leaves, index, texts[index]!)
  return leaves
}

/** A tree that grows to the right. Appending costs about one hash a leaf, the root one hash a level. */
export interface MerkleTree {
  readonly size: number
  /** @param leaves one behind the other; see `leavesOf` */
  append(leaves: Buffer): void
  /** 32 bytes. An empty tree has the empty subtree of level 31, as the deployed library has it (never published). */
  root(): Uint8Array
}

export function createTree(): MerkleTree {
  /** Per level, the complete left node that still waits for its right sibling. */
  const waiting: (Uint8Array | undefined)[] = []
  let size = 0

  return {
    get size() {
      return size
    },
    append(leaves) {
      let nodes = leaves
      for (let level = 0; level < TREE_HEIGHT && nodes.length > 0; level++) nodes = climb(nodes, waiting, level)
      size += leaves.length / NODE_BYTES
    },
    root() {
      let node: Uint8Array | undefined
      for (let level = 0; level < TREE_HEIGHT; level++) {
        const left = waiting[level]
        if (left) node = parentOf(left, node ?? zeroHashes[level]!)
        else if (node) node = parentOf(node, zeroHashes[level]!)
      }
      return node ?? zeroHashes[TREE_HEIGHT - 1]!
    },
  }
}

/** The complete parents of a level's new nodes, over those; an odd last node waits in `waiting`. */
function climb(added: Buffer, waiting: (Uint8Array | undefined)[], level: number): Buffer {
  const left = waiting[level]
  const nodes = left ? Buffer.concat([left, added]) : added
  const pairs = Math.floor(nodes.length / (2 * NODE_BYTES))
  const last = nodes.subarray(pairs * 2 * NODE_BYTES)
  waiting[level] = last.length > 0 ? Uint8Array.prototype.slice.call(last) : undefined
  const parents = Buffer.allocUnsafe(pairs * NODE_BYTES)
  for (let pair = 0; pair < pairs; pair++)
    sha256Into(parents, pair, nodes.subarray(pair * 2 * NODE_BYTES, (pair + 1) * 2 * NODE_BYTES))
  return parents
}

/** The published form of a tree: keccak256 of its root, 0x hex. */
export const publishedRoot = (tree: MerkleTree): string => toHex(keccak256(tree.root()))

/** Published root of a fresh tree over these texts. */
export function rootOf(texts: readonly string[]): string {
  const tree = createTree()
  tree.append(leavesOf(texts))
  return publishedRoot(tree)
}

function emptySubtrees(): Uint8Array[] {
  const zeros: Uint8Array[] = [Buffer.alloc(NODE_BYTES)]
  while (zeros.length < TREE_HEIGHT) zeros.push(parentOf(zeros.at(-1)!, zeros.at(-1)!))
  return zeros
}
