/** Of three nodes one lies and two must agree: what it forges reaches neither the log nor the fate of a transaction. */
import { describe, expect, test } from 'vitest'
import { hashOf } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import * as sending from '../anchor-effects/scripted-send.ts'
import {
  clockTopics,
  expectSlotsAsOfEachBlock,
  expectTicksOfChain,
  readTicks,
  runClock,
} from '../clock/clock-harness.ts'
import { type BlockContent, CHAIN_ID, exampleChain, release, ScriptedChain } from '../scripted-chain.ts'

const topics = await clockTopics()
const PLACES = [0, 1, 2]
const AGREEMENT = 2

/** Another chain with the same blocks, but for what `change` makes of them. */
function forgedOf(chain: ScriptedChain, change: (block: BlockContent, number: number) => BlockContent): ScriptedChain {
  const [first, ...others] = chain.blocks.map(({ releases, slots, silently, window, hash, timestamp, number }) => {
    const content = { hash, at: timestamp, releases: releases ?? [], slots: slots ?? [], silently: silently ?? [] }
    return change({ ...content, ...(window !== undefined && { window }) }, number)
  })
  const forged = new ScriptedChain(first)
  for (const block of others) forged.mine(block)
  return forged
}

const otherHash = (hash: string | undefined): string => `0x${'f0'.repeat(4)}${hash!.slice(10)}`

const LIES: readonly [string, (block: BlockContent, number: number) => BlockContent][] = [
  ['a release that never was', (block, number) => (number === 7 ? { ...block, ...release(3) } : block)],
  ['no releases', (block) => ({ ...block, releases: [] })],
  ['a release of another id', (block, number) => (number === 5 ? { ...block, ...release(4) } : block)],
  ['a window of another length', (block, number) => (number === 0 ? { ...block, window: 1 } : block)],
  ['another hash of a block', (block, number) => (number >= 4 ? { ...block, hash: otherHash(block.hash) } : block)],
  ['another time of a block', (block, number) => (number >= 4 ? { ...block, at: block.at! + 7 } : block)],
]

const withLiar = (chain: ScriptedChain, liar: Endpoint, place: number): Endpoint[] =>
  PLACES.map((node) => (node === place ? liar : chain.node()))

describe('the clock', () => {
  describe.each(LIES)('with a node that tells of %s', (_, change) => {
    test.each(PLACES)('behavior: writes what the others say, and names it (node %i)', async (place) => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      const odd: number[] = []
      const options = { agreement: AGREEMENT, observer: { disagreed: (node: number) => void odd.push(node) } }
      const clock = await runClock(log, topics, withLiar(chain, forgedOf(chain, change).node(), place), options)
      await clock.reached(12)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
      await expectSlotsAsOfEachBlock(log, topics, chain)
      // The last is not asked while the two before it agree.
      expect([...new Set(odd)]).toEqual(place === 2 ? [] : [place])
    })
  })

  test.each(PLACES)('behavior: a reorganization that one node invents is none (node %i)', async (place) => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const forged = forgedOf(chain, (block, number) =>
      number >= 10 ? { ...block, hash: otherHash(block.hash) } : block,
    ).node()
    let lies = false
    const right = chain.node()
    const liar: Endpoint = { ...right, ask: (method, params) => (lies ? forged : right).ask(method, params) }
    const clock = await runClock(log, topics, withLiar(chain, liar, place), { agreement: AGREEMENT })
    await clock.reached(12)
    lies = true
    for (let blocks = 0; blocks < 4; blocks++) {
      chain.mine(blocks === 0 ? release(3) : {})
      await clock.reached(chain.head.number)
    }
    await clock.close()
    expect((await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN')).toEqual([])
    await expectTicksOfChain(log, topics, chain)
  })

  test.each([
    ['deeper', 6],
    ['less deep', 11],
  ])('behavior: one that is %s for one node is as deep as it is for the others', async (_, from) => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const forge = () =>
      forgedOf(chain, (block, number) => (number >= from ? { ...block, hash: otherHash(block.hash) } : block))
    const [before, right] = [forgedOf(chain, (block) => block), chain.node()]
    let forged: Endpoint | undefined
    const liar: Endpoint = { ...right, ask: (method, params) => (forged ?? right).ask(method, params) }
    const clock = await runClock(log, topics, withLiar(chain, liar, 0), { agreement: AGREEMENT })
    await clock.reached(12)
    // For the one that tells of less the blocks below `from` stay as they were.
    forged = (
      from > 10
        ? forgedOf(before, (block, n) => (n >= from ? { ...block, hash: otherHash(block.hash) } : block))
        : forge()
    ).node()
    chain.reorg(3)
    for (let blocks = 0; blocks < 5; blocks++) chain.mine(blocks === 1 ? release(3) : {})
    await clock.reached(14)
    await clock.close()
    const orphans = (await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN')
    expect(Math.min(...orphans.map(({ blockNumber }) => blockNumber))).toBe(10)
    await expectTicksOfChain(log, topics, chain)
  })
})

