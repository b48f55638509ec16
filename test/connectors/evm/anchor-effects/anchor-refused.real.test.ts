/** The anchor on anvil, whose answers are changed on the way: what it refuses is refused in other words, or by other rules. */
import { Transaction } from 'ethers'
import { describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { type AnchorWorld, anchorWorlds, isFinal, RIVAL } from './anchor-world.ts'

const { keep, world } = anchorWorlds()

type Send = (method: string, params: readonly unknown[]) => Promise<unknown>
/** Gives the answer to a call, or passes it on. */
type Rule = (method: string, params: readonly unknown[], pass: Send) => Promise<unknown>

const connect = async (w: AnchorWorld, rule: Rule) => {
  const pass: Send = (method, params) => w.send(method, params)
  const endpoint: Endpoint = { ask: (method, params) => rule(method, params, pass), close: () => {} }
  return keep(await w.connect({}, {}, { connect: () => endpoint }))
}

const SEND = 'eth_sendRawTransaction'
const rawOf = (params: readonly unknown[]): Transaction => Transaction.from(String(params[0]))

describe('startAnchor at a node that refuses', () => {
  it('behavior: what would revert, since a rival ended the epoch after the dry run; the next epoch is anchored', async () => {
    const w = await world({ sequencers: [RIVAL.address] })
    let ending: Promise<void> | undefined
    await connect(w, async (method, params, pass) => {
      if (method !== SEND) return pass(method, params)
      const { to, data, from } = rawOf(params)
      if (data !== '0x') {
        ending ??= w.callAs(RIVAL, 'endBatchSubmissions', [w.market, rivalled])
        await ending
        await pass('eth_call', [{ from, to, data }, 'latest']).catch(() => {
          throw Object.assign(new Error('execution reverted'), { code: -32_000 })
        })
      }
      return pass(method, params)
    })
    const rivalled = await w.epoch(1)
    expect(await w.untilRow(rivalled, 0, ({ state }) => state === 'FAILED')).toMatchObject({ error: 'E43', nonce: -1 })
    expect(await w.outcomes()).toEqual(expect.arrayContaining(['REJECTED', 'FILLED']))
    await w.untilRow(rivalled, -1, isFinal)
    const row = await w.untilRow(await w.epoch(1), 0, isFinal)
    expect(await w.events('SnapshotBatchSubmitted', rivalled + 1)).toEqual([row.cid])
  })

  it('behavior: every transaction in words of its own, though it takes it', async () => {
    const w = await world()
    let refusals = 0
    await connect(w, async (method, params, pass) => {
      if (method !== SEND) return pass(method, params)
      refusals++
      await pass(method, params).catch(() => undefined)
      throw new Error('OldNonce, Current nonce: 8, nonce of rejected tx: 7')
    })
    const epochId = await w.epoch(3)
    for (const index of [0, 1, 2, -1]) await w.untilRow(epochId, index, isFinal)
    expect(refusals).toBeGreaterThan(3)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toHaveLength(3)
    const outcomes = await w.outcomes()
    for (const lost of ['REJECTED', 'FILLED', 'NONCE_TAKEN']) expect(outcomes).not.toContain(lost)
  })

  it('behavior: transactions of type 2, and knows no tips: legacy ones are sent', async () => {
    const w = await world()
    const unknown = ['eth_maxPriorityFeePerGas', 'eth_feeHistory']
    await connect(w, async (method, params, pass) => {
      if (unknown.includes(method)) throw new Error(`the method ${method} does not exist/is not available`)
      if (method === SEND && rawOf(params).type === 2) throw new Error('transaction type not supported')
      return pass(method, params)
    })
    const epochId = await w.epoch(1)
    const { transactionHash } = await w.untilRow(epochId, 0, isFinal)
    expect((await w.provider.getTransaction(transactionHash))!.type).toBe(0)
    await w.untilRow(epochId, -1, isFinal)
  })

  it('behavior: to say what was mined while it is indexing', async () => {
    const w = await world()
    let indexing = true
    let sent = 0
    await connect(w, async (method, params, pass) => {
      if (method === SEND) sent++
      if (indexing && method === 'eth_getTransactionReceipt') throw new Error('transaction indexing is in progress')
      return pass(method, params)
    })
    const epochId = await w.epoch(1)
    await w.until('the transaction in the pool', async () => (await w.poolSize()) === 1)
    expect(sent).toBeGreaterThan(0)
    await w.send('evm_mine')
    indexing = false
    await w.untilRow(epochId, 0, isFinal)
    expect(await w.events('SnapshotBatchSubmitted', epochId)).toHaveLength(1)
  })

  it('behavior: everything that is as large as a batch, without end: the epoch after it is anchored', async () => {
    const w = await world({}, { retriesMax: 0 })
    let refusing = true
    await connect(w, async (method, params, pass) => {
      if (refusing && method === SEND && rawOf(params).data !== '0x') throw new Error('computer says no')
      return pass(method, params)
    })
    const epochId = await w.epoch(1)
    const row = await w.untilRow(epochId, 0, ({ state }) => state === 'FAILED')
    expect(row).toMatchObject({ nonce: -1, error: expect.stringContaining('no node takes it') })
    refusing = false
    await w.untilRow(epochId, -1, isFinal)
    await w.untilRow(await w.epoch(1), 0, isFinal)
  })
})
