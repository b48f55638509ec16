import { describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { Log } from '../../../../streams/ports.ts'
import { withCommits } from '../flaky-log.ts'
import { exampleChain, MARKET, ownerAddress, release, ScriptedChain } from '../scripted-chain.ts'
import {
  APP_ID,
  clockTopics,
  expectSlotsAsOfEachBlock,
  expectTicksOfChain,
  readTicks,
  readTopic,
  runClock,
} from './clock-harness.ts'

const topics = await clockTopics()

const kinds = async (log: Log): Promise<string[]> =>
  (await readTicks(log, topics)).map(({ kind, blockNumber }) => `${blockNumber} ${kind}`)

describe('following the chain', () => {
  test('default: each block is HEAD, OPEN, CLOSE in order, with the window as of the release block', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
    expect(await kinds(log)).toEqual(
      [0, 1, 2, '2 OPEN', 3, 4, 5, '5 OPEN', 6, '6 CLOSE', 7, 8, 9, '9 CLOSE', 10, 11, 12].map((tick) =>
        typeof tick === 'number' ? `${tick} HEAD` : tick,
      ),
    )
  })

  test('default: rows of slots lie below the offset that the tick of their block names', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { rangeBlocks: 3 })
    await clock.reached(12)
    await clock.close()
    await expectSlotsAsOfEachBlock(log, topics, chain)
    expect((await readTopic(log, topics.slots.name)).length).toBe(3 + 1 + 2)
  })

  test('args: the close of a long window names its newest blocks only', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { acceptedHeadersMax: 2 })
    await clock.reached(12)
    await clock.close()
    const closes = (await readTicks(log, topics)).filter(({ kind }) => kind === 'CLOSE')
    const newest = closes.map(({ blockNumber: n }) => chain.blocks.slice(n - 1, n + 1).map(({ hash }) => hash))
    expect(closes.map(({ acceptedHeaders }) => acceptedHeaders)).toEqual(newest)
  })

  test('args: depth keeps the clock behind the head', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { depth: 2 })
    await clock.reached(10)
    chain.mine()
    await clock.reached(11)
    await clock.close()
    expect((await kinds(log)).at(-1)).toBe('11 HEAD')
  })

  test('args: without a start block the first start begins at the head, a later one goes on from the cursor', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const begun: number[] = []
    const options = { startBlock: undefined, observer: { began: (block: number) => void begun.push(block) } } as object
    const clock = await runClock(log, topics, [chain.node()], options)
    await clock.reached(12)
    await clock.close()
    expect(begun).toEqual([12])
    for (let i = 0; i < 5; i++) chain.mine(i === 1 ? release(3) : {})
    const again = await runClock(log, topics, [chain.node()], options)
    await again.reached(17)
    await again.close()
    expect(begun).toEqual([12])
    await expectTicksOfChain(log, topics, chain, 12)
  })

  test('behavior: a slot that changes too often is suspended, and read from the chain when its time is over', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const options = { slotHistoryBlocks: 20, slotChangesMax: 4, rangeBlocks: 1 }
    const clock = await runClock(log, topics, [chain.node()], options)
    await clock.reached(12)
    for (let i = 0; i < 6; i++) chain.mine({ slots: [{ slotId: 2, owner: ownerAddress(40 + i) }] })
    await clock.reached(18)
    await clock.close()
    const again = await runClock(log, topics, [chain.node()], options)
    for (let i = 0; i < 25; i++) chain.mine()
    await again.reached(43)
    await again.close()
    const rows = (await readTopic(log, topics.slots.name)).map(({ value }) => topics.slots.value.decode(value!))
    const history = rows.filter(({ slotId }) => slotId === 2).flatMap((row) => row.history.slice(-1))
    const suspended = history.findIndex(({ owner }) => owner === '')
    expect(suspended).toBeGreaterThan(0)
    expect(history.slice(suspended + 1)).toEqual([
      { sinceBlock: expect.any(Number), owner: ownerAddress(45), active: true, sinceFork: 0, untilFork: 0 },
    ])
    expect(history[suspended]!.sinceBlock + 20).toBeGreaterThan(history.at(-1)!.sinceBlock)
  })

  test('args: a full reading finds a slot that changed without an event', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { slotsRereadBlocks: 4 })
    await clock.reached(12)
    chain.mine({ silently: [{ slotId: 3, owner: ownerAddress(33) }] })
    for (let i = 0; i < 5; i++) chain.mine()
    await clock.reached(18)
    await clock.close()
    const rows = (await readTopic(log, topics.slots.name)).map(({ value }) => topics.slots.value.decode(value!))
    const found = rows.findLast(({ slotId }) => slotId === 3)!.history.at(-1)!
    expect(found.owner).toBe(ownerAddress(33))
    expect(found.sinceBlock).toBeGreaterThanOrEqual(13)
  })

  test('args: windows in seconds close at the first block whose timestamp lies past them', async () => {
    const [chain, log] = [new ScriptedChain({ window: 7 }), createMemoryLog()]
    chain.mine(release(1))
    for (const seconds of [3, 4, 1, 5]) chain.mine({ seconds })
    const clock = await runClock(log, topics, [chain.node()], {
      markets: [{ dataMarket: MARKET, windowUnit: 'seconds' }],
    })
    await clock.reached(5)
    await clock.close()
    expect((await kinds(log)).filter((tick) => !tick.endsWith('HEAD'))).toEqual(['1 OPEN', '4 CLOSE'])
  })

  test('args: on a chain whose contracts see parent-chain numbers, windows are counted in those, across a restart too', async () => {
    const [chain, log] = [new ScriptedChain({ window: 2, l1BlockNumber: 100 }), createMemoryLog()]
    chain.mine({ ...release(1), l1BlockNumber: 100 })
    for (let i = 0; i < 6; i++) chain.mine({ l1BlockNumber: 101 })
    const options = { contractBlock: 'l1BlockNumber' } as const
    const clock = await runClock(log, topics, [chain.node()], options)
    await clock.reached(7)
    await clock.close()
    chain.mine({ l1BlockNumber: 102 })
    chain.mine({ l1BlockNumber: 103 })
    const again = await runClock(log, topics, [chain.node()], options)
    await again.reached(9)
    await again.close()
    expect((await kinds(log)).filter((tick) => !tick.endsWith('HEAD'))).toEqual(['1 OPEN', '9 CLOSE'])
    // a reader that recomputes the windows has only the log
    const counted = (await readTicks(log, topics)).map(({ contractBlock }) => contractBlock)
    expect(counted.slice(-4)).toEqual([101, 102, 103, 103])
  })

  test('behavior: ticks that are asked for are sent again, and a restart goes on as if they had not been', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine(release(3))
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(13)
    const before = await readTicks(log, topics)
    const appender = await log.appender()
    const value = topics.tickRequests.value.encode({ fromBlock: 5, toBlock: 6, reason: 'GAP' })
    const key = topics.tickRequests.key.encode({ dataMarket: '' })
    await appender.append([{ topic: topics.tickRequests.name, partition: 0, timestamp: 0, key, value }])
    chain.mine()
    await clock.reached(14)
    chain.mine()
    await clock.reached(15)
    await clock.close()
    const again = await runClock(log, topics, [chain.node()])
    for (let i = 0; i < 5; i++) chain.mine()
    await again.reached(20)
    await again.close()
    const ticks = (await readTicks(log, topics)).map((tick) => JSON.stringify(tick))
    const sent = before.filter(({ blockNumber }) => blockNumber === 5 || blockNumber === 6)
    expect(sent.map(({ kind }) => kind)).toEqual(['HEAD', 'OPEN', 'HEAD', 'CLOSE'])
    for (const tick of sent) expect(ticks.filter((other) => other === JSON.stringify(tick)).length).toBe(2)
    // Blocks 14 to 20, and the close of epoch 3, which was open when the ticks were sent again.
    expect(ticks.length).toBe(before.length + sent.length + 7 + 1)
  })
})

