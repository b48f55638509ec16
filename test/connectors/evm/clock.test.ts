import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory.ts'
import { type CommitOutcome, type Log, LogError } from '../../../streams/ports.ts'
import {
  APP_ID,
  canonical,
  clockTopics,
  expectSlotsAsOfEachBlock,
  expectTicksOfChain,
  readTicks,
  readTopic,
  runClock,
} from './clock-harness.ts'
import { MARKET, OTHER_MARKET, ownerAddress, rpcError, ScriptedChain } from './scripted-chain.ts'

const topics = await clockTopics()
const release = (epochId: number, dataMarket = MARKET) => ({ releases: [{ dataMarket, epochId }] })

/** Blocks 0 to 12: epochs 1 (block 2), 2 (block 5) and one of a market that is not ours; slots in blocks 0, 4 and 8. */
function exampleChain(): ScriptedChain {
  const chain = new ScriptedChain({
    slots: [
      { slotId: 1, owner: ownerAddress(1) },
      { slotId: 3, owner: ownerAddress(3) },
    ],
  })
  chain.mine()
  chain.mine(release(1))
  chain.mine(release(77, OTHER_MARKET))
  chain.mine({ slots: [{ slotId: 1, owner: ownerAddress(11) }] })
  chain.mine(release(2))
  chain.mine({ window: 5 })
  chain.mine()
  chain.mine({ slots: [{ slotId: 3 }, { slotId: 2, owner: ownerAddress(2) }] })
  for (let i = 0; i < 4; i++) chain.mine()
  return chain
}

/** Numbers below 2^15 from a seed (the generator of the C standard). */
function pseudoRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 16) & 0x7fff
  }
}

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
    const options = { startBlock: undefined } as object
    const clock = await runClock(log, topics, [chain.node()], options)
    await clock.reached(12)
    await clock.close()
    for (let i = 0; i < 5; i++) chain.mine(i === 1 ? release(3) : {})
    const again = await runClock(log, topics, [chain.node()], options)
    await again.reached(17)
    await again.close()
    await expectTicksOfChain(log, topics, chain, 12)
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

  test('error: a chain without any block of the log ends the role with what to check', async () => {
    const log = createMemoryLog()
    const clock = await runClock(log, topics, [exampleChain().node()])
    await clock.reached(12)
    await clock.close()
    const foreign = new ScriptedChain()
    foreign.reorg(1)
    for (let i = 0; i < 20; i++) foreign.mine()
    const again = await runClock(log, topics, [foreign.node()])
    const error = await again.stopped
    expect(error).toMatchObject({ code: 'FOREIGN_CHAIN' })
    expect(error!.message).toContain('None of the blocks 0 to 12')
  })
})

/** A log whose commits of ticks are refused. */
function losingTicks(log: Log): Log {
  return withCommits(log, (burst, commit) => (burst.offsets ? { outcome: 'aborted' } : commit()))
}

type Commit = (
  burst: Parameters<Awaited<ReturnType<Log['transactionalWriter']>>['commit']>[0],
  commit: () => Promise<CommitOutcome>,
) => CommitOutcome | Promise<CommitOutcome>

function withCommits(log: Log, around: Commit, access = { open: true }): Log {
  return Object.assign(Object.create(log) as Log, {
    transactionalWriter: async (id: string) => {
      if (!access.open) throw new LogError('CLOSED', 'this process was killed')
      const writer = await log.transactionalWriter(id)
      return {
        commit: (burst: Parameters<Commit>[0]) => around(burst, () => writer.commit(burst)),
        close: () => writer.close(),
      }
    },
  })
}

