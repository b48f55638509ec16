/** Both trees by merkletreejs: the reference that the topology's own tree is checked against. */
import { createHash } from 'node:crypto'
import { IncrementalMerkleTree } from 'merkletreejs'
import { type Keccak, toHex } from './keccak.ts'

const DEPTH = 32

export interface ReferenceTree {
  append(texts: readonly string[]): void
  /** keccak256 of the 32-byte root, 0x hex: what a batch states and the contract stores. */
  digest(): string
}

/** An incremental tree: sha256, height 32, zero leaf of 32 zero bytes, leaf = sha256(utf8 text). Source: the deployed finalizer (its incremental tree). */
export function referenceTree(keccak: Keccak): ReferenceTree {
  // merkletreejs hands the children over as a list; a hash of their text would give a wrong root without an error
  const hashChildren = (children: readonly Buffer[]): Buffer => sha256(Buffer.concat(children))
  const tree = new DeepTree(hashChildren, { depth: DEPTH, arity: 2, zeroValue: Buffer.alloc(32) })
  return {
    append(texts) {
      for (const text of texts) tree.insert(leafHash(text))
    },
    digest: () => toHex(keccak(tree.getRoot() as Buffer)),
  }
}

/** merkletreejs takes a tree for full at depth ** arity leaves, 1,024 here, where it has room for arity ** depth. */
class DeepTree extends IncrementalMerkleTree {
  override getMaxLeaves(): number {
    return 2 ** DEPTH
  }
}

/** The digest of a tree of its own over these texts. */
export function rootDigest(keccak: Keccak, texts: readonly string[]): string {
  const tree = referenceTree(keccak)
  tree.append(texts)
  return tree.digest()
}

/** Roots of empty subtrees by level, from an empty leaf on. */
const emptyRoots: readonly Buffer[] = Array.from({ length: DEPTH - 1 }).reduce<Buffer[]>(
  (roots) => [...roots, sha256(Buffer.concat([roots.at(-1)!, roots.at(-1)!]))],
  [Buffer.alloc(32)],
)

/** Levels of a tree of so many leaves below which a leaf can have a sibling that is not empty. */
export const pathLength = (size: number): number => (size <= 1 ? 0 : Math.floor(Math.log2(size - 1)) + 1)

/** The root above a leaf. @param path the siblings of `pathLength` levels; those above them are empty subtrees */
export function rootAbove(leaf: Buffer, index: number, path: readonly Buffer[]): Buffer {
  let node = leaf
  for (let level = 0; level < DEPTH; level++) {
    const sibling = path[level] ?? emptyRoots[level]!
    const isRight = Math.floor(index / 2 ** level) % 2 === 1
    node = sha256(Buffer.concat(isRight ? [sibling, node] : [node, sibling]))
  }
  return node
}

/** Whether nothing stands to the right of this leaf, so that it is the tree's last. */
export const isLast = (index: number, path: readonly Buffer[]): boolean =>
  path.every((sibling, level) => Math.floor(index / 2 ** level) % 2 === 1 || sibling.equals(emptyRoots[level]!))

/** The leaf of a text. */
export const leafHash = (text: string): Buffer => sha256(Buffer.from(text, 'utf8'))

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
