import { describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { exampleChain, type Fault, headerJson, pseudoRandom, release, rpcError } from '../scripted-chain.ts'
import { clockTopics, expectTicksOfChain, readTicks, runClock } from './clock-harness.ts'

const topics = await clockTopics()

describe('bad nodes', () => {
  test('error: another chain id is refused at the start when every node serves one', async () => {
    const chain = exampleChain()
    const wrong = (chainId: string) => chain.node((method) => (method === 'eth_chainId' ? chainId : undefined))
    await expect(runClock(createMemoryLog(), topics, [wrong('0x2'), wrong('0x1')])).rejects.toMatchObject({
      code: 'WRONG_CHAIN',
      message: expect.stringContaining(
        'RPC endpoint 2 serves chain 1, but this sequencer is configured for chain 11169',
      ),
    })
  })

  test('behavior: one node of another chain is set aside, also while the other one fails', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const wrong = chain.node((method) => (method === 'eth_chainId' ? '0x1' : undefined))
    let isDown = false
    const right = chain.node(() => {
      if (isDown) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    })
    const aside: string[] = []
    const observer = {
      nodeChanged: (node: number, { fault }: { fault?: string | undefined }) => void aside.push(`${node} ${fault}`),
    }
    const clock = await runClock(log, topics, [right, wrong], { observer })
    await clock.reached(12)
    isDown = true
    await clock.failed()
    isDown = false
    chain.mine()
    await clock.reached(13)
    await clock.close()
    expect(aside).toContain('1 wrong-chain')
    await expectTicksOfChain(log, topics, chain)
  })

  describe('a block of which a node says that it is of a time to come', () => {
    const year = 366 * 86_400
    const wrong = (timestamp: number, isOver: () => boolean): Fault => {
      return (method, params) => {
        if (method !== 'eth_getBlockByNumber' || Number(params[0]) !== 13 || isOver()) return undefined
        return { ...headerJson(chainOf.chain.blocks[13]!), timestamp: `0x${timestamp.toString(16)}` }
      }
    }
    const chainOf = { chain: exampleChain() }
    test.each([
      ['2^53-2', Number.MAX_SAFE_INTEGER - 1],
      ['the year 10000', 253_402_300_800],
      ['more than a year from now', Math.ceil(Date.now() / 1_000) + year + 600],
    ])('bound: %s is not written, and the clock goes on when the node says otherwise', async (_, timestamp) => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      chainOf.chain = chain
      let isOver = false
      const clock = await runClock(log, topics, [chain.node(wrong(timestamp, () => isOver))])
      await clock.reached(12)
      chain.mine()
      expect(await clock.failed()).toMatchObject({ code: 'BAD_ANSWER', retriable: true })
      isOver = true
      await clock.reached(13)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
    })

    test('behavior: a test chain whose time is moved by days, again and again, is followed', async () => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      chain.mine({ at: Math.ceil(Date.now() / 1_000) })
      for (let month = 0; month < 20; month++) chain.mine({ seconds: 30 * 86_400 })
      const clock = await runClock(log, topics, [chain.node()])
      await clock.reached(33)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
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

  test.each(['eth_blockNumber', 'eth_getBlockByNumber', 'eth_getLogs', 'eth_call'])(
    'error: whatever a node answers to %s, the clock goes on',
    async (method) => {
      const odd = [null, 0, -1, 1.5, '', '0x', '0xzz', 'x', true, {}, [], [null], [[]], [{}], [{ topics: null }]]
      const shapes = [{ hash: null }, { number: {} }, [{ topics: [], data: 3, address: {}, blockHash: [] }], 10n ** 30n]
      const [chain, log] = [exampleChain(), createMemoryLog()]
      const answers: unknown[] = [...odd, ...shapes]
      let asked = 0
      const node = chain.node((called) => (called === method && ++asked % 3 === 0 ? answers.shift() : undefined))
      const clock = await runClock(log, topics, [node], { rangeBlocks: 3, backoffMsMax: 1 })
      await clock.reached(12)
      while (answers.length > 0) {
        chain.mine()
        await clock.reached(chain.head.number)
      }
      await clock.close()
      expect(await clock.stopped).toBeUndefined()
      await expectTicksOfChain(log, topics, chain)
    },
  )

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

  test('behavior: when one node stands still, the next one is preferred, and it is said', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let stuckAt = Number.POSITIVE_INFINITY
    const stuck = chain.node(undefined, () => Math.max(0, chain.head.number - stuckAt))
    const still: number[] = []
    const observer = { stoodStill: (node: number) => void still.push(node) }
    const clock = await runClock(log, topics, [stuck, chain.node()], { stallMs: 20, observer })
    await clock.reached(12)
    stuckAt = 12
    chain.mine()
    await clock.reached(13)
    await clock.close()
    expect(still).toContain(0)
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
