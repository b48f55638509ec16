/** Files as IPFS spreads them over blocks. Each block is checked against its hash, and none is read beyond the bounds here. */
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { StoreError } from './batch-store.ts'

/** Levels of a file's tree: 174 links a node and 256 KiB a leaf make 4 levels 1.3 TiB. */
const LEVELS_MAX = 4
/** Blocks of one file: the largest batch has some 2,000. Without a bound a tree that names a node again and again has no end. */
const BLOCKS_MAX = 65_536

type ReadBlock = (cid: CID) => Promise<Uint8Array>

/** The content of a block of a file, and the blocks under it from left to right. */
export interface FileNode {
  readonly data: Uint8Array
  readonly links: readonly CID[]
  /** Bytes under each link, as the node says. */
  readonly lengths: readonly bigint[]
}

/** The bytes of a file that is spread over blocks. Throws `CORRUPT`, `TOO_LARGE`. */
export async function readFile(root: CID, readBlock: ReadBlock, bytesMax: number): Promise<Uint8Array> {
  const leaves: Uint8Array[] = []
  let total = 0
  const count = createCount(root)
  const walk = async (cid: CID, level: number): Promise<void> => {
    if (level > LEVELS_MAX) throw new StoreError('CORRUPT', `${root}: the tree is deeper than ${LEVELS_MAX} levels`)
    count()
    const { data, links } = fileNode(cid, await checkedBlock(cid, readBlock))
    total += data.length
    if (total > bytesMax) throw new StoreError('TOO_LARGE', `${root}: more than ${bytesMax} bytes`)
    if (data.length > 0) leaves.push(data)
    for (const link of links) await walk(link, level + 1)
  }
  await walk(root, 1)
  return Buffer.concat(leaves)
}

/** The CIDs of a file's blocks, as far as they can be known: below a node that is missing or damaged nothing is. */
export async function blocksOf(root: CID, readBlock: ReadBlock): Promise<readonly CID[]> {
  const found: CID[] = []
  const count = createCount(root)
  const linksOf = async (cid: CID): Promise<readonly CID[]> => {
    try {
      return fileNode(cid, await checkedBlock(cid, readBlock)).links
    } catch (error) {
      if (error instanceof StoreError && (error.code === 'NOT_FOUND' || error.code === 'CORRUPT')) return []
      throw error
    }
  }
  const walk = async (cid: CID, level: number): Promise<void> => {
    count()
    found.push(cid)
    if (cid.code !== dagPb.code || level > LEVELS_MAX) return
    for (const link of await linksOf(cid)) await walk(link, level + 1)
  }
  await walk(root, 1)
  return found
}

/** Throws `CORRUPT` for a block that is no part of a file: of another codec, not readable, or a directory. */
export function fileNode(cid: CID, block: Uint8Array): FileNode {
  if (cid.code === raw.code) return { data: block, links: [], lengths: [] }
  if (cid.code !== dagPb.code) throw new StoreError('CORRUPT', `${cid} is no part of a file`)
  try {
    const { Data, Links } = dagPb.decode(block)
    const { type, data = NO_BYTES, blockSizes } = UnixFS.unmarshal(Data!)
    if (type !== 'file' && type !== 'raw') throw new Error(`it is of type ${type}`)
    return { data, links: Links.map(({ Hash }) => Hash), lengths: blockSizes }
  } catch (cause) {
    throw new StoreError('CORRUPT', `${cid} is no node of a file`, cause)
  }
}

async function checkedBlock(cid: CID, readBlock: ReadBlock): Promise<Uint8Array> {
  const block = await readBlock(cid)
  const { digest } = await sha256.digest(block)
  if (cid.multihash.code !== sha256.code || Buffer.compare(digest, cid.multihash.digest) !== 0)
    throw new StoreError('CORRUPT', `block ${cid} does not hash to its name`)
  return block
}

/** To be called for each block of a file. */
function createCount(root: CID): () => void {
  let blocks = 0
  return () => {
    if (++blocks > BLOCKS_MAX) throw new StoreError('CORRUPT', `${root}: the tree has more than ${BLOCKS_MAX} blocks`)
  }
}

const NO_BYTES = new Uint8Array()
