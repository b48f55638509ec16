/** Nodes that leave out logs, on a scripted chain: no epoch and no owner may be missed for that. */
import { describe, expect, test } from 'vitest'
import type { ReleaseGap } from '../../../../connectors/evm/clock/release-check.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { Log } from '../../../../streams/ports.ts'
import {
  exampleChain,
  type Fault,
  MARKET,
  OTHER_MARKET,
  ownerAddress,
  release,
  rpcError,
  ScriptedChain,
} from '../scripted-chain.ts'
import {
  clockTopics,
  expectSlotsAsOfEachBlock,
  expectTicksOfChain,
  readTicks,
  readTopic,
  runClock,
} from './clock-harness.ts'

const topics = await clockTopics()
const NO_BLOOM = `0x${'00'.repeat(256)}`

/** Headers without a filter, as on chains that leave it zero. */
const withoutBloom = (answer: unknown): unknown => ({ ...(answer as object), logsBloom: NO_BLOOM })

const ofEpochs = async (log: Log): Promise<string[]> =>
  (await readTicks(log, topics))
    .filter(({ kind }) => kind === 'OPEN' || kind === 'CLOSE')
    .map(({ kind, blockNumber, epochId }) => `${blockNumber} ${kind} ${epochId}`)

/** A node of the chain that gives no logs of a block before the head is so many blocks above it. */
function lateLogs(chain: ScriptedChain, blocks: number): Fault {
  return (method, params) => {
    if (method !== 'eth_getLogs') return undefined
    const { blockHash } = params[0] as { blockHash: string }
    const number = chain.blocks.findIndex(({ hash }) => hash === blockHash)
    return number > 0 && chain.head.number < number + blocks ? [] : undefined
  }
}

