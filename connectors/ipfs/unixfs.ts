import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { StoreError } from './batch-store.ts'

const DAG_PB = 0x70
/** Levels of a file's tree: 174 links a node and 256 KiB a leaf make 4 levels 1.3 TiB. */
const LEVELS_MAX = 4

/** The bytes of a file that is spread over blocks. Each block is checked against its hash. Throws `CORRUPT`, `TOO_LARGE`. */
export async function readFile(
  root: CID,
  readBlock: (cid: CID) => Promise<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array> {
  const leaves: Uint8Array[] = []
  let total = 0
  const walk = async (cid: CID, level: number): Promise<void> => {
    if (level > LEVELS_MAX) throw new StoreError('CORRUPT', `${root}: the tree is deeper than ${LEVELS_MAX} levels`)
    const block = await checkedBlock(cid, readBlock)
    const { data, links } = cid.code === raw.code ? { data: block, links: [] } : decodeNode(cid, block)
    total += data.length
    if (total > bytesMax) throw new StoreError('TOO_LARGE', `${root}: more than ${bytesMax} bytes`)
    if (data.length > 0) leaves.push(data)
    for (const link of links) await walk(link, level + 1)
  }
  await walk(root, 1)
  return Buffer.concat(leaves)
}

/** The CIDs of a file's blocks, as far as they can be known: below a node that is missing or damaged nothing is. */
export async function blocksOf(root: CID, readBlock: (cid: CID) => Promise<Uint8Array>): Promise<readonly CID[]> {
  const found: CID[] = []
  const walk = async (cid: CID, level: number): Promise<void> => {
    found.push(cid)
    if (cid.code !== DAG_PB || level > LEVELS_MAX) return
    const node = await checkedBlock(cid, readBlock).then(
      (block) => decodeNode(cid, block),
      (error: unknown) => {
        if (error instanceof StoreError && (error.code === 'NOT_FOUND' || error.code === 'CORRUPT')) return undefined
        throw error
      },
    )
    for (const link of node?.links ?? []) await walk(link, level + 1)
  }
  await walk(root, 1)
  return found
}

async function checkedBlock(cid: CID, readBlock: (cid: CID) => Promise<Uint8Array>): Promise<Uint8Array> {
  const block = await readBlock(cid)
  const { digest } = await sha256.digest(block)
  if (cid.multihash.code !== sha256.code || Buffer.compare(digest, cid.multihash.digest) !== 0)
    throw new StoreError('CORRUPT', `block ${cid} does not hash to its name`)
  return block
}

/** A dag-pb node of a UnixFS file: PBNode {1 Data, 2 Links {1 Hash}}, Data = UnixFS {2 Data}. */
function decodeNode(cid: CID, block: Uint8Array): { data: Uint8Array; links: CID[] } {
  if (cid.code !== DAG_PB) throw new StoreError('CORRUPT', `${cid} is no part of a file`)
  try {
    const node = [...protobufFields(block)]
    const unixfs = node.filter(([field]) => field === 1).flatMap(([, bytes]) => [...protobufFields(bytes)])
    const hashes = node
      .filter(([field]) => field === 2)
      .flatMap(([, link]) => [...protobufFields(link)].filter(([field]) => field === 1))
    return {
      data: Buffer.concat(unixfs.filter(([field]) => field === 2).map(([, bytes]) => bytes)),
      links: hashes.map(([, bytes]) => CID.decode(bytes)),
    }
  } catch (cause) {
    throw new StoreError('CORRUPT', `${cid} is no node of a file`, cause)
  }
}

/** The length-delimited fields of a protobuf message; varint fields are skipped, other wire types do not occur here. */
function* protobufFields(bytes: Uint8Array): Generator<[field: number, bytes: Uint8Array]> {
  let at = 0
  const varint = (): number => {
    for (let value = 0, shift = 0; shift < 49; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new Error('varint is cut off or too long')
  }
  while (at < bytes.length) {
    const tag = varint()
    const wireType = tag % 8
    const length = varint()
    if (wireType === 0) continue
    if (wireType !== 2 || at + length > bytes.length) throw new Error(`field ${tag >> 3} cannot be read`)
    yield [tag >> 3, bytes.subarray(at, at + length)]
    at += length
  }
}
