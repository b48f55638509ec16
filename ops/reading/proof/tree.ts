/** All levels of a Merkle tree of a batch, so that each leaf's path is a few look-ups. For the builder of proofs. */
import { leafOf, parentOf, TREE_HEIGHT, zeroHashes } from '../../../topology/batch/merkle.ts'

export interface Levels {
  readonly size: number
  readonly root: Uint8Array
  leaf(index: number): Uint8Array
  /** The siblings up to the level above which every sibling is an empty subtree: ceil(log2(size)) of them. */
  path(index: number): readonly Uint8Array[]
}

/** @param texts at least one */
export function levelsOf(texts: readonly string[]): Levels {
  const levels: Uint8Array[][] = [texts.map(leafOf)]
  while (levels.at(-1)!.length > 1) {
    const [nodes, empty] = [levels.at(-1)!, zeroHashes[levels.length - 1]!]
    levels.push(
      Array.from({ length: Math.ceil(nodes.length / 2) }, (_, i) => parentOf(nodes[2 * i]!, nodes[2 * i + 1] ?? empty)),
    )
  }
  const height = levels.length - 1
  let root = levels[height]![0]!
  for (let level = height; level < TREE_HEIGHT; level++) root = parentOf(root, zeroHashes[level]!)
  return {
    size: texts.length,
    root,
    leaf: (index) => levels[0]![index]!,
    path: (index) => levels.slice(0, height).map((nodes, level) => nodes[(index >> level) ^ 1] ?? zeroHashes[level]!),
  }
}
