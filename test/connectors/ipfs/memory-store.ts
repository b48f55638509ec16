import { type BatchStore, StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { computeCid } from '../../../connectors/ipfs/cid.ts'

export interface MemoryStore extends BatchStore {
  readonly kept: Map<string, Uint8Array>
}

/** A store in memory; each part can be replaced by one that misbehaves. */
export function memoryStore(name: string, faults: Partial<BatchStore> = {}): MemoryStore {
  const kept = new Map<string, Uint8Array>()
  return {
    name,
    kept,
    async put(batch) {
      const cid = await computeCid(batch)
      kept.set(cid, batch)
      return cid
    },
    async get(cid) {
      const found = kept.get(cid)
      if (!found) throw new StoreError('NOT_FOUND', `${name}: ${cid}`)
      return found
    },
    has: async (cid) => kept.has(cid),
    async remove(cid) {
      kept.delete(cid)
    },
    ...faults,
  }
}
