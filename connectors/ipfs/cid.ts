import { importBytes as importFile, type WritableStorage } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import type { CID } from 'multiformats/cid'

/** 1 = raw leaves, as current sequencers publish. 0 = dag-pb, `Qm…`, published before 2024-12-27. */
export type CidVersion = 0 | 1

export const cidVersionOf = (cid: string): CidVersion => (cid.startsWith('Qm') ? 0 : 1)

/** Kubo's default chunk size; another one gives other CIDs. */
const CHUNK_BYTES = 262_144

/** The CID that `ipfs add` gives these bytes; nothing is stored. */
export async function computeCid(bytes: Uint8Array, version: CidVersion = 1): Promise<string> {
  return (await importBatch(bytes, version, { put: async (cid) => cid })).toString()
}

/** Cuts the bytes into blocks exactly as Kubo does, hands each block to `blocks`, and gives the root's CID. */
export async function importBatch(bytes: Uint8Array, version: CidVersion, blocks: WritableStorage): Promise<CID> {
  const { cid } = await importFile(bytes, blocks, {
    cidVersion: version,
    rawLeaves: version === 1,
    chunker: fixedSize({ chunkSize: CHUNK_BYTES }),
    reduceSingleLeafToSelf: true,
  })
  return cid
}
