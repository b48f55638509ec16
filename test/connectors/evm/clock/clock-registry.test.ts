/** ProtocolState names another registry of slots, on a scripted chain: who holds a slot is what the new one says. */
import { describe, expect, test } from 'vitest'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { Log } from '../../../../streams/ports.ts'
import { exampleChain, NODES, OTHER_NODES, ownerAddress, PROTOCOL_STATE, release, rpcError } from '../scripted-chain.ts'
import { clockTopics, expectSlotsAsOfEachBlock, expectTicksOfChain, readTopic, runClock } from './clock-harness.ts'

const topics = await clockTopics()

/** Of the other registry: slot 1 has another owner, slot 2 the same, slot 3 is not there, slot 4 is new. */
const moved = {
  registry: {
    address: OTHER_NODES,
    owners: new Map([
      [1, ownerAddress(71)],
      [2, ownerAddress(2)],
      [4, ownerAddress(74)],
    ]),
  },
}

const newest = async (log: Log): Promise<ReadonlyMap<number, { sinceBlock: number; owner: string }[]>> =>
  new Map(
    (await readTopic(log, topics.slots.name)).map(({ value }) => {
      const { slotId, history } = topics.slots.value.decode(value!)
      return [slotId, history.map(({ sinceBlock, owner }) => ({ sinceBlock, owner }))]
    }),
  )

describe('another registry of slots', () => {
  test('behavior: from its block on all slots are those of the new one, and their past is kept', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const seen: [string, number][] = []
    const registryChanged = (address: string, block: number) => void seen.push([address, block])
    for (let i = 0; i < 4; i++) chain.mine()
    chain.mine(moved)
    chain.mine({ slots: [{ slotId: 4, owner: ownerAddress(75) }] })
    for (let i = 0; i < 4; i++) chain.mine(i === 0 ? release(3) : {})
    const clock = await runClock(log, topics, [chain.node()], { observer: { registryChanged } })
    await clock.reached(22)
    await clock.close()
    expect(seen).toEqual([[OTHER_NODES, 17]])
    await expectTicksOfChain(log, topics, chain)
    await expectSlotsAsOfEachBlock(log, topics, chain)
    const rows = await newest(log)
    expect(rows.get(1)!.at(-1)).toEqual({ sinceBlock: 17, owner: ownerAddress(71) })
    expect(rows.get(1)!.length).toBe(3)
    expect(rows.get(2)!.at(-1)!.sinceBlock).toBe(8)
    expect(rows.get(4)!.map(({ sinceBlock }) => sinceBlock)).toEqual([17, 18])
  })

  test('behavior: a slot that the new one does not have is nobody’s', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine({ slots: [{ slotId: 9, owner: ownerAddress(9) }] })
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(13)
    chain.mine(moved)
    await clock.reached(14)
    await clock.close()
    expect((await newest(log)).get(9)!.at(-1)).toEqual({ sinceBlock: 14, owner: `0x${'0'.repeat(40)}` })
  })

  test('behavior: changed while the clock was away, or in the first step of all', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    for (let i = 0; i < 3; i++) chain.mine()
    chain.mine(moved)
    chain.mine()
    for (const begun of [log, createMemoryLog()]) {
      const again = await runClock(begun, topics, [chain.node()])
      await again.reached(17)
      await again.close()
      await expectSlotsAsOfEachBlock(begun, topics, chain)
    }
  })

  test('behavior: taken back by a reorganization, and changed anew', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    chain.mine()
    chain.mine(moved)
    chain.mine()
    await clock.reached(15)
    chain.reorg(3)
    for (let i = 0; i < 5; i++) chain.mine()
    await clock.reached(17)
    expect(chain.head.nodesNow).toBe(NODES)
    await expectSlotsAsOfEachBlock(log, topics, chain)
    chain.mine(moved)
    await clock.reached(18)
    await clock.close()
    await expectSlotsAsOfEachBlock(log, topics, chain)
  })

  test('behavior: with nodes that have dropped older states all slots are read as of the newest one', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    chain.mine(moved)
    chain.mine()
    const pruned = chain.node((method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError('missing trie node 12ab (path )')
    })
    const again = await runClock(log, topics, [pruned])
    await again.reached(14)
    await again.close()
    expect((await newest(log)).get(1)!.at(-1)!.owner).toBe(ownerAddress(71))
  })

  test('error: where no registry is: it says what was asked of which address, and goes on once another one is named', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const nothing = `0x${'b3'.repeat(20)}`
    const right = chain.node()
    const count = protocolStateInterface.getFunction('getTotalNodeCount')!.selector
    const node = chain.node(async (method, params) => {
      if (method !== 'eth_call') return right.ask(method, params)
      const [{ data }, at] = params as [{ data: string }, unknown]
      if (!data.startsWith(count)) return right.ask(method, params)
      const block = chain.blocks.find(({ hash }) => hash === (at as { blockHash?: string }).blockHash) ?? chain.head
      if (block.nodesNow === nothing) throw rpcError('execution reverted')
      return right.ask(method, params)
    })
    const clock = await runClock(log, topics, [node])
    await clock.reached(12)
    chain.mine({ registry: { address: nothing, owners: new Map() } })
    chain.mine(release(3))
    const failure = (await clock.failed()) as Error
    expect(failure).toMatchObject({ code: 'NO_REGISTRY', retriable: true })
    for (const words of [nothing, PROTOCOL_STATE, 'getTotalNodeCount', 'updateSnapshotterState'])
      expect(failure.message).toContain(words)
    chain.mine(moved)
    await clock.reached(15)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
    const rows = await newest(log)
    expect(rows.get(1)!.slice(-2)).toEqual([
      { sinceBlock: 13, owner: `0x${'0'.repeat(40)}` },
      { sinceBlock: 15, owner: ownerAddress(71) },
    ])
  })
})
