import { importBytes } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import type { CID } from 'multiformats/cid'

const CHUNK_BYTES = 256 * 1024

export interface BatchCids {
  readonly v0: string
  readonly v1: string
}

/** The CIDs that `ipfs add` gives these bytes: version 0 (dag-pb), and version 1 with raw leaves. */
export async function cidsOf(bytes: Uint8Array): Promise<BatchCids> {
  const [v0, v1] = await Promise.all([cidOf(bytes, 0), cidOf(bytes, 1)])
  return { v0, v1 }
}

async function cidOf(bytes: Uint8Array, cidVersion: 0 | 1): Promise<string> {
  const { cid } = await importBytes(bytes, NOWHERE, {
    cidVersion,
    rawLeaves: cidVersion === 1,
    chunker: fixedSize({ chunkSize: CHUNK_BYTES }),
    reduceSingleLeafToSelf: true,
  })
  return cid.toString()
}

/** Blocks are hashed and let go. */
const NOWHERE = { put: (cid: CID): CID => cid }
