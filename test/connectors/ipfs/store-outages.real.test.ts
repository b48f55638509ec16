/** A real HTTP store that plays every known answer for 1 s to 5 min of virtual time, alone and beside one that works. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { createKuboStore } from '../../../connectors/ipfs/kubo-store.ts'
import { createStorage } from '../../../connectors/ipfs/storage.ts'
import { keeperOf } from '../../../connectors/ipfs/store.ts'
import { SimulatedClock } from '../../../connectors/log/simulated/simulated-clock.ts'
import { memoryStore } from './memory-store.ts'
import { ANSWERS, type StoreServer, startStoreServer } from './store-server.ts'

const DURATIONS_MS = [1_000, 20_000, 300_000]
/** Real; so that those that hang do not take long. */
const REQUEST_MS = 300
const STEP_MS = 1_000

let server: StoreServer
beforeAll(async () => {
  server = await startStoreServer()
})
afterAll(() => server.close())

/** A turn for what is under way, then a step of time. */
async function step(clock: SimulatedClock): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2))
  clock.advance(STEP_MS)
}

const cases = ANSWERS.flatMap(([what, code, answer]) => DURATIONS_MS.map((ms) => [what, ms, code, answer] as const))

it.each(cases)(
  'behavior: a store that %s for %i ms: nothing waits beside another, and else no longer than that',
  async (what, ms, code, answer) => {
    const clock = new SimulatedClock()
    const session = new AbortController()
    const batch = Buffer.from(`${what} ${ms}`)
    const cid = await computeCid(batch)
    const kubo = keeperOf(createKuboStore({ url: server.url, timeoutMs: REQUEST_MS }))
    const good = keeperOf(memoryStore('good'))
    // in virtual time an attempt has as long as it takes
    const settings = { version: 1, required: 1, attemptMs: Number.MAX_SAFE_INTEGER / 2 } as const
    const alone = createStorage({ ...settings, keepers: [kubo] }, { clock })
    const stored = new Set<string>()
    const beside = createStorage(
      { ...settings, keepers: [kubo, good] },
      { clock, observer: { tried: (store, failure) => void (failure ?? stored.add(store)) } },
    )
    const read = async () => batch
    const [waiting, going] = [alone, beside].map((storage) => storage.keep(what, read, session.signal))
    server.play(answer)
    try {
      await expect(going!.held).resolves.toBe(cid)
      let held = false
      void waiting!.held.then(() => {
        held = true
      })
      for (const end = clock.now() + ms; clock.now() < end; ) await step(clock)
      while (!waiting!.describe().includes(`(${code})`)) await step(clock)
      expect(held).toBe(false)
      server.play()
      while (!held) await step(clock)
      while (!stored.has(kubo.name)) await step(clock)
    } finally {
      session.abort()
      await Promise.all([alone.close(), beside.close()])
    }
  },
)
