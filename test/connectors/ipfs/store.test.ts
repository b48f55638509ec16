import { describe, expect, it } from 'vitest'
import { type BatchStore, StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { storeBatch } from '../../../connectors/ipfs/store.ts'

const bytes = Buffer.from('a batch')
const other = Buffer.from('another')

/** A store in memory; each part can be replaced by one that misbehaves. */
function memoryStore(name: string, faults: Partial<Pick<BatchStore, 'put' | 'get'>> = {}): BatchStore {
  const kept = new Map<string, Uint8Array>()
  return {
    name,
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
    ...faults,
  }
}

const down = memoryStore('down', { put: async () => Promise.reject(new StoreError('UNAVAILABLE', 'down')) })
const wrong = memoryStore('wrong', { put: async () => computeCid(other) })
const forgets = memoryStore('forgets', { put: () => computeCid(bytes) })
const swaps = memoryStore('swaps', { put: () => computeCid(bytes), get: async () => other })

describe('storeBatch', () => {
  it('default: one store holds the batch, read back', async () => {
    const stored = await storeBatch(bytes, [memoryStore('a')], { version: 1, storesRequired: 1 })
    expect(stored).toEqual({ cid: await computeCid(bytes), storedIn: ['a'], failures: [] })
  })

  it('behavior: every store is tried, and a failure of one beyond those required is only reported', async () => {
    const stores = [memoryStore('a'), down, wrong, memoryStore('b')]
    const stored = await storeBatch(bytes, stores, { version: 1, storesRequired: 2 })
    expect(stored.storedIn).toEqual(['a', 'b'])
    expect(stored.failures.map(({ store, error }) => [store, error.code])).toEqual([
      ['down', 'UNAVAILABLE'],
      ['wrong', 'CID_MISMATCH'],
    ])
    expect(stored.cid).toBe(await computeCid(bytes))
  })

  it.each([
    ['a store that is down', down, 'UNAVAILABLE', true],
    ['a store that gives another CID', wrong, 'CID_MISMATCH', false],
    ['a store that says yes and forgets', forgets, 'NOT_FOUND', true],
    ['a store that gives back other bytes', swaps, 'CID_MISMATCH', false],
  ])('error: %s is no store', async (_what, store, code, retriable) => {
    const stored = storeBatch(bytes, [store], { version: 1, storesRequired: 1 })
    await expect(stored).rejects.toMatchObject({ code, retriable })
  })

  it('error: fewer stores than required is a failure, and a mismatch outranks an outage', async () => {
    const stored = storeBatch(bytes, [memoryStore('a'), down, wrong], { version: 1, storesRequired: 2 })
    await expect(stored).rejects.toMatchObject({ code: 'CID_MISMATCH' })
  })

  it('error: a store of another CID version is a mismatch', async () => {
    const stored = storeBatch(bytes, [memoryStore('a')], { version: 0, storesRequired: 1 })
    await expect(stored).rejects.toMatchObject({ code: 'CID_MISMATCH' })
  })

  it.each([0, 2])('error: storesRequired %i of 1 store', async (storesRequired) => {
    await expect(storeBatch(bytes, [memoryStore('a')], { version: 1, storesRequired })).rejects.toThrow(RangeError)
  })
})