describe('logs that are not there', () => {
  test('behavior: logs that come blocks after their header cost no epoch, and are said to be missing meanwhile', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const gaps: (ReleaseGap | undefined)[] = []
    const options = { observer: { releasesMissing: (gap: ReleaseGap | undefined) => void gaps.push(gap) } }
    const clock = await runClock(log, topics, [chain.node(lateLogs(chain, 3))], options)
    await clock.reached(12)
    chain.mine(release(3))
    expect(await clock.failed()).toMatchObject({
      code: 'LOGS_INCOMPLETE',
      gap: { fromEpoch: 3, toEpoch: 3, block: 13 },
    })
    for (let i = 0; i < 8; i++) chain.mine()
    await clock.reached(21)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
    expect(gaps).toContainEqual({ dataMarket: MARKET, fromEpoch: 3, toEpoch: 3, block: 13 })
    expect(gaps.at(-1)).toBeUndefined()
  })

  test('behavior: nothing is written past a release without a log, however long it takes, a restart included', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let silent = false
    const node = chain.node((method) => (silent && method === 'eth_getLogs' ? [] : undefined))
    const clock = await runClock(log, topics, [node])
    await clock.reached(12)
    silent = true
    for (let epoch = 61; epoch <= 63; epoch++) chain.mine(release(epoch))
    for (let i = 0; i < 9; i++) chain.mine()
    for (let i = 0; i < 4; i++) expect(await clock.failed()).toMatchObject({ code: 'LOGS_INCOMPLETE' })
    await clock.close()
    const again = await runClock(log, topics, [node])
    expect(await again.failed()).toMatchObject({ code: 'LOGS_INCOMPLETE', gap: { fromEpoch: 3, toEpoch: 63 } })
    expect((await readTicks(log, topics)).at(-1)!.blockNumber).toBe(12)
    silent = false
    await again.reached(24)
    await again.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: one node of two that never has logs costs nothing but the asking', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const empty = chain.node((method, params) => {
      if (method === 'eth_getLogs') return []
      return method === 'eth_getBlockByNumber' ? chain.node().ask(method, params).then(withoutBloom) : undefined
    })
    const clock = await runClock(log, topics, [empty, chain.node()], { rangeBlocks: 2 })
    for (let i = 0; i < 8; i++) chain.mine(i % 3 === 0 ? release(3 + i / 3) : {})
    await clock.reached(20)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: some releases of a block are told, others are not', async () => {
    const [chain, log] = [new ScriptedChain(), createMemoryLog()]
    const releases = [1, 2, 3].map((epochId) => ({ dataMarket: MARKET, epochId }))
    chain.mine({ releases })
    chain.mine(release(4))
    let asked = 0
    const node = chain.node((method, params) => {
      if (method !== 'eth_getLogs' || ++asked > 12) return undefined
      return chain
        .node()
        .ask(method, params)
        .then((logs) => (logs as unknown[]).filter((_, i) => i !== 1))
    })
    const clock = await runClock(log, topics, [node])
    expect(await clock.failed()).toMatchObject({ gap: { fromEpoch: 2, toEpoch: 2 } })
    await clock.reached(2)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: an epoch that is released once more before its first log is there opens with its first release', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const late = lateLogs(chain, 6)
    const isOf = (number: number, [asked]: readonly unknown[]): boolean =>
      chain.blocks[number]?.hash === (asked as { readonly blockHash?: string } | undefined)?.blockHash
    const node = chain.node((method, params) => (isOf(13, params) ? late(method, params) : undefined))
    const clock = await runClock(log, topics, [node])
    await clock.reached(12)
    for (const _ of ['first', 'once more']) chain.mine(release(3))
    expect(await clock.failed()).toMatchObject({
      code: 'LOGS_INCOMPLETE',
      gap: { fromEpoch: 3, toEpoch: 3, block: 13 },
    })
    for (let i = 0; i < 6; i++) chain.mine()
    await clock.reached(20)
    await clock.close()
    expect((await ofEpochs(log)).filter((text) => text.endsWith(' 3'))).toEqual(['13 OPEN 3', '19 CLOSE 3'])
  })

  test('error: logs that tell more than the contract counts are not taken', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let lies = 3
    const node = chain.node((method, params) => {
      const { blockHash } = (params[0] ?? {}) as { blockHash?: string }
      if (method !== 'eth_getLogs' || blockHash !== chain.blocks[12]!.hash || lies-- <= 0) return undefined
      const forged = new ScriptedChain()
      const other = forged.mine(release(9))
      return forged
        .node()
        .ask('eth_getLogs', [{ blockHash: other.hash }])
        .then((logs) => (logs as object[]).map((one) => ({ ...one, blockHash, blockNumber: '0xc' })))
    })
    const clock = await runClock(log, topics, [node])
    expect(await clock.failed()).toMatchObject({ code: 'INCONSISTENT', message: expect.stringContaining('epoch 9') })
    await clock.reached(12)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: with nodes that have dropped older states, releases are held against the newest one', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let asked = 0
    const pruned = chain.node((method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError('missing trie node 12ab (path )')
      return method === 'eth_getLogs' && ++asked < 60 ? [] : undefined
    })
    const clock = await runClock(log, topics, [pruned], { rangeBlocks: 3 })
    expect(await clock.failed()).toMatchObject({ code: 'LOGS_INCOMPLETE', gap: { fromEpoch: 1, toEpoch: 1, block: 2 } })
    await clock.reached(12)
    await clock.close()
    expect((await ofEpochs(log)).filter((tick) => tick.includes('OPEN'))).toEqual(['2 OPEN 1', '5 OPEN 2'])
  })
})

