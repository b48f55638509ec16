import { id } from 'ethers'
import { describe, expect, test } from 'vitest'
import { agreedReceipt } from '../../../../connectors/evm/agreed-readings.ts'
import { slotAt } from '../../../../connectors/evm/contract/chain-reader.ts'
import type { Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { receiptOf } from '../../../../connectors/evm/nodes/log-answers.ts'
import { createRpc, type RpcObserver } from '../../../../connectors/evm/nodes/rpc.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { clockTopics, expectSlotsAsOfEachBlock, expectTicksOfChain, runClock } from '../clock/clock-harness.ts'
import { exampleChain, ownerAddress } from '../scripted-chain.ts'
import { CHAIN_ID, goodAnswer, NODES, nodeWith, STILL, TX } from './good-node.ts'

const good = nodeWith(() => undefined)
const SLOTS = { what: () => 'slot 3', textOf: (value: unknown) => JSON.stringify(value) }
const slot = (ask: Endpoint['ask']) => slotAt(ask, NODES, 3, 'latest')

/** A node that gives slots to somebody else. */
const liar = nodeWith((method, _params, right) =>
  method === 'eth_call' ? String(right).replace('dddddddd', 'eeeeeeee') : undefined,
)
const behind = nodeWith((method) => {
  if (method !== 'eth_chainId') throw { error: { code: -32000, message: 'header not found' } }
})

function world(nodes: readonly Endpoint[], agreement: number) {
  const told: string[] = []
  const asked = nodes.map(() => 0)
  const observer: RpcObserver = {
    answered: (node) => void asked[node]!++,
    disagreed: (node, what) => void told.push(`${node} of ${what}`),
    nodeChanged: (node, { fault }) => void told.push(`${node} is ${fault}`),
  }
  const options = { urls: nodes.map((_, i) => `${i}`), chainId: CHAIN_ID, timeoutMs: 1_000, batchMax: 1, agreement }
  const rpc = createRpc(options, { clock: STILL, observer, connect: (url) => nodes[Number(url)]! })
  return { rpc, told, asked }
}

const RIGHT = await slot(goodAnswer)
const seen = (await receiptOf(goodAnswer, TX))!
/** Its nonce is used. */
const SENT = { signer: NODES, nonce: 0 }

describe('agree', () => {
  test.each([
    ['first', [liar, good, good], '0'],
    ['second', [good, liar, good], '1'],
  ])(
    'behavior: of three nodes the %s lies: it is named and set aside, and the others are believed',
    async (_, nodes, odd) => {
      const { rpc, told } = world(nodes, 2)
      expect(await rpc.agree(slot, SLOTS)).toEqual(RIGHT)
      expect(told).toEqual([`${odd} of slot 3`, `${odd} is odd`])
    },
  )

  test('default: no more nodes are asked than must agree', async () => {
    const { rpc, asked } = world([good, good, good], 2)
    await rpc.agree(slot, SLOTS)
    expect(asked.map((calls) => calls > 0)).toEqual([true, true, false])
  })

  test('default: without an agreement one node is asked', async () => {
    const { rpc, asked } = world([liar, good], 1)
    expect(await rpc.agree(slot, SLOTS)).not.toEqual(RIGHT)
    expect(asked[1]).toBe(0)
  })

  test('error: one against one: nobody is believed, both are named, none is set aside', async () => {
    const { rpc, told } = world([good, liar], 2)
    const failure = { code: 'DISAGREEMENT', retriable: true, message: expect.stringContaining('endpoints 1, 2 differ') }
    await expect(rpc.agree(slot, SLOTS)).rejects.toMatchObject(failure)
    expect(told).toEqual(['0 of slot 3', '1 of slot 3'])
  })

  test('error: a node that is behind does not count, and is no dissenter', async () => {
    const { rpc, told } = world([good, behind], 2)
    const failure = {
      code: 'TOO_FEW_NODES',
      retriable: true,
      message: expect.stringMatching(/only 1 can.*endpoint 2 of 2/),
    }
    await expect(rpc.agree(slot, SLOTS)).rejects.toMatchObject(failure)
    expect(told).toEqual([])
    expect(await world([good, behind, good], 2).rpc.agree(slot, SLOTS)).toEqual(RIGHT)
  })

  test('error: more nodes than there are cannot agree', () => {
    expect(() => world([good, good], 3)).toThrow('3 nodes must say the same, and 2 are configured')
  })
})

describe('a receipt that decides money', () => {
  const forged = nodeWith((method, _params, right) =>
    method === 'eth_getTransactionReceipt' ? { ...(right as object), status: '0x0' } : undefined,
  )
  const without = nodeWith((method) => (method === 'eth_getTransactionReceipt' ? null : undefined))
  const onAFork = nodeWith((method, _params, right) => {
    if (method === 'eth_getTransactionReceipt') return null
    return method === 'eth_getBlockByNumber' ? { ...(right as object), hash: id('fork') } : undefined
  })

  test('default: as it was seen', async () => {
    expect(await agreedReceipt(world([good, good], 2).rpc, seen, SENT)).toEqual(seen)
  })

  test('behavior: what one node makes of it is not taken', async () => {
    expect(await agreedReceipt(world([forged, good, good], 2).rpc, { ...seen, succeeded: false }, SENT)).toBe(undefined)
  })

  test.each([
    ['has not indexed it yet', without, 'TOO_FEW_NODES'],
    ['is on a fork', onAFork, 'DISAGREEMENT'],
  ])('error: a node that %s', async (_, other, code) => {
    await expect(agreedReceipt(world([good, other], 2).rpc, seen, SENT)).rejects.toMatchObject({ code })
  })
})

test('behavior: of three nodes one gives slots to others: the clock writes what two of them say', async () => {
  const [chain, log, topics] = [exampleChain(), createMemoryLog(), await clockTopics()]
  const right = chain.node()
  const thief = ownerAddress(666).slice(2)
  const [owner] = [ownerAddress(1).slice(2)]
  const lying = chain.node((method, params) =>
    method === 'eth_call'
      ? right.ask(method, params).then((answer) => String(answer).replace(owner, thief))
      : undefined,
  )
  const odd: number[] = []
  const observer = { disagreed: (node: number) => void odd.push(node) }
  const clock = await runClock(log, topics, [lying, chain.node(), chain.node()], { agreement: 2, observer })
  await clock.reached(12)
  await clock.close()
  expect(odd).toContain(0)
  await expectTicksOfChain(log, topics, chain)
  await expectSlotsAsOfEachBlock(log, topics, chain)
})