describe('reorganizations', () => {
  test('behavior: names the first orphaned block, takes back epochs and slots, and follows the new blocks', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    const orphaned = chain.blocks[7]!
    chain.mine(release(3))
    await clock.reached(13)
    chain.reorg(7)
    for (let i = 0; i < 4; i++) chain.mine(i === 1 ? { slots: [{ slotId: 3, owner: ownerAddress(333) }] } : {})
    for (let i = 0; i < 8; i++) chain.mine(i === 2 ? release(3) : {})
    await clock.reached(18)
    await clock.close()
    const ticks = await readTicks(log, topics)
    const orphan = ticks.find(({ kind }) => kind === 'ORPHAN')!
    expect([orphan.blockNumber, orphan.blockHash]).toEqual([7, orphaned.hash])
    const ofEpochs = (await kinds(log)).filter((tick) => !tick.endsWith('HEAD'))
    // Epoch 2 was closed in block 9: it stays closed, though that block is gone. Epoch 3 opens anew.
    expect(ofEpochs).toEqual(['2 OPEN', '5 OPEN', '6 CLOSE', '9 CLOSE', '13 OPEN', '7 ORPHAN', '13 OPEN'])
    await expectSlotsAsOfEachBlock(log, topics, chain)
  })

  test('behavior: every tick says how many ORPHANs there were, across restarts too', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const reorgsFrom = async (block: number) => {
      const clock = await runClock(log, topics, [chain.node()])
      await clock.reached(block)
      chain.reorg(2)
      for (let i = 0; i < 4; i++)
        chain.mine(i === 0 ? { slots: [{ slotId: 3, owner: ownerAddress(400 + block) }] } : {})
      await clock.reached(block + 2)
      await clock.close()
    }
    await reorgsFrom(12)
    const { name } = topics.epochTicks
    const [committed] = await log.committedOffsets(`${APP_ID}-clock`, [{ topic: name, partition: 0 }])
    expect(JSON.parse(committed!.metadata)).toMatchObject({ forks: 1 })
    await reorgsFrom(14)
    const ticks = await readTicks(log, topics)
    let forks = 0
    for (const tick of ticks) {
      if (tick.kind === 'ORPHAN') forks++
      expect(tick.forks).toBe(forks)
    }
    expect(forks).toBe(2)
    await expectSlotsAsOfEachBlock(log, topics, chain)
  })

  test('behavior: a reorganization while the clock is down is seen at the next start', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    chain.reorg(2)
    for (let i = 0; i < 5; i++) chain.mine(i === 0 ? release(3) : {})
    const again = await runClock(log, topics, [chain.node()])
    await again.reached(15)
    await again.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: rows written for blocks whose ticks were not are taken back when those blocks are gone', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    chain.mine({ slots: [{ slotId: 1, owner: ownerAddress(99) }] })
    const lost = await runClock(losingTicks(log), topics, [chain.node()])
    await lost.failed()
    await lost.close()
    chain.reorg(1)
    chain.mine()
    const again = await runClock(log, topics, [chain.node()])
    await again.reached(13)
    await again.close()
    await expectSlotsAsOfEachBlock(log, topics, chain)
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: a chain that was rolled back and has not grown again is waited for', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    chain.reorg(3)
    const before = (await readTicks(log, topics)).length
    chain.mine()
    chain.mine()
    expect((await readTicks(log, topics)).length).toBe(before)
    chain.mine()
    chain.mine()
    await clock.reached(13)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: the newest block replaced by another is seen before the chain grows', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    chain.reorg(1)
    chain.mine(release(3))
    await clock.wrote('OPEN', 3)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: deeper than the heads at hand, it is followed by those in the log, at a start and while running', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const options = { reorgDepthMax: 4, rangeBlocks: 5 }
    const clock = await runClock(log, topics, [chain.node()], options)
    for (let i = 0; i < 30; i++) chain.mine()
    await clock.reached(42)
    chain.reorg(20)
    for (let i = 0; i < 22; i++) chain.mine(i === 3 ? release(3) : {})
    await clock.reached(44)
    await clock.close()
    chain.reorg(25)
    for (let i = 0; i < 27; i++)
      chain.mine(i === 1 ? { ...release(3), slots: [{ slotId: 1, owner: ownerAddress(5) }] } : {})
    const again = await runClock(log, topics, [chain.node()], options)
    await again.reached(46)
    await again.close()
    const orphans = (await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN')
    expect(orphans.map(({ blockNumber }) => blockNumber)).toEqual([23, 20])
    await expectTicksOfChain(log, topics, chain)
    await expectSlotsAsOfEachBlock(log, topics, chain)
  })

  test('behavior: one that takes every block since the first start begins anew from the same place', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const begun: number[] = []
    const options = { startBlock: undefined, observer: { began: (block: number) => void begun.push(block) } } as object
    const clock = await runClock(log, topics, [chain.node()], options)
    await clock.reached(12)
    chain.mine({ ...release(3), slots: [{ slotId: 1, owner: ownerAddress(44) }] })
    await clock.reached(13)
    for (let times = 0; times < 2; times++) {
      chain.reorg(3)
      for (let i = 0; i < 4; i++) chain.mine(i === 3 ? release(3 + times) : {})
      await clock.reached(chain.head.number)
    }
    await clock.close()
    for (let i = 0; i < 8; i++) chain.mine(i === 1 ? { slots: [{ slotId: 3, owner: ownerAddress(3) }] } : {})
    const again = await runClock(log, topics, [chain.node()], options)
    await again.reached(23)
    await again.close()
    const orphans = (await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN')
    expect(orphans.map(({ blockNumber }) => blockNumber)).toEqual([12, 12])
    expect(begun).toEqual([12])
    await expectTicksOfChain(log, topics, chain, 12)
    await expectSlotsAsOfEachBlock(log, topics, chain)
  })

  test('error: another chain is waited out, and its name is its first block', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const foreign = new ScriptedChain()
    foreign.reorg(1)
    for (let i = 0; i < 20; i++) foreign.mine()
    let serves = chain
    const node = { ask: (method: string, params: readonly unknown[]) => serves.node().ask(method, params), close() {} }
    const clock = await runClock(log, topics, [node])
    await clock.reached(12)
    const before = (await readTicks(log, topics)).length
    serves = foreign
    const error = (await clock.failed()) as Error
    expect(error).toMatchObject({ code: 'FOREIGN_CHAIN' })
    expect(error.message).toContain('None of the blocks 0 to 12')
    expect(error.message).toContain(
      `its block 0 is ${foreign.blocks[0]!.hash}, that of the log ${chain.blocks[0]!.hash}`,
    )
    expect((await readTicks(log, topics)).length).toBe(before)
    serves = chain
    chain.mine(release(3))
    await clock.reached(13)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: of two nodes the one of another chain costs nothing', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    const foreign = new ScriptedChain()
    foreign.reorg(1)
    for (let i = 0; i < 20; i++) foreign.mine()
    chain.mine(release(3))
    const again = await runClock(log, topics, [foreign.node(), chain.node()])
    await again.reached(13)
    await again.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('error: an epoch that was closed is not begun anew: the clock waits', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { startBlock: 2 })
    await clock.reached(12)
    chain.reorg(12)
    for (let i = 0; i < 20; i++) chain.mine()
    expect(await clock.failed()).toMatchObject({ code: 'FOREIGN_CHAIN', message: expect.stringContaining('deeper') })
    await clock.close()
  })
})

/** A log whose commits of ticks are refused. */
function losingTicks(log: Log): Log {
  return withCommits(log, (burst, commit) => (burst.offsets ? { outcome: 'aborted' } : commit()))
}