describe('no false alarm', () => {
  const failuresOf = async (run: (options: object) => Promise<void>): Promise<unknown[]> => {
    const failures: unknown[] = []
    await run({ observer: { failed: (error: unknown) => void failures.push(error) } })
    return failures
  }

  test('behavior: a first start in the midst of a market’s epochs', async () => {
    const [chain, log] = [new ScriptedChain(), createMemoryLog()]
    for (let epoch = 500; epoch < 505; epoch++) chain.mine(release(epoch))
    const failures = await failuresOf(async (options) => {
      const clock = await runClock(log, topics, [chain.node()], { startBlock: 3, ...options })
      await clock.reached(5)
      await clock.close()
    })
    expect([failures, await ofEpochs(log)]).toEqual([[], ['3 OPEN 502', '4 OPEN 503', '5 OPEN 504']])
  })

  test('behavior: a configured market that the contract does not know yet, and its first epoch, of any number', async () => {
    const [chain, log] = [new ScriptedChain(), createMemoryLog()]
    const unknown = chain.node((method, params) => {
      const { data = '' } = (params[0] ?? {}) as { data?: string }
      const isOfIt = method === 'eth_call' && data.includes(OTHER_MARKET.slice(2)) && chain.head.number < 3
      if (isOfIt) throw rpcError('execution reverted')
    })
    const markets = [{ dataMarket: OTHER_MARKET, windowUnit: 'blocks' }] as const
    chain.mine()
    const failures = await failuresOf(async (options) => {
      const clock = await runClock(log, topics, [unknown], { markets, ...options })
      await clock.reached(1)
      chain.mine()
      chain.mine(release(268_435_456, OTHER_MARKET))
      await clock.reached(3)
      await clock.close()
    })
    expect([failures, await ofEpochs(log)]).toEqual([[], ['3 OPEN 268435456']])
  })

  test('behavior: epochs that the owner skipped are told with the release behind them, a repeated one opens nothing', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const skipped: string[] = []
    const failures = await failuresOf(async ({ observer }: { observer?: object }) => {
      const epochsSkipped = (_: string, from: number, to: number) => void skipped.push(`${from}-${to}`)
      const clock = await runClock(log, topics, [chain.node()], { observer: { ...observer, epochsSkipped } })
      await clock.reached(12)
      chain.mine(release(6)) // forceSkipEpoch: 3 to 5 are never released
      chain.mine(release(6)) // forceSkipEpoch to the end it is at: the same id once more
      chain.mine(release(7))
      for (let i = 0; i < 9; i++) chain.mine()
      chain.mine(release(7))
      chain.mine(release(5_000))
      await clock.reached(26)
      await clock.close()
    })
    expect(failures).toEqual([])
    expect((await ofEpochs(log)).slice(4)).toEqual([
      '13 OPEN 6',
      '15 OPEN 7',
      '19 CLOSE 6',
      '21 CLOSE 7',
      '26 OPEN 5000',
    ])
    const opens = (await readTicks(log, topics)).filter(({ kind }) => kind === 'OPEN')
    expect(opens.map(({ skippedFrom }) => skippedFrom)).toEqual([0, 0, 3, 0, 8])
    expect(skipped).toEqual(['3-5', '8-4999'])
  })

  test('behavior: among skipped epochs one that was released is missed', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let hidden = true
    const node = chain.node((method, params) => {
      const { blockHash } = (params[0] ?? {}) as { blockHash?: string }
      return hidden && method === 'eth_getLogs' && blockHash === chain.blocks[13]?.hash ? [] : undefined
    })
    const clock = await runClock(log, topics, [node], { depth: 2 })
    await clock.reached(10)
    for (const epochId of [3_000, 9_000]) chain.mine(release(epochId))
    chain.mine()
    chain.mine()
    expect(await clock.failed()).toMatchObject({ gap: { fromEpoch: 3, toEpoch: 3_000 } })
    hidden = false
    await clock.reached(14)
    await clock.close()
    expect((await ofEpochs(log)).slice(-2)).toEqual(['13 OPEN 3000', '14 OPEN 9000'])
  })
})

