import { afterEach, describe, expect, it } from 'vitest'
import { type BatchStore, StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import type { StoreTrouble } from '../../../connectors/ipfs/lane.ts'
import { createStorage, type StorageObserver, type StorageOptions } from '../../../connectors/ipfs/storage.ts'
import { keeperOf, serviceKeeperOf } from '../../../connectors/ipfs/store.ts'
import { SimulatedClock } from '../../../connectors/log/simulated/simulated-clock.ts'
import { memoryStore } from './memory-store.ts'

const batch = Buffer.from('a batch')
const cid = await computeCid(batch)
const read = async () => batch
const STEP_MS = 50

let close: () => Promise<void> = async () => {}
afterEach(() => close())

/** Stores in virtual time. */
function storageOf(
  stores: readonly BatchStore[],
  options: Partial<StorageOptions> = {},
  observer: StorageObserver = {},
) {
  const clock = new SimulatedClock()
  const session = new AbortController()
  const settings = { version: 1 as const, keepers: stores.map(keeperOf), required: 1, ...options }
  const storage = createStorage(settings, { clock, observer })
  close = () => storage.close()
  const turn = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 0))
    clock.advance(STEP_MS)
  }
  return {
    clock,
    storage,
    session,
    keep: (id = 'a', reading = read) => storage.keep(id, reading, session.signal),
    /** Lets time pass until it holds; gives how much passed. */
    async until(holds: () => boolean): Promise<number> {
      const from = clock.now()
      while (!holds()) await turn()
      return clock.now() - from
    },
    async pass(ms: number): Promise<void> {
      for (const end = clock.now() + ms; clock.now() < end; ) await turn()
    },
  }
}

/** A store that fails until it is mended. */
function broken(name: string, error: () => Promise<never>) {
  let mended = false
  let attempts = 0
  const store = memoryStore(name)
  const put: BatchStore['put'] = (bytes, options) => {
    attempts++
    return mended ? store.put(bytes, options) : error()
  }
  return {
    store: { ...store, put },
    mend: () => {
      mended = true
    },
    get attempts() {
      return attempts
    },
    holds: () => store.kept.has(cid),
  }
}

const refuse = () => Promise.reject(new StoreError('REFUSED', 'x answers 403: Forbidden'))

