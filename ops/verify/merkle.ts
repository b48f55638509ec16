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
      for (const text of texts) tree.insert(sha256(Buffer.from(text, 'utf8')))
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

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
