/** The blocks that a batch's file consists of, and which bytes of it each holds. For the builder of proofs. */
import { decode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { cidVersionOf, importBatch } from '../../../connectors/ipfs/cid.ts'

export interface FileBlock {
  readonly base64: string
  /** What it holds itself, without its children: nothing where `start` is `end`. */
  readonly start: number
  readonly end: number
}

/**
 * Each before its children, those from left to right.
 * @throws Error when the bytes have another CID
 */
export async function fileBlocks(bytes: Uint8Array, cid: string): Promise<readonly FileBlock[]> {
  const byCid = new Map<string, Uint8Array>()
  const put = async (key: CID, block: Uint8Array): Promise<CID> => {
    byCid.set(key.toString(), block)
    return key
  }
  const root = await importBatch(bytes, cidVersionOf(cid), { put } as Parameters<typeof importBatch>[2])
  if (root.toString() !== cid) throw new Error(`the batch in the log has the CID ${root}, but ${cid} was anchored`)
  const blocks: FileBlock[] = []
  let at = 0
  const visit = (key: CID): void => {
    const block = byCid.get(key.toString())!
    const { length, children } = key.code === raw.code ? { length: block.length, children: [] } : nodeOf(block)
    blocks.push({ base64: Buffer.from(block).toString('base64'), start: at, end: at + length })
    at += length
    for (const child of children) visit(child)
  }
  visit(root)
  return blocks
}

function nodeOf(block: Uint8Array): { length: number; children: CID[] } {
  const { Data, Links } = decode(block)
  const { data } = UnixFS.unmarshal(Data!)
  return { length: data?.length ?? 0, children: Links.map(({ Hash }) => Hash as unknown as CID) }
}