describe('what became of a transaction', () => {
  /** Three nodes of one chain, one of which answers as `lie` says; undefined: as it should. */
  const three = (
    at: ReturnType<typeof sending.scripted>,
    place: number,
    lie: (method: string, params: readonly unknown[], right: object | null) => unknown,
  ) => {
    const odd: number[] = []
    const nodes = PLACES.map(
      (one): Endpoint => ({
        close: () => undefined,
        ask: async (method, params) => {
          if (method === 'eth_chainId') return `0x${CHAIN_ID.toString(16)}`
          const right = await at.ask(method, params)
          const said = one === place ? lie(method, params, right as object | null) : undefined
          return said === undefined ? right : said
        },
      }),
    )
    const options = { urls: PLACES.map(String), chainId: CHAIN_ID, timeoutMs: 1_000, batchMax: 1, agreement: AGREEMENT }
    const rpc = createRpc(options, {
      clock: { now: () => 0, sleep: () => new Promise(() => undefined) },
      observer: { disagreed: (one) => void odd.push(one) },
      connect: (url) => nodes[Number(url)]!,
    })
    return { rpc, odd }
  }

  const begun = async () => {
    const at = sending.scripted()
    const { raw } = await sending.signer.sign(sending.intentOf([]), { to: sending.STATE, data: '0x1234' })
    return { at, raw, hash: hashOf(raw) }
  }
  const mined = (at: ReturnType<typeof sending.scripted>, hash: string, status: number, event?: string) => {
    const logs = status === 1 ? [sending.eventLog(event ?? 'SnapshotBatchSubmitted')] : []
    at.node.receipts.set(hash, { block: at.node.head, status, gasUsed: 50_000, logs })
    at.node.nonceNow = 8
    at.node.nonceDeep = 8
  }
  const outcomesOf = (results: readonly { readonly outcome: string }[]) => results.map(({ outcome }) => outcome)

  test.each(PLACES)('behavior: that one node calls it failed does not give it up (node %i)', async (place) => {
    const { at, raw, hash } = await begun()
    const { rpc } = three(at, place, (method, _, right) =>
      method === 'eth_getTransactionReceipt' && right ? { ...right, status: '0x0', logs: [] } : undefined,
    )
    const turn = (n: number) => void (n === 2 && mined(at, hash, 1))
    const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
    expect(results.at(-1)).toMatchObject({ outcome: 'FINAL', transactionHash: hash })
    expect(outcomesOf(results)).not.toContain('REVERTED')
  })

  test.each(PLACES)('behavior: that one node calls it anchored does not make it so (node %i)', async (place) => {
    const { at, raw, hash } = await begun()
    const { rpc } = three(at, place, (method, _, right) => {
      if (method !== 'eth_getTransactionReceipt' || !right) return undefined
      const { blockNumber, blockHash } = right as { blockNumber: string; blockHash: string }
      const log = { ...sending.eventLog('SnapshotBatchSubmitted'), blockNumber, blockHash, transactionHash: hash }
      return { ...right, status: '0x1', logs: [{ ...log, logIndex: '0x0' }] }
    })
    const turn = (n: number) => void (n === 2 && mined(at, hash, 0))
    const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
    expect(results.at(-1)).toMatchObject({ outcome: 'REVERTED', transactionHash: hash })
    expect(outcomesOf(results)).not.toContain('FINAL')
  })

  test.each(PLACES)('behavior: a receipt that one node invents is none (node %i)', async (place) => {
    const { at, raw, hash } = await begun()
    const { rpc } = three(at, place, (method, [asked], right) => {
      if (method !== 'eth_getTransactionReceipt' || right || asked !== hash) return undefined
      const where = { transactionHash: hash, blockNumber: '0x5', blockHash: `0x${'5'.padStart(64, '0')}` }
      const log = { ...sending.eventLog('SnapshotBatchSubmitted'), ...where, logIndex: '0x0' }
      return { ...where, status: '0x1', gasUsed: '0x1', logs: [log] }
    })
    // It is sent all the same, and mined.
    const turn = () => void (at.node.sent.length > 0 && at.node.receipts.size === 0 && mined(at, hash, 1))
    const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
    expect(results.at(-1)).toMatchObject({ outcome: 'FINAL' })
    expect(results.at(-1)!.blockNumber).toBeGreaterThan(5)
  })

  const reverting = (code: string): never => {
    const cause = { code: 'CALL_EXCEPTION', data: '0x08c379a0', reason: code }
    throw new EvmError('RPC_ERROR', 'reverted', { retriable: true, cause })
  }
  const isItsCall = (data: string): boolean => data === '0x1234'
  const dataOf = ([call]: readonly unknown[]): string => (call as { data: string }).data
  const REFUSED = { eth_call: 'would revert', eth_getBlockByNumber: 'takes more gas than a block has' } as const

  describe.each(Object.entries(REFUSED))('that no node takes, and of which one says that it %s (%s)', (method) => {
    test.each(PLACES)('behavior: it keeps its nonce, with a higher fee (node %i)', async (place) => {
      const { at, raw } = await begun()
      at.node.refusal = 'busy'
      const { rpc } = three(at, place, (asked, params, right) => {
        if (asked !== method) return undefined
        if (method === 'eth_call') return isItsCall(dataOf(params)) ? reverting('E43') : undefined
        return { ...right, gasLimit: '0x100' }
      })
      const results = await sending.follow(at, sending.intentOf([raw]), () => {}, { rpc, agreement: AGREEMENT })
      expect(results).toEqual([expect.objectContaining({ outcome: 'STUCK', error: '' })])
    })
  })

  test.each(PLACES)('behavior: its block has not left because one node says so (node %i)', async (place) => {
    const { at, raw, hash } = await begun()
    const { rpc } = three(at, place, (method, [block], right) => {
      const isItsBlock = method === 'eth_getBlockByNumber' && block === '0xc' && at.node.head > 13
      return isItsBlock ? { ...right, hash: `0x${'f0'.repeat(32)}` } : undefined
    })
    const turn = (n: number) => void (n === 2 && mined(at, hash, 1))
    const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
    expect(outcomesOf(results)).toEqual(['MINED', 'FINAL'])
  })

  test.each(PLACES)(
    'behavior: nobody else used its nonce because one node hides the receipt (node %i)',
    async (place) => {
      const { at, raw, hash } = await begun()
      const { rpc } = three(at, place, (method) => (method === 'eth_getTransactionReceipt' ? null : undefined))
      const turn = (n: number) => void (n === 2 && mined(at, hash, 1))
      const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
      expect(results.at(-1)).toMatchObject({ outcome: 'FINAL', transactionHash: hash })
      expect(outcomesOf(results)).not.toContain('NONCE_TAKEN')
    },
  )

  test.each(PLACES)('behavior: a late batch was not early because one node says so (node %i)', async (place) => {
    const { at, raw, hash } = await begun()
    const unreleased = protocolStateInterface.encodeFunctionResult('epochInfo', [0, 0, 0])
    const { rpc } = three(at, place, (method, params) =>
      method === 'eth_call' && !isItsCall(dataOf(params)) ? unreleased : undefined,
    )
    const turn = (n: number) => void (n === 2 && mined(at, hash, 1, 'DelayedBatchSubmitted'))
    const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
    expect(outcomesOf(results)).toEqual(['LATE'])
  })

  test.each(PLACES)('behavior: why it was reverted is no single node’s word (node %i)', async (place) => {
    const { at, raw, hash } = await begun()
    const { rpc } = three(at, place, (method, params) =>
      method === 'eth_call' && isItsCall(dataOf(params)) ? reverting('E43') : undefined,
    )
    const turn = (n: number) => void (n === 2 && mined(at, hash, 0))
    const results = await sending.follow(at, sending.intentOf([raw]), turn, { rpc, agreement: AGREEMENT })
    expect(results.at(-1)).toMatchObject({ outcome: 'REVERTED', error: 'REVERTED' })
  })
})