describe('createStorage', () => {
  it('default: resolves with the CID by our own computation', async () => {
    const w = storageOf([memoryStore('a')])
    await expect(w.keep().held).resolves.toBe(cid)
  })

  it('behavior: k of n: those that fail do not matter, and get the batch later in the background', async () => {
    const bad = broken('bad', refuse)
    const good = [memoryStore('a'), memoryStore('b')]
    const healed: string[] = []
    const w = storageOf([bad.store, ...good], { required: 2 }, { healed: (store) => healed.push(store) })
    await expect(w.keep().held).resolves.toBe(cid)
    await w.pass(300_000)
    expect(bad.attempts).toBeLessThan(15)
    expect(healed).toEqual([])
    bad.mend()
    await w.until(bad.holds)
    await w.until(() => healed.length > 0)
    expect(healed).toEqual(['bad'])
  })

  it('behavior: fewer than required hold it: it is tried for ever, with growing pauses, and what is said is told', async () => {
    const [bad, good] = [broken('bad', refuse), memoryStore('good')]
    const pauses: number[] = []
    const w = storageOf([bad.store, good], { required: 2 }, { retried: (_, __, ms) => pauses.push(ms) })
    const keeping = w.keep()
    let held = false
    void keeping.held.then(() => {
      held = true
    })
    await w.pass(300_000)
    expect(held).toBe(false)
    expect(pauses.slice(0, 7)).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000])
    expect(keeping.failing).toBe(true)
    expect(keeping.describe()).toBe('1 of 2 stores hold the batch, and 2 must: x answers 403: Forbidden (REFUSED)')
    bad.mend()
    expect(await w.until(() => held)).toBeLessThan(6_000)
  })

  it('behavior: when a store works again, everything that waits for it goes on at once', async () => {
    const bad = broken('bad', refuse)
    const w = storageOf([bad.store], { retryMsMax: 600_000 })
    const first = w.keep('first', async () => Buffer.from('first'))
    await w.pass(60_000)
    expect(first.failing).toBe(true)
    bad.mend()
    await w.keep('second').held
    expect(await w.until(() => bad.store.name === 'bad' && bad.attempts > 0)).toBe(0)
    await expect(first.held).resolves.toBe(await computeCid(Buffer.from('first')))
    expect(w.clock.now()).toBeLessThan(1_704_067_200_000 + 70_000)
  })

  it('behavior: a store that hangs without end counts as failing, and takes no more than its places', async () => {
    let calls = 0
    const hangs = memoryStore('hangs', {
      put: () => {
        calls++
        return new Promise(() => {})
      },
    })
    const changes: (StoreTrouble | undefined)[] = []
    const observer = { changed: (_: string, trouble: StoreTrouble | undefined) => changes.push(trouble) }
    const w = storageOf([hangs, memoryStore('good')], { required: 1, atOnce: 2, attemptMs: 1_000 }, observer)
    for (const id of ['a', 'b', 'c', 'd']) await w.keep(id, async () => Buffer.from(id)).held
    await w.pass(60_000)
    expect(calls).toBe(2)
    expect(changes.at(-1)?.error.message).toBe('hangs: not done within 1001 ms')
  })

  it('behavior: the same batch asked for again is the same one', async () => {
    const bad = broken('bad', refuse)
    const w = storageOf([bad.store])
    expect(w.keep()).toBe(w.keep())
  })

  it('behavior: what nobody needs any more is not tried on', async () => {
    const bad = broken('bad', refuse)
    const w = storageOf([bad.store])
    const keeping = w.keep()
    await w.until(() => bad.attempts > 2)
    keeping.drop()
    const before = bad.attempts
    await w.pass(60_000)
    expect(bad.attempts).toBe(before)
    expect(w.keep()).not.toBe(keeping)
  })

  it('behavior: the end of the session ends everything, also in the background', async () => {
    const bad = broken('bad', refuse)
    const w = storageOf([bad.store, memoryStore('good')])
    await w.keep().held
    await w.until(() => bad.attempts > 2)
    w.session.abort()
    const before = bad.attempts
    await w.pass(300_000)
    expect(bad.attempts).toBe(before)
  })

  it('behavior: no more than the bound wait for a store; the oldest is left to the next check', async () => {
    const [bad, left, lacking] = [broken('bad', refuse), [] as string[], [] as number[]]
    const observer = {
      leftOut: (_: string, of: string) => left.push(of),
      lacking: (_: string, n: number) => lacking.push(n),
    }
    const w = storageOf([bad.store, memoryStore('good')], { lackingMax: 3 }, observer)
    for (const id of ['1', '2', '3', '4', '5']) await w.keep(id, async () => Buffer.from(id)).held
    await w.until(() => left.length > 0)
    await w.pass(10_000)
    expect(Math.max(...lacking)).toBe(3)
    expect(left.length).toBeGreaterThan(0)
  })

  it('behavior: a log that is away is waited for; a batch that is gone is final', async () => {
    let reads = 0
    const away = Object.assign(new Error('the log is away'), { retriable: true })
    const w = storageOf([memoryStore('a')])
    const keeping = w.keep('a', async () => {
      if (++reads < 4) throw away
      return batch
    })
    await w.until(() => reads > 3)
    await expect(keeping.held).resolves.toBe(cid)
    await expect(w.keep('b', () => Promise.reject(new Error('gone'))).held).rejects.toThrow('gone')
  })

  it('behavior: a service gets its turn when the stores hold the batch, is polled, and counts for nothing', async () => {
    let asked = 0
    const changes: unknown[] = []
    const good = memoryStore('good')
    const service = serviceKeeperOf({
      name: 'service',
      has: async () => asked > 3,
      remove: async () => {},
      pin: async () => {
        expect(good.kept.has(cid)).toBe(true)
        if (++asked < 4) throw new StoreError('PENDING', 'queued')
      },
    })
    const observer = { changed: (store: string) => changes.push(store) }
    const w = storageOf([], { keepers: [service, keeperOf(good)] }, observer)
    await expect(w.keep().held).resolves.toBe(cid)
    await w.until(() => asked === 4)
    await w.pass(120_000)
    expect([asked, changes]).toEqual([4, []])
    expect(() => storageOf([], { keepers: [service] })).toThrow(RangeError)
  })

  it.each([0, 2])('error: %i of 1 store', (required) => {
    expect(() => storageOf([memoryStore('a')], { required })).toThrow(RangeError)
  })
})
