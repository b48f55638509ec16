/** What is asked of the contract about days, and what becomes of its answers. */
import { expect, test } from 'vitest'
import { dataMarketInterface, protocolStateInterface } from '../../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../../connectors/evm/nodes/ask.ts'
import { dayContractBy } from '../../../ops/reading/day-on-chain.ts'
import { MARKET } from '../look/fixture.ts'

const PROTOCOL_STATE = `0x${'c3'.repeat(20)}`
const HUGE = 2n ** 256n - 1n

/** The contract's event that it has paid a slot for a day. */
const rewarded = (slotId: number, day: number, at: number) => ({
  address: PROTOCOL_STATE,
  ...protocolStateInterface.encodeEventLog('RewardsDistributedEvent', [MARKET, MARKET, slotId, day, 300, 0]),
  transactionHash: `0x${'77'.repeat(32)}`,
  blockNumber: `0x${at.toString(16)}`,
  blockHash: `0x${'88'.repeat(32)}`,
  logIndex: `0x${slotId.toString(16)}`,
})

/** Slot n has n submissions, and is marked when n is even; of day 4 slot 2 was paid, and of another day slot 6. */
function scripted() {
  const ranges: unknown[] = []
  const head = { number: 42 }
  const asked: { name: string; args: readonly unknown[]; at: unknown }[] = []
  const ask: Ask = async (method, params) => {
    if (method === 'eth_blockNumber') return `0x${head.number.toString(16)}`
    if (method === 'eth_getLogs') {
      const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }]
      ranges.push([Number(fromBlock), Number(toBlock)])
      return head.number === 42 ? [rewarded(2, 4, 30), rewarded(6, 3, 31)] : []
    }
    const [{ to, data }, at] = params as [{ to: string; data: string }, unknown]
    const contract = to === PROTOCOL_STATE ? protocolStateInterface : dataMarketInterface
    const { name, args: given } = contract.parseTransaction({ data })!
    const args = [...given] as unknown[]
    asked.push({ name, args: args.map((one) => (typeof one === 'bigint' ? Number(one) : one)), at })
    const answers: Readonly<Record<string, unknown>> = {
      dayCounter: 5,
      eligibleNodesForDay: Number(args[0]) === 4 ? HUGE : 3,
      getTotalNodeCount: 12,
      rewardPoolSize: HUGE,
      slotSubmissionCount: args[1],
      slotRewardsDistributedStatus: Number(args[1]) % 2 === 0,
    }
    return contract.encodeFunctionResult(name, [answers[name]])
  }
  const contract = dayContractBy({ read: (reading) => reading(ask), close: () => {} }, PROTOCOL_STATE)
  return { contract, asked, ranges, head }
}

test('default: a day as of one block, each slot in the order asked for', async () => {
  const { contract, asked, ranges } = scripted()
  expect(await contract.day({ dataMarket: MARKET, day: 4, firstBlock: 17 }, [7, 2, 6])).toEqual({
    block: 42,
    eligibleNodes: Number.MAX_SAFE_INTEGER,
    share: HUGE / BigInt(Number.MAX_SAFE_INTEGER),
    slots: [
      { count: 7, marked: false, paid: false },
      { count: 2, marked: true, paid: true },
      { count: 6, marked: true, paid: false },
    ],
  })
  expect(ranges).toEqual([[17, 42]])
  expect(new Set(asked.map(({ at }) => JSON.stringify(at))).size).toBe(1)
  expect(asked).toContainEqual(expect.objectContaining({ name: 'slotRewardsDistributedStatus', args: [4, 2] }))
})

test('behavior: events are asked for only where a slot is marked, and it is known from which block on', async () => {
  const { contract, ranges } = scripted()
  const none = await contract.day({ dataMarket: MARKET, day: 4, firstBlock: 17 }, [7])
  const unknown = await contract.day({ dataMarket: MARKET, day: 4, firstBlock: null }, [6])
  expect([none.slots[0]!.paid, unknown.slots[0]!.paid, ranges]).toEqual([false, true, []])
})

test('behavior: each block is read once for all days of a market, but for the newest', async () => {
  const { contract, ranges, head } = scripted()
  for (const [at, firstBlock] of [
    [300, 100],
    [300, 200],
    [400, 50],
  ] as const) {
    head.number = at
    await contract.day({ dataMarket: MARKET, day: 4, firstBlock }, [2])
  }
  expect(ranges).toEqual([
    [100, 300],
    [237, 300],
    [50, 99],
    [237, 400],
  ])
})

test('default: of a slot in some days, and the number of nodes of some days', async () => {
  const { contract, asked } = scripted()
  expect(await contract.countsOfSlot(MARKET, 9, [3, 2])).toEqual([9, 9])
  expect(asked.map(({ args }) => args[2])).toEqual([3, 2])
  expect(await contract.eligibleNodes(MARKET, [1])).toEqual([3])
  expect([await contract.dayCounter(MARKET), await contract.slots()]).toEqual([5, 12])
})

test('behavior: thousands of slots, never more than 200 at once', async () => {
  let [now, most] = [0, 0]
  const { contract } = scripted()
  const slow = dayContractBy(
    {
      read: (reading) =>
        reading(async (method) => {
          most = Math.max(most, ++now)
          await Promise.resolve()
          now--
          return method === 'eth_blockNumber' ? '0x1' : `0x${'0'.repeat(64)}`
        }),
      close: () => {},
    },
    PROTOCOL_STATE,
  )
  await slow.day(
    { dataMarket: MARKET, day: 1, firstBlock: 1 },
    Array.from({ length: 3_000 }, (_, i) => i + 1),
  )
  expect(most).toBeLessThanOrEqual(400) // two questions a slot
  contract.close()
})
