/** The day in the ticks: of the release block, on every fork, in catching up, and when it ends. */
import { describe, expect, test } from 'vitest'
import { daysBegun } from '../../../../connectors/evm/clock/market-day.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { Log } from '../../../../streams/ports.ts'
import { MARKET, OTHER_MARKET, release, rpcError, ScriptedChain } from '../scripted-chain.ts'
import { clockTopics, readTicks, runClock } from './clock-harness.ts'

const topics = await clockTopics()

/** Days of three epochs, a release every other block, a window of three blocks. */
function chainOfDays(epochs: number): ScriptedChain {
  const chain = new ScriptedChain({ epochsInADay: 3, quota: 7 })
  for (let epochId = 1; epochId <= epochs; epochId++) {
    chain.mine(release(epochId))
    chain.mine()
  }
  return chain
}

const daysIn = async (log: Log): Promise<string[]> =>
  (await readTicks(log, topics))
    .filter(({ kind }) => kind === 'OPEN' || kind === 'CLOSE' || kind === 'ORPHAN')
    .map(({ kind, epochId, day, dailyQuota, daysEnded }) =>
      kind === 'ORPHAN' ? kind : `${kind} ${epochId} of ${day}, quota ${dailyQuota}, ended ${daysEnded}`,
    )

async function followed(chain: ScriptedChain, node = chain.node(), options: object = {}): Promise<string[]> {
  const log = createMemoryLog()
  const clock = await runClock(log, topics, [node], options)
  await clock.reached(chain.head.number)
  await clock.close()
  return daysIn(log)
}

const FIVE_EPOCHS = [
  'OPEN 1 of 1, quota 7, ended 0',
  'OPEN 2 of 1, quota 7, ended 0',
  'OPEN 3 of 1, quota 7, ended 0',
  'CLOSE 1 of 1, quota 7, ended 0',
  'OPEN 4 of 2, quota 7, ended 0',
  'CLOSE 2 of 1, quota 7, ended 0',
  'OPEN 5 of 2, quota 7, ended 0',
  'CLOSE 3 of 1, quota 7, ended 1',
]

