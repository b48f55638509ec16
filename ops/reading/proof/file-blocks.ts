/** The blocks that a batch's file consists of, and which bytes of it each holds. For the builder of proofs. */
import type { CID } from 'multiformats/cid'
import { cidVersionOf, importBatch } from '../../../connectors/ipfs/cid.ts'
import { fileNode } from '../../../connectors/ipfs/unixfs.ts'

export interface FileBlock {
  readonly base64: string
  /** The range that it holds itself, without its children: empty when `start` is `end`. */
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
    const { data, links } = fileNode(key, block)
    blocks.push({ base64: Buffer.from(block).toString('base64'), start: at, end: at + data.length })
    at += data.length
    for (const child of links) visit(child)
  }
  visit(root)
  return blocks
}