describe('bad nodes', () => {
  test('error: another chain id is refused at the start, whichever URL serves it', async () => {
    const chain = exampleChain()
    const wrong = chain.node((method) => (method === 'eth_chainId' ? '0x1' : undefined))
    await expect(runClock(createMemoryLog(), topics, [chain.node(), wrong])).rejects.toMatchObject({
      code: 'WRONG_CHAIN',
      message: expect.stringContaining(
        'RPC endpoint 2 serves chain 1, but this sequencer is configured for chain 11169',
      ),
    })
  })

  test('behavior: a node that is down at the start is waited for', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let down = true
    const node = chain.node(() => {
      if (down) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    })
    const clock = await runClock(log, topics, [node])
    expect(await clock.failed()).toMatchObject({ code: 'UNREACHABLE' })
    down = false
    await clock.reached(12)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: a hanging node is left for the next one', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const hanging = chain.node(() => new Promise(() => undefined))
    const outcomes: string[] = []
    const clock = await runClock(log, topics, [hanging, chain.node()], {
      timeoutMs: 20,
      observer: { answered: (endpoint, _method, outcome) => void outcomes.push(`${endpoint} ${outcome}`) },
    })
    await clock.reached(12)
    await clock.close()
    expect(outcomes.filter((outcome) => outcome === '0 failed').length).toBeGreaterThan(0)
    expect(outcomes).toContain('1 ok')
    await expectTicksOfChain(log, topics, chain)
  })

  test.each([
    ['a block that is null below the head', 'eth_getBlockByNumber', null],
    ['a block that is another one', 'eth_getBlockByNumber', { number: '0x1', hash: '0x12' }],
    ['an error in place of logs', 'eth_getLogs', rpcError('query returned more than 10000 results')],
    ['null in place of logs', 'eth_getLogs', null],
    ['no contract', 'eth_call', '0x'],
    ['a window that is no number', 'eth_call', `0x${'ff'.repeat(32)}`],
  ])('error: %s is asked for again', async (_name, method, answer) => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let bad = 0
    let asked = 0
    const node = chain.node((called) => {
      if (called !== method || ++asked % 3 !== 0 || ++bad > 20) return undefined
      if (answer instanceof Error) throw answer
      return answer
    })
    const clock = await runClock(log, topics, [node], { rangeBlocks: 2 })
    await clock.reached(12)
    await clock.close()
    expect(bad).toBeGreaterThan(0)
    await expectTicksOfChain(log, topics, chain)
  })

  test.each([
    [
      'a log of another fork',
      'eth_getLogs',
      (answer: object[]) => answer.map((log) => ({ ...log, blockHash: `0x${'12'.repeat(32)}` })),
    ],
    ['a removed log', 'eth_getLogs', (answer: object[]) => answer.map((log) => ({ ...log, removed: true }))],
    [
      'a block that does not follow its parent',
      'eth_getBlockByNumber',
      (answer: object) => ({ ...answer, parentHash: `0x${'12'.repeat(32)}` }),
    ],
  ] as const)('error: %s is not taken', async (_name, method, change) => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const right = chain.node()
    let asked = 0
    const node = chain.node((called, params) => {
      if (called !== method || ++asked > 12) return undefined
      return asked % 3 === 0 ? right.ask(called, params).then((answer) => change(answer as never)) : undefined
    })
    const failures: unknown[] = []
    const options = { rangeBlocks: 5, observer: { failed: (error: unknown) => void failures.push(error) } }
    const clock = await runClock(log, topics, [node], options)
    await clock.reached(12)
    await clock.close()
    expect(failures).toContainEqual(expect.objectContaining({ code: 'INCONSISTENT' }))
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: a stray answer of another fork, with the next node behind, is no reorganization', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const right = chain.node()
    let stray: 'no' | 'next' | 'walk' = 'no'
    const node = chain.node((method, params) => {
      if (method !== 'eth_getBlockByNumber') return undefined
      if (stray === 'next' && Number(params[0]) === 13) {
        stray = 'walk'
        return right
          .ask(method, params)
          .then((answer) => ({ ...(answer as object), parentHash: `0x${'12'.repeat(32)}` }))
      }
      if (stray !== 'walk' || Number(params[0]) !== 12) return undefined
      stray = 'no'
      return null
    })
    const clock = await runClock(log, topics, [node])
    await clock.reached(12)
    stray = 'next'
    chain.mine()
    await clock.reached(13)
    await clock.close()
    expect(stray).toBe('no')
    expect((await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN')).toEqual([])
  })

  test('error: no logs where the bloom filter says there may be some are asked for again', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const asked = new Map<string, number>()
    const forgetful = chain.node((method, params) => {
      if (method !== 'eth_getLogs') return undefined
      const { blockHash } = params[0] as { blockHash: string }
      asked.set(blockHash, (asked.get(blockHash) ?? 0) + 1)
      return asked.get(blockHash) === 1 ? [] : undefined
    })
    const clock = await runClock(log, topics, [forgetful])
    await clock.reached(12)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
    expect(asked.get(chain.blocks[1]!.hash)).toBe(1)
  })

  test('behavior: a node behind a load balancer that is now here, now there, costs no block and no orphan', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const dice = pseudoRandom(7)
    const node = chain.node(undefined, () => Math.max(0, (dice() % 24) - 20))
    const clock = await runClock(log, topics, [node], { rangeBlocks: 4 })
    for (let i = 0; i < 20; i++) {
      chain.mine(i % 4 === 0 ? release(3 + i) : {})
      await clock.reached(chain.head.number)
    }
    await clock.close()
    expect((await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN')).toEqual([])
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: a node that is behind what is known is no failure', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    const failures: unknown[] = []
    let behind = 4
    const options = { observer: { failed: (error: unknown) => void failures.push(error) } }
    const again = await runClock(log, topics, [chain.node(undefined, () => behind)], options)
    await again.reached(12)
    behind = 0
    chain.mine()
    await again.reached(13)
    await again.close()
    expect(failures).toEqual([])
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: when one node stands still, the next one is preferred', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let stuckAt = Number.POSITIVE_INFINITY
    const stuck = chain.node(undefined, () => Math.max(0, chain.head.number - stuckAt))
    const clock = await runClock(log, topics, [stuck, chain.node()], { stallMs: 20 })
    await clock.reached(12)
    stuckAt = 12
    chain.mine()
    await clock.reached(13)
    await clock.close()
  })

  test('behavior: state that every node has dropped is read as of the newest block, and said', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const pruned = chain.node((method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError('missing trie node 12ab (path )')
    })
    const missing: number[] = []
    const clock = await runClock(log, topics, [pruned], {
      observer: { stateMissing: (block) => void missing.push(block) },
    })
    await clock.reached(12)
    await clock.close()
    expect(missing).toContain(0)
    expect((await readTicks(log, topics)).find(({ kind }) => kind === 'OPEN')!.submissionWindow).toBe(5)
  })
})

