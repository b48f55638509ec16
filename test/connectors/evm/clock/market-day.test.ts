/** The day in the ticks: of the release block, on every fork, in catching up, and when it ends. */
import { describe, expect, test } from 'vitest'
import { firstsOfDays } from '../../../../connectors/evm/clock/market-day.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
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

/** The owner releases 95 in the block in which the counter is, and then passes over to 98: of 97, which begins a day, there is no release. */
describe('a day that its owner passed over', () => {
  const chainOfSkip = (...blocks: (readonly number[])[]): ScriptedChain => {
    const chain = new ScriptedChain({ epochsInADay: 6, quota: 7, day: 16 })
    for (const epochIds of blocks)
      chain.mine({ releases: epochIds.map((epochId) => ({ dataMarket: MARKET, epochId })) })
    for (let i = 0; i < 4; i++) chain.mine()
    return chain
  }
  const opensOf = async (chain: ScriptedChain, node = chain.node()) =>
    (await followed(chain, node)).filter((text) => text.startsWith('OPEN')).map((text) => text.slice(5, 13))
  const prunedNode = (chain: ScriptedChain) =>
    chain.node((method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError('missing trie node 12ab (path )')
    })

  test('behavior: in the block of an earlier release, the earlier one keeps its day', async () => {
    expect(await opensOf(chainOfSkip([94], [95, 98]))).toEqual(['94 of 16', '95 of 16', '98 of 16'])
  })

  test('behavior: for nodes that have the newest state alone, too', async () => {
    const chain = chainOfSkip([94], [95], [98], [103])
    const days = ['94 of 16', '95 of 16', '98 of 16', '103 of 1']
    expect([await opensOf(chain), await opensOf(chain, prunedNode(chain))]).toEqual([days, days])
    expect(chain.head.days.get(MARKET)).toBe(17)
  })

  test('behavior: a first epoch of a day that is released once more in its block begins a day once more', async () => {
    const chain = chainOfSkip([96], [97, 97, 98])
    expect(await opensOf(chain)).toEqual(['96 of 16', '97 of 17', '98 of 18'])
  })

  test('behavior: where the contract does not say whether a day began, the epochs before it have none', async () => {
    const chain = chainOfSkip([5], [6], [7])
    const epochInfo = protocolStateInterface.getFunction('epochInfo')!.selector
    const node = chain.node((method, params) => {
      if (method !== 'eth_call') return
      const [{ data = '' } = {}, at] = params as [{ data?: string }?, unknown?]
      if (at !== 'latest') throw rpcError('missing trie node 12ab (path )')
      if (data.startsWith(epochInfo) && data.endsWith('07')) throw rpcError('execution reverted')
    })
    expect(await opensOf(chain, node)).toEqual(['5 of 0, ', '6 of 0, ', '7 of 17,'])
  })

  test('behavior: so many days behind the newest state that they are not looked up, an epoch has none', async () => {
    const chain = chainOfSkip([2], ...Array.from({ length: 66 }, (_, day) => [7 + 6 * day]))
    const opens = await opensOf(chain, prunedNode(chain))
    expect(opens.slice(0, 3)).toEqual(['2 of 0, ', '7 of 0, ', '13 of 18'])
    expect(opens).toHaveLength(67)
  })
})

describe('firstsOfDays', () => {
  test.each([
    [1, 1, 3],
    [3, 4, 3],
    [4, 4, 3],
    [1, 10, 3],
    [7, 9, 3],
    [720, 721, 720],
    [1, 9, 1], // the contract begins none: k % 1 is never 1
    [1, 9, 0],
    [9, 4, 3],
    [94, 98, 6],
    [0, 9, 2],
  ])('default: behind epoch %i up to %i with %i in a day', (epochId, newest, epochsInADay) => {
    const counted = Array.from({ length: Math.max(0, newest - epochId) }, (_, i) => epochId + 1 + i)
    const firsts = counted.filter((k) => k > 1 && epochsInADay > 0 && k % epochsInADay === 1)
    expect(firstsOfDays(epochId, newest, epochsInADay)).toEqual(firsts)
  })
})
