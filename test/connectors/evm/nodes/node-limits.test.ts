/** Nodes that refuse ranges, and states that nodes no longer have: in words that nobody reads. */
import { describe, expect, test } from 'vitest'
import { nonceOf, word } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { slotAt } from '../../../../connectors/evm/contract/chain-reader.ts'
import { logsOf } from '../../../../connectors/evm/nodes/log-answers.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { CHAIN_ID, EVENT_BLOCK, hashAt, MARKET, NODES, nodeWith, SIGNER, STATE, STILL, SUBMITTED } from './good-node.ts'

const refusal = (message: string) => ({ error: { code: -32000, message } })
const rpcOf = (fault: Parameters<typeof nodeWith>[0], logRangeBlocks = 16) => {
  const options = { urls: ['0'], chainId: CHAIN_ID, timeoutMs: 1_000, batchMax: 1, logRangeBlocks }
  return createRpc(options, { clock: STILL, connect: () => nodeWith(fault) })
}
const FILTER = { address: STATE, topics: [SUBMITTED, word(MARKET), word(7)], fromBlock: 1, toBlock: 30 }

describe('ranges of logs', () => {
  /** Spans that were asked for; those above the limit are refused, in any words. */
  const limited = (limit: () => number, words = 'query exceeds max results 20000') => {
    const spans: number[] = []
    const rpc = rpcOf((method, [filter]) => {
      if (method !== 'eth_getLogs') return undefined
      const { fromBlock, toBlock } = filter as { fromBlock: string; toBlock: string }
      const span = Number(toBlock) - Number(fromBlock) + 1
      spans.push(span)
      if (span > limit()) throw refusal(words)
      return undefined
    })
    return { spans, read: () => rpc.read((ask) => logsOf(ask, FILTER)) }
  }

  test.each(['query exceeds max results 20000', 'block range is too wide', '请求过多', ''])(
    'behavior: refused with "%s" they are halved, and what worked is remembered',
    async (words) => {
      const { spans, read } = limited(() => 5, words)
      expect((await read()).map(({ blockNumber }) => blockNumber)).toEqual([EVENT_BLOCK])
      expect(spans).toEqual([16, 8, 4, 4, 4, 4, 4, 4, 4, 2])
      spans.length = 0
      await read()
      expect(spans).toEqual([4, 4, 4, 4, 4, 4, 4, 2])
    },
  )

  test('behavior: after a while more is tried again', async () => {
    let limit = 5
    const { spans, read } = limited(() => limit)
    await read()
    limit = 100
    for (let i = 0; i < 60; i++) await read()
    expect(spans.slice(-2)).toEqual([16, 14])
  })

  test('error: one block that is refused is a failure, and says nothing of the width', async () => {
    let limit = 0
    const { spans, read } = limited(() => limit)
    await expect(read()).rejects.toMatchObject({ code: 'RPC_ERROR' })
    expect(spans).toEqual([16, 8, 4, 2, 1])
    limit = 100
    spans.length = 0
    await read()
    expect(spans).toEqual([16, 14])
  })

  test('error: blocks that the node does not have yet are not blocks without logs', async () => {
    const rpc = rpcOf((method) => (method === 'eth_blockNumber' ? '0x1d' : method === 'eth_getLogs' ? [] : undefined))
    await expect(rpc.read((ask) => logsOf(ask, FILTER))).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
  })
})

describe('a state that the node does not have', () => {
  const isOld = ([, state]: readonly unknown[]) => state !== 'latest'
  const readings = {
    slotAt: (ask: Parameters<typeof slotAt>[0]) => slotAt(ask, NODES, 3, { blockHash: hashAt(EVENT_BLOCK) }),
    nonceOf: (ask: Parameters<typeof nonceOf>[0]) => nonceOf(ask, SIGNER, EVENT_BLOCK),
  }
  const isState = (method: string) => method === 'eth_call' || method === 'eth_getTransactionCount'

  test.each([
    'No state available for block 12 (0xabc)',
    'State at block #3 is pruned',
    'World state unavailable',
    'This request is not supported because your node is running with state pruning',
    'old data not available due to pruning: requested block 12',
    'header not found',
    'missing trie node 12ab (path )',
    'nothing that anybody has said yet',
  ])('behavior: "%s" with the block there is STATE_MISSING, without it BLOCK_MISSING', async (words) => {
    for (const reading of Object.values(readings)) {
      const pruned = rpcOf((method, params) => {
        if (isState(method) && isOld(params)) throw refusal(words)
      })
      await expect(pruned.read<unknown>(reading)).rejects.toMatchObject({ code: 'STATE_MISSING' })
      const behind = rpcOf((method, params) => {
        if (isState(method) && isOld(params)) throw refusal(words)
        return method.startsWith('eth_getBlockBy') ? null : undefined
      })
      await expect(behind.read<unknown>(reading)).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
    }
  })

  test('behavior: a node that fails now and then, or for the newest state too, lacks nothing', async () => {
    let asked = 0
    const flaky = rpcOf((method, params) => {
      if (isState(method) && isOld(params) && asked++ < 2) throw refusal('rate limit exceeded')
    })
    await expect(flaky.read(readings.slotAt)).rejects.toMatchObject({ code: 'RPC_ERROR' })
    const ill = rpcOf((method) => {
      if (isState(method)) throw refusal('internal error')
    })
    await expect(ill.read(readings.slotAt)).rejects.toMatchObject({ code: 'RPC_ERROR' })
  })

  test('behavior: what the contract refuses needs the state', async () => {
    const refused = rpcOf((method, params) => {
      if (method === 'eth_call' && isOld(params)) throw refusal('execution reverted: no such slot')
    })
    await expect(refused.read(readings.slotAt)).rejects.toMatchObject({ code: 'RPC_ERROR' })
  })
})
