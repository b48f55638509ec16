/** The blocks of the batch store of a data directory: each is what its CID says. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { NextToLast } from 'blockstore-fs/sharding'
import type { Findings } from './report.ts'

const SHA2_256 = 0x12
const BLOCK = /^[A-Z2-7]+\.data$/
const sharding = new NextToLast()

/** @returns how many there are */
export async function compareBlocks(directory: string, findings: Findings): Promise<number> {
  let blocks = 0
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    },
  )
  for (const entry of entries) {
    if (!entry.isFile() || !BLOCK.test(entry.name)) continue
    blocks++
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    const expected = digestOf(path)
    if (expected === undefined || !createHash('sha256').update(bytes).digest().equals(expected))
      findings.add('mismatches', `block ${relative(directory, path)}`, 'its bytes do not have its CID')
  }
  return blocks
}

/** The file of a block is named after its multihash. */
function digestOf(path: string): Uint8Array | undefined {
  try {
    const { multihash } = sharding.decode(path)
    return multihash.code === SHA2_256 ? multihash.digest : undefined
  } catch {
    return undefined
  }
}