describe('crashes', () => {
  test('error: a newer clock takes over and the older one ends, saying so', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const older = await runClock(log, topics, [chain.node()])
    await older.reached(12)
    const newer = await runClock(log, topics, [chain.node()])
    await newer.reached(12)
    chain.mine(release(3))
    await newer.reached(13)
    expect(await older.stopped).toMatchObject({
      code: 'FENCED',
      message: expect.stringContaining('another test-clock'),
    })
    await newer.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test.each(['before', 'after'] as const)(
    'error: a lost answer is settled by reading the log (lost %s it was applied)',
    async (when) => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      const dice = pseudoRandom(3)
      const flaky = withCommits(log, async (_burst, commit) => {
        if (dice() % 3 !== 0) return commit()
        if (when === 'after') await commit()
        return { outcome: 'unknown' }
      })
      const clock = await runClock(flaky, topics, [chain.node()], { rangeBlocks: 1 })
      await clock.reached(12)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
      await expectSlotsAsOfEachBlock(log, topics, chain)
    },
  )

  test('behavior: a cursor that was deleted is found again from the ticks', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { reorgDepthMax: 3 })
    await clock.reached(12)
    await clock.close()
    const writer = await log.transactionalWriter('operator')
    const reset = { topic: topics.epochTicks.name, partition: 0, next: 0, metadata: '' }
    await writer.commit({ records: [], offsets: { group: `${APP_ID}-clock`, commits: [reset] } })
    for (let i = 0; i < 9; i++) chain.mine(i === 4 ? release(3) : {})
    const again = await runClock(log, topics, [chain.node()], { reorgDepthMax: 3 })
    await again.reached(21)
    await again.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: the cursor stays small and reading begins at the oldest tick still needed', async () => {
    const [chain, log] = [new ScriptedChain({ window: 20 }), createMemoryLog()]
    for (let i = 1; i < 300; i++) chain.mine(i % 10 === 0 ? release(i) : {})
    const clock = await runClock(log, topics, [chain.node()], { reorgDepthMax: 8 })
    await clock.reached(299)
    await clock.close()
    const at = { topic: topics.epochTicks.name, partition: 0 }
    const [committed] = await log.committedOffsets(`${APP_ID}-clock`, [at])
    const ticks = await readTicks(log, topics)
    expect(committed!.metadata.length).toBeLessThan(400)
    expect(ticks[committed!.next]!.kind).toBe('HEAD')
    expect(ticks.length - committed!.next).toBeLessThan(120)
  })
})

