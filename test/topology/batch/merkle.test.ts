import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { IncrementalMerkleTree } from 'merkletreejs'
import { describe, expect, test } from 'vitest'
import { createTree, leavesOf, publishedRoot, rootOf, TREE_HEIGHT, zeroHashes } from '../../../topology/batch/merkle.ts'
import { toHex } from '../../../topology/shared/keccak.ts'

interface Vector {
  name: string
  leaves?: string[]
  batches?: { leaves: string[]; root: string; keccakRoot: string }[]
  root: string
  keccakRoot: string
}
const vectors = JSON.parse(readFileSync(new URL('../../vectors/imt.json', import.meta.url), 'utf8')) as {
  zeroHashes: string[]
  vectors: Vector[]
}
const treeOf = (texts: readonly string[]) => {
  const tree = createTree()
  tree.append(leavesOf(texts))
  return tree
}

describe('vectors of the deployed libraries', () => {
  test('behavior: zero hashes', () => {
    expect(zeroHashes.map(toHex)).toEqual(vectors.zeroHashes)
  })

  test.each(vectors.vectors.filter(({ leaves }) => leaves))('behavior: $name', ({ leaves, root, keccakRoot }) => {
    const tree = treeOf(leaves!)
    expect(toHex(tree.root())).toBe(root)
    expect(publishedRoot(tree)).toBe(keccakRoot)
  })

  test.each(vectors.vectors.filter(({ batches }) => batches))('behavior: $name', ({ batches }) => {
    const tree = createTree()
    for (const { leaves, root, keccakRoot } of batches!) {
      tree.append(leavesOf(leaves))
      expect(toHex(tree.root())).toBe(root)
      expect(publishedRoot(tree)).toBe(keccakRoot)
    }
  })
})

/** An independent tree: merkletreejs hands the children over as an array. */
function referenceRoot(texts: readonly string[]): string {
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
  const asBytes = (value: unknown): Buffer =>
    Buffer.isBuffer(value)
      ? value
      : Buffer.from(
          BigInt(value as string)
            .toString(16)
            .padStart(64, '0'),
          'hex',
        )
  const tree = new IncrementalMerkleTree((pair: unknown) => sha256(Buffer.concat((pair as unknown[]).map(asBytes))), {
    depth: TREE_HEIGHT,
    arity: 2,
    zeroValue: Buffer.alloc(32),
  } as never)
  for (const text of texts) tree.insert(sha256(Buffer.from(text)) as never)
  return `0x${asBytes(tree.getRoot()).toString('hex')}`
}

const texts = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { minLength: 1, maxLength: 70 })

test('behavior: the root is that of merkletreejs', () => {
  fc.assert(
    fc.property(texts, (leaves) => {
      expect(toHex(treeOf(leaves).root())).toBe(referenceRoot(leaves))
    }),
    { numRuns: 60 },
  )
})

test('behavior: it does not matter in how many pieces leaves are appended, nor who asks for the root between', () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 6 }), (pieces) => {
      const tree = createTree()
      for (const piece of pieces) {
        const leaves = leavesOf(piece)
        tree.append(leaves)
        expect(leaves).toEqual(leavesOf(piece)) // they belong to somebody else
        tree.root()
      }
      expect(tree.root()).toEqual(treeOf(pieces.flat()).root())
      expect(tree.size).toBe(pieces.flat().length)
    }),
    { numRuns: 100 },
  )
})

test('default: an empty append changes nothing', () => {
  expect(rootOf([])).toBe('0xe0da0b629614e82eb093f5c0aa9585496713f477ffadc3f703c9d8381d9662f1')
})
