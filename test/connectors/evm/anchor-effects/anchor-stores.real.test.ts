/** Stores that say no in every known way, while others work and while none does: no epoch is lost whose window is open. */
import { describe, expect, it } from 'vitest'
import { createKuboStore } from '../../../../connectors/ipfs/kubo-store.ts'
import { ANSWERS, startStoreServer } from '../../ipfs/store-server.ts'
import { type AnchorWorld, anchorWorlds, isFinal } from './anchor-world.ts'

const { keep, world } = anchorWorlds()
const WINDOWS = { snapshot: 2, batch: 400, attestation: 800 }
const REQUEST_MS = 1_000
/** Of a pass through the catalogue, on a busy machine. */
const PASS_MS_MAX = 1_800_000

/** One of each code, since each waits for a chain; `npm run stores` plays all, and store-outages.real.test.ts does without one. */
const PLAYED =
  process.env.STORE_ANSWERS === 'all'
    ? ANSWERS
    : ANSWERS.filter(([, code], i) => ANSWERS.findIndex(([, other]) => other === code) === i)

const refuse = ANSWERS.find(([what]) => what === 'answers 403')![2]

const cidOf = async (w: AnchorWorld, epochId: number): Promise<string> =>
  (await w.untilRow(epochId, 0, ({ cid }) => cid !== '', { mining: false })).cid

describe('stores that say no', () => {
  it('behavior: beside one that works nothing waits, and what is missing is healed', {
    timeout: PASS_MS_MAX,
  }, async () => {
    const w = await world({ windows: WINDOWS })
    const server = keep(await startStoreServer())
    const storage = w.storageOf([createKuboStore({ url: server.url, timeoutMs: REQUEST_MS }), w.files])
    keep(await w.connect({}, {}, { storage }))
    for (const [, , answer] of PLAYED) {
      server.play(answer)
      const epochId = await w.epoch(1)
      await w.untilRow(epochId, 0, isFinal)
      await w.untilRow(epochId, -1, isFinal)
      server.play()
      const cid = await cidOf(w, epochId)
      await w.until('healing', () => server.files.has(cid))
    }
  })

  it('behavior: with no other the epoch waits, says why, and is anchored after it', {
    timeout: PASS_MS_MAX,
  }, async () => {
    const w = await world({ windows: WINDOWS })
    const server = keep(await startStoreServer())
    const told: string[] = []
    const storage = w.storageOf([createKuboStore({ url: server.url, timeoutMs: REQUEST_MS })])
    const waiting = (step: string, { message }: Error): unknown => step === 'STORE' && told.push(message)
    keep(await w.connect({ waiting }, {}, { storage }))
    for (const [what, code, answer] of PLAYED) {
      server.play(answer)
      const epochId = await w.epoch(1)
      const row = await w.untilRow(epochId, 0, ({ error }) => error.includes(`(${code})`), { mining: false })
      expect([what, row.state]).toEqual([what, 'PLANNED'])
      expect(told.at(-1)).toContain('0 of 1 stores hold the batch, and 1 must: ')
      for (let i = 0; i < 8; i++) await w.send('evm_mine')
      server.play()
      await cidOf(w, epochId)
      await w.untilRow(epochId, 0, isFinal)
      await w.untilRow(epochId, -1, isFinal)
    }
  })

  it('behavior: a refusal of more attempts than any bound costs nothing', async () => {
    const w = await world({ windows: WINDOWS }, { retriesMax: 1 })
    const server = keep(await startStoreServer())
    let attempts = 0
    const storage = w.storageOf([createKuboStore({ url: server.url })], {}, { retried: () => attempts++ })
    keep(await w.connect({}, {}, { storage }))
    server.play(refuse)
    const epochId = await w.epoch(2)
    await w.until('many attempts', async () => attempts > 100)
    server.play()
    for (const index of [0, 1]) await w.untilRow(epochId, index, ({ cid }) => cid !== '', { mining: false })
    for (const index of [0, 1, -1]) await w.untilRow(epochId, index, isFinal)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toHaveLength(2)
  })

  it('behavior: when the window is over the batch is LATE with what each store said, and the next epoch goes on', async () => {
    const w = await world({ windows: { snapshot: 2, batch: 20, attestation: 40 } })
    const [server, other] = [keep(await startStoreServer()), keep(await startStoreServer())]
    const stores = [server, other].map(({ url }) => createKuboStore({ url, timeoutMs: REQUEST_MS }))
    keep(await w.connect({}, {}, { storage: w.storageOf([...stores, w.files], { required: 2 }) }))
    for (const one of [server, other]) one.play(refuse)
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, ({ error }) => error.includes('1 of 3'), { mining: false })
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'LATE')
    expect(row).toMatchObject({ cid: '', nonce: -1 })
    expect(row.error).toMatch(/^the submission window was over: 1 of 3 stores hold the batch, and 2 must: /)
    for (const { url } of [server, other])
      expect(row.error).toContain(`kubo ${new URL(url).host} answers 403: 403 - Forbidden (REFUSED)`)
    await w.untilRow(epochId, -1, isFinal)
    for (const one of [server, other]) one.play()
    const next = await w.epoch(1)
    await cidOf(w, next)
    for (const index of [0, -1]) await w.untilRow(next, index, isFinal)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toEqual([])
  })

  it('behavior: a process that begins again goes on with what waits for stores', async () => {
    const w = await world({ windows: WINDOWS })
    const server = keep(await startStoreServer())
    server.play(refuse)
    const store = createKuboStore({ url: server.url })
    const first = await w.connect({}, {}, { storage: w.storageOf([store]) })
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, ({ error }) => error.includes('403'), { mining: false })
    await first.close()
    server.play()
    keep(await w.connect({}, {}, { storage: w.storageOf([store]) }))
    await cidOf(w, epochId)
    for (const index of [0, -1]) await w.untilRow(epochId, index, isFinal)
  })
})