describe('the day of an epoch', () => {
  test('default: day and quota as of the release; the last epoch of a day says that it has ended', async () => {
    expect(await followed(chainOfDays(5))).toEqual(FIVE_EPOCHS)
  })

  test('behavior: caught up with by nodes that have the newest state alone, the days are the same', async () => {
    const chain = chainOfDays(5)
    const pruned = chain.node((method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError('missing trie node 12ab (path )')
    })
    expect(await followed(chain, pruned)).toEqual(FIVE_EPOCHS)
  })

  test('behavior: of two releases in one block each has its own day', async () => {
    const chain = new ScriptedChain({ epochsInADay: 3, quota: 7 })
    chain.mine({ releases: [2, 3].map((epochId) => ({ dataMarket: MARKET, epochId })) })
    chain.mine({ releases: [4, 5].map((epochId) => ({ dataMarket: MARKET, epochId })) })
    chain.mine({ releases: [6, 7].map((epochId) => ({ dataMarket: MARKET, epochId })) })
    const opens = (await followed(chain)).filter((text) => text.startsWith('OPEN'))
    expect(opens.map((text) => text.slice(5, 11))).toEqual(['2 of 1', '3 of 1', '4 of 2', '5 of 2', '6 of 2', '7 of 3'])
  })

  test('behavior: a reorganisation over a change of day takes the day back, and tells the other one', async () => {
    const [chain, log] = [chainOfDays(3), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(6)
    chain.mine(release(4))
    await clock.reached(7)
    chain.reorg(1)
    chain.mine({ day: 8, quota: 9 })
    chain.mine(release(4))
    await clock.wrote('OPEN', 5)
    await clock.close()
    expect((await daysIn(log)).filter((text) => / 4 |ORPHAN/.test(text))).toEqual([
      'OPEN 4 of 2, quota 7, ended 0',
      'ORPHAN',
      'OPEN 4 of 9, quota 9, ended 0',
    ])
  })

  test('behavior: a restart between release and close keeps the day', async () => {
    const [chain, log] = [chainOfDays(2), createMemoryLog()]
    const first = await runClock(log, topics, [chain.node()])
    await first.reached(4)
    await first.close()
    chain.mine({ day: 5, quota: 1 })
    const again = await runClock(log, topics, [chain.node()])
    await again.reached(5)
    await again.close()
    expect((await daysIn(log)).at(-1)).toBe('CLOSE 1 of 1, quota 7, ended 0')
  })

  test('behavior: with a window shorter than an epoch, the first close of the next day ends the one before', async () => {
    const chain = new ScriptedChain({ epochsInADay: 3, quota: 7, window: 0 })
    for (const epochId of [3, 4]) {
      chain.mine(release(epochId))
      chain.mine()
    }
    expect((await followed(chain)).filter((text) => text.startsWith('CLOSE'))).toEqual([
      'CLOSE 3 of 1, quota 7, ended 0',
      'CLOSE 4 of 2, quota 7, ended 1',
    ])
  })

  test('behavior: an epoch of another market that is open keeps no day from ending', async () => {
    const chain = new ScriptedChain({ epochsInADay: 3, quota: 7 })
    chain.mine(release(3))
    chain.mine({ releases: [{ dataMarket: MARKET, epochId: 4 }] })
    chain.mine(release(1, OTHER_MARKET))
    for (let i = 0; i < 2; i++) chain.mine()
    const markets = [MARKET, OTHER_MARKET].map((dataMarket) => ({ dataMarket, windowUnit: 'blocks' as const }))
    expect((await followed(chain, chain.node(), { markets })).at(-1)).toBe('CLOSE 3 of 1, quota 7, ended 1')
  })

  test('behavior: a contract that counts no days has none, and epochs all the same', async () => {
    const chain = chainOfDays(1)
    const node = chain.node((method, params) => {
      const [{ data = '' } = {}] = params as [{ data?: string }?]
      if (method === 'eth_call' && data.startsWith('0x02143405')) throw rpcError('execution reverted')
    })
    expect(await followed(chain, node)).toEqual(['OPEN 1 of 0, quota 0, ended 0'])
  })

  test('error: a node that fails at the day is asked again, and no other day is written', async () => {
    const chain = chainOfDays(1)
    let failures = 3
    const node = chain.node((method, params) => {
      const [{ data = '' } = {}] = params as [{ data?: string }?]
      if (method === 'eth_call' && data.startsWith('0x02143405') && failures-- > 0)
        throw rpcError('rate limit exceeded')
    })
    expect(await followed(chain, node)).toEqual(['OPEN 1 of 1, quota 7, ended 0'])
    expect(failures).toBeLessThan(0)
  })

  test('behavior: numbers beyond 2^53 stop nothing', async () => {
    const chain = new ScriptedChain({ epochsInADay: 3, quota: Number.MAX_SAFE_INTEGER })
    chain.mine(release(1))
    const huge = `0x${'f'.repeat(64)}`
    const node = chain.node((method, params) => {
      const [{ data = '' } = {}] = params as [{ data?: string }?]
      return method === 'eth_call' && data.startsWith('0x095cb210') ? huge : undefined
    })
    expect(await followed(chain, node)).toEqual([`OPEN 1 of 1, quota ${Number.MAX_SAFE_INTEGER}, ended 0`])
  })
})

describe('daysBegun', () => {
  test.each([
    [1, 1, 3, 0],
    [3, 4, 3, 1],
    [4, 4, 3, 0],
    [1, 10, 3, 3],
    [7, 9, 3, 0],
    [720, 721, 720, 1],
    [1, 9, 1, 0], // the contract begins none: k % 1 is never 1
    [1, 9, 0, 0],
    [9, 4, 3, 0],
  ])('default: behind epoch %i up to %i with %i in a day: %i', (epochId, newest, epochsInADay, begun) => {
    expect(daysBegun(epochId, newest, epochsInADay)).toBe(begun)
    const counted = Array.from({ length: Math.max(0, newest - epochId) }, (_, i) => epochId + 1 + i)
    expect(counted.filter((k) => k > 1 && epochsInADay > 0 && k % epochsInADay === 1)).toHaveLength(begun)
  })
})
