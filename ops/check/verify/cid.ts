import { computeCid } from '../../../connectors/ipfs/cid.ts'

export interface BatchCids {
  readonly v0: string
  readonly v1: string
}

/** The CIDs that `ipfs add` gives these bytes: version 0 (dag-pb), and version 1 with raw leaves. */
export async function cidsOf(bytes: Uint8Array): Promise<BatchCids> {
  const [v0, v1] = await Promise.all([computeCid(bytes, 0), computeCid(bytes, 1)])
  return { v0, v1 }
}