test('behavior: whatever the chain, the nodes and the log do, the ticks are those of the chain and the slots their owners', async () => {
  const content = fc.record({
    release: fc.boolean(),
    slot: fc.option(fc.integer({ min: 1, max: 4 })),
    burn: fc.boolean(),
  })
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('mine' as const), content, reached: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('reorg' as const), depth: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const) }) },
  )
  const faults = fc.infiniteStream(fc.integer({ min: 0, max: 30 }))
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      faults,
      fc.integer({ min: 1, max: 5 }),
      async (steps, fault, rangeBlocks) => {
        const next = () => fault.next().value as number
        const chain = new ScriptedChain({ slots: [{ slotId: 2, owner: ownerAddress(2) }] })
        const log = createMemoryLog()
        const node = chain.node(
          (method) => {
            const dice = method === 'eth_chainId' ? 30 : next()
            if (dice === 0) throw rpcError('internal error')
            return dice === 1 && method === 'eth_getBlockByNumber' ? null : undefined
          },
          () => (next() < 3 ? 1 : 0),
        )
        // Each clock has its own access to the log, which ends with it: a killed one must not reopen the role.
        const start = async () => {
          const access = { open: true }
          const flaky = withCommits(
            log,
            async (_burst, commit) => {
              const dice = access.open ? next() : 0
              if (!access.open) return { outcome: 'fenced' }
              if (dice === 1) return { outcome: 'aborted' }
              if (dice === 2) return { outcome: 'unknown' }
              if (dice === 3) await commit()
              return dice === 3 ? { outcome: 'unknown' } : commit()
            },
            access,
          )
          const clock = await runClock(flaky, topics, [node, node], { rangeBlocks, backoffMsMax: 1 })
          return {
            ...clock,
            kill: () => {
              access.open = false
            },
          }
        }
        let clock = await start()
        await clock.reached(0)
        let epochId = 0
        let highest = 0
        for (const [i, move] of steps.entries()) {
          if (move.kind === 'kill') {
            clock.kill()
            clock = await start()
          }
          if (move.kind === 'reorg') {
            chain.reorg(Math.min(move.depth, chain.blocks.length - 1))
            epochId = Math.max(
              0,
              ...chain.blocks.flatMap(({ releases = [] }) => releases.map((released) => released.epochId)),
            )
          }
          if (move.kind !== 'mine') continue
          const { slot, burn } = move.content
          chain.mine({
            ...(move.content.release && release(++epochId)),
            ...(slot !== null && {
              slots: [burn ? { slotId: slot } : { slotId: slot, owner: ownerAddress(1_000 + i) }],
            }),
          })
          // A chain that a reorganization made shorter is only known to be another one when it has grown again.
          if (move.reached && chain.head.number > highest) await clock.reached(chain.head.number)
          highest = Math.max(highest, chain.head.number)
        }
        for (let i = 0; i < 30; i++) chain.mine()
        await clock.reached(chain.head.number)
        await clock.close()
        expectEachOpenClosedOnce(await readTicks(log, topics))
        await expectSlotsAsOfEachBlock(log, topics, chain)
      },
    ),
    { numRuns: 60 },
  )
})

/** Past all windows: every canonical OPEN has had one CLOSE, before or after a reorganization took the closing block. */
function expectEachOpenClosedOnce(ticks: Parameters<typeof canonical>[0]): void {
  const opens = canonical(ticks).filter(({ kind }) => kind === 'OPEN')
  for (const open of opens) {
    const from = ticks.findLastIndex(
      ({ kind, blockHash, epochId }) => kind === 'OPEN' && blockHash === open.blockHash && epochId === open.epochId,
    )
    const closes = ticks
      .slice(from)
      .filter(
        ({ kind, epochId, releaseBlock }) =>
          kind === 'CLOSE' && epochId === open.epochId && releaseBlock === open.blockNumber,
      )
    expect(closes.length).toBe(1)
    expect(closes[0]!.acceptedHeaders[0]).toBe(open.blockHash)
  }
}