describe('the second look', () => {
  const ownersOf = async (log: Log, slotId: number) =>
    (await readTopic(log, topics.slots.name))
      .map(({ value }) => topics.slots.value.decode(value!))
      .findLast((row) => row.slotId === slotId)!.history

  test('behavior: a change of a slot whose log came late holds from the second look on, on a chain without filters too', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const late = lateLogs(chain, 2)
    const node = chain.node((method, params) =>
      method === 'eth_getBlockByNumber'
        ? chain
            .node()
            .ask(method, params)
            .then((answer) => answer && withoutBloom(answer))
        : late(method, params),
    )
    const found: number[][] = []
    const foundLate = (...numbers: number[]) => void found.push(numbers)
    const options = { secondLookBlocks: 4, observer: { foundLate } }
    const clock = await runClock(log, topics, [node], options)
    await clock.reached(12)
    chain.mine({ slots: [{ slotId: 2, owner: ownerAddress(22) }] })
    await clock.reached(13)
    for (let block = 14; block <= 20; block++) {
      chain.mine(block === 15 ? { slots: [{ slotId: 2, owner: ownerAddress(23) }] } : {})
      await clock.reached(block)
    }
    await clock.close()
    expect((await ownersOf(log, 2)).slice(-2)).toEqual([
      { sinceBlock: 8, owner: ownerAddress(2), active: true, sinceFork: 0, untilFork: 0 },
      { sinceBlock: 17, owner: ownerAddress(23), active: true, sinceFork: 0, untilFork: 0 },
    ])
    expect(found).toContainEqual([13, 0, 1])
  })

  test('args: with 0 no block is looked at twice; by default each is asked for once more, unless its filter excludes logs', async () => {
    for (const [secondLookBlocks, times] of [
      [0, 1],
      [2, 2],
    ] as const) {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      const asked = new Map<string, number>()
      const node = chain.node((method, params) => {
        const { blockHash = '' } = (params[0] ?? {}) as { blockHash?: string }
        if (method === 'eth_getLogs') asked.set(blockHash, (asked.get(blockHash) ?? 0) + 1)
        return undefined
      })
      const clock = await runClock(log, topics, [node], { secondLookBlocks, rangeBlocks: 1 })
      await clock.reached(12)
      await clock.close()
      expect(asked.get(chain.blocks[8]!.hash)).toBe(times)
    }
  })

  test('behavior: where neither state nor block numbers tell, a release found late opens its epoch late', async () => {
    const same = { l1BlockNumber: 100, seconds: 0 }
    const [chain, log] = [new ScriptedChain({ window: 2, ...same }), createMemoryLog()]
    let isLate = true
    const node = chain.node((method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError('missing trie node 12ab (path )')
      const { blockHash } = (params[0] ?? {}) as { blockHash?: string }
      return isLate && method === 'eth_getLogs' && blockHash === chain.blocks[2]?.hash ? [] : undefined
    })
    const options = { secondLookBlocks: 2, contractBlock: 'l1BlockNumber' } as const
    const clock = await runClock(log, topics, [node], options)
    await clock.reached(0)
    for (const content of [release(1), release(2)]) {
      chain.mine({ ...content, ...same })
      await clock.reached(chain.head.number)
    }
    isLate = false
    for (const block of [3, 4]) {
      chain.mine(same)
      await clock.reached(block)
    }
    for (const l1BlockNumber of [101, 102, 103]) chain.mine({ l1BlockNumber })
    await clock.reached(7)
    await clock.close()
    const ticks = (await readTicks(log, topics)).filter(({ epochId }) => epochId === 2)
    expect(ticks.map(({ kind, blockNumber, releaseBlock }) => [kind, blockNumber, releaseBlock])).toEqual([
      ['OPEN', 4, 2],
      ['CLOSE', 7, 2],
    ])
    expect(ticks[1]!.acceptedHeaders).toEqual(chain.blocks.slice(2, 8).map(({ hash }) => hash))
  })

  test('behavior: after a restart the second look changes nothing that is right', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()], { secondLookBlocks: 8 })
    await clock.reached(12)
    await clock.close()
    const again = await runClock(log, topics, [chain.node()], { secondLookBlocks: 8 })
    for (let i = 0; i < 10; i++) chain.mine()
    await again.reached(22)
    await again.close()
    await expectTicksOfChain(log, topics, chain)
    await expectSlotsAsOfEachBlock(log, topics, chain)
    expect((await readTopic(log, topics.slots.name)).length).toBe(3 + 1 + 2 - 3 + 0)
  })
})
