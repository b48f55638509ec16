import { describe, expect, it } from 'vitest'
import { StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { storeIn } from '../../../connectors/ipfs/store.ts'
import { memoryStore } from './memory-store.ts'

const bytes = Buffer.from('a batch')
const other = Buffer.from('another')
const cid = await computeCid(bytes)

const down = memoryStore('down', { put: async () => Promise.reject(new StoreError('UNAVAILABLE', 'down')) })
const wrong = memoryStore('wrong', { put: async () => computeCid(other) })
const forgets = memoryStore('forgets', { put: () => computeCid(bytes) })
const swaps = memoryStore('swaps', { put: () => computeCid(bytes), get: async () => other })
const throws = memoryStore('throws', { put: () => Promise.reject(new TypeError('a fault of ours')) })

describe('storeIn', () => {
  it('default: the store holds the batch, read back', async () => {
    expect(await storeIn(memoryStore('a'), bytes, cid)).toBeUndefined()
  })

  it.each([
    ['a store that is down', down, 'UNAVAILABLE'],
    ['a store that gives another CID', wrong, 'CID_MISMATCH'],
    ['a store that says yes and forgets', forgets, 'NOT_FOUND'],
    ['a store that gives back other bytes', swaps, 'CID_MISMATCH'],
    ['a store that throws anything else', throws, 'UNAVAILABLE'],
  ])('error: %s does not hold it, and may later', async (_what, store, code) => {
    expect(await storeIn(store, bytes, cid)).toMatchObject({ code, retriable: true })
  })

  it('error: a store of another CID version is a mismatch', async () => {
    expect(await storeIn(memoryStore('a'), bytes, await computeCid(bytes, 0))).toMatchObject({ code: 'CID_MISMATCH' })
  })
})
