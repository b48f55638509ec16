import { expect, test } from 'vitest'
import { rewardsIn } from '../../../../connectors/evm/anchor-effects/day-rewards.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'

const PROTOCOL_STATE = `0x${'c3'.repeat(20)}`
const MARKET = `0x${'a1'.repeat(20)}`
const HEAD = 9_000
const question = { protocolState: PROTOCOL_STATE, dataMarket: MARKET }

const rewarded = (slotId: number | bigint, day: number | bigint, block: number) => ({
  address: PROTOCOL_STATE,
  ...protocolStateInterface.encodeEventLog('RewardsDistributedEvent', [MARKET, PROTOCOL_STATE, slotId, day, 300, 0]),
  transactionHash: `0x${'77'.repeat(32)}`,
  blockNumber: `0x${block.toString(16)}`,
  blockHash: `0x${block.toString(16).padStart(64, '0')}`,
  logIndex: '0x0',
})

/** A node that refuses more than so many blocks. */
function nodeWith(logs: readonly ReturnType<typeof rewarded>[], blocksMax = HEAD) {
  const ranges: (readonly [number, number])[] = []
  const ask: Ask = async (method, params) => {
    if (method === 'eth_blockNumber') return `0x${HEAD.toString(16)}`
    const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }]
    const [from, to] = [Number(fromBlock), Number(toBlock)]
    if (to - from >= blocksMax) throw new EvmError('RPC_ERROR', 'too many blocks', { retriable: true })
    ranges.push([from, to])
    return logs.filter(({ blockNumber }) => Number(blockNumber) >= from && Number(blockNumber) <= to)
  }
  return { ask, ranges }
}

test('default: the slots that were credited, with their days, in these blocks', async () => {
  const { ask } = nodeWith([rewarded(1, 4, 99), rewarded(2, 4, 100), rewarded(3, 5, 101), rewarded(9, 4, 200)])
  expect(await rewardsIn(ask, question, { fromBlock: 100, toBlock: 200 })).toEqual([
    { day: 4, slotId: 2 },
    { day: 5, slotId: 3 },
    { day: 4, slotId: 9 },
  ])
})

test('behavior: a node that refuses so many blocks is asked for fewer', async () => {
  const { ask, ranges } = nodeWith([rewarded(2, 4, 100), rewarded(9, 4, 3_000)], 600)
  expect(await rewardsIn(ask, question, { fromBlock: 100, toBlock: 3_000 })).toHaveLength(2)
  expect(ranges.every(([from, to]) => to - from < 600)).toBe(true)
  expect([ranges[0]![0], ranges.at(-1)![1]]).toEqual([100, 3_000])
})

test('behavior: a day or slot without a bound is none of ours', async () => {
  const { ask } = nodeWith([rewarded(2n ** 256n - 1n, 4, 100), rewarded(7, 2n ** 200n, 101)])
  const rewards = await rewardsIn(ask, question, { fromBlock: 100, toBlock: 200 })
  expect(rewards).toEqual([
    { day: 4, slotId: Number.MAX_SAFE_INTEGER },
    { day: Number.MAX_SAFE_INTEGER, slotId: 7 },
  ])
})

test('error: an event that cannot be read, and a node without these blocks', async () => {
  const torn = { ...rewarded(2, 4, 100), data: '0x12' }
  await expect(rewardsIn(nodeWith([torn]).ask, question, { fromBlock: 1, toBlock: 200 })).rejects.toMatchObject({
    message: expect.stringContaining('a RewardsDistributedEvent cannot be read'),
  })
  await expect(rewardsIn(nodeWith([]).ask, question, { fromBlock: 1, toBlock: HEAD + 1 })).rejects.toMatchObject({
    code: 'BLOCK_MISSING',
  })
})
