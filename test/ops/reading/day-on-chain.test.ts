/** What is asked of the contract about days, and what becomes of its answers. */
import { expect, test } from 'vitest'
import { dataMarketInterface, protocolStateInterface } from '../../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../../connectors/evm/nodes/ask.ts'
import { dayContractBy } from '../../../ops/reading/day-on-chain.ts'
import { MARKET } from '../look/fixture.ts'

const PROTOCOL_STATE = `0x${'c3'.repeat(20)}`
const HUGE = 2n ** 256n - 1n

/** Slot n has n submissions, and is paid when n is even. */
function scripted() {
  const asked: { name: string; args: readonly unknown[]; at: unknown }[] = []
  const ask: Ask = async (method, params) => {
    if (method === 'eth_blockNumber') return '0x2a'
    const [{ to, data }, at] = params as [{ to: string; data: string }, unknown]
    const contract = to === PROTOCOL_STATE ? protocolStateInterface : dataMarketInterface
    const { name, args: given } = contract.parseTransaction({ data })!
    const args = [...given] as unknown[]
    asked.push({ name, args: args.map((one) => (typeof one === 'bigint' ? Number(one) : one)), at })
    const answers: Readonly<Record<string, unknown>> = {
      dayCounter: 5,
      eligibleNodesForDay: Number(args[0]) === 4 ? HUGE : 3,
      getTotalNodeCount: 12,
      slotSubmissionCount: args[1],
      slotRewardsDistributedStatus: Number(args[1]) % 2 === 0,
    }
    return contract.encodeFunctionResult(name, [answers[name]])
  }
  const contract = dayContractBy({ read: (reading) => reading(ask), close: () => {} }, PROTOCOL_STATE)
  return { contract, asked }
}

test('default: a day as of one block, each slot in the order asked for', async () => {
  const { contract, asked } = scripted()
  expect(await contract.day({ dataMarket: MARKET, day: 4 }, [7, 2])).toEqual({
    block: 42,
    eligibleNodes: Number.MAX_SAFE_INTEGER,
    slots: [
      { count: 7, paid: false },
      { count: 2, paid: true },
    ],
  })
  expect(new Set(asked.map(({ at }) => JSON.stringify(at))).size).toBe(1)
  expect(asked).toContainEqual(expect.objectContaining({ name: 'slotRewardsDistributedStatus', args: [4, 2] }))
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
    { dataMarket: MARKET, day: 1 },
    Array.from({ length: 3_000 }, (_, i) => i + 1),
  )
  expect(most).toBeLessThanOrEqual(400) // two questions a slot
  contract.close()
})
