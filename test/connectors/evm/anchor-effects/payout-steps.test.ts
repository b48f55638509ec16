import { expect, it } from 'vitest'
import type { AnchorSettings } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { NotForLong, NotYet } from '../../../../connectors/evm/anchor-effects/anchor-result.ts'
import { createPayoutSteps } from '../../../../connectors/evm/anchor-effects/payout-steps.ts'
import { dataMarketInterface, nodesInterface, protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import type { AnchorIntent, Payout } from '../../../../schemas/types.ts'
import { REWARD_KEY, REWARD_ORDER } from './scripted-effects.ts'
import { intentOf } from './scripted-send.ts'

/** The dry run of a payout, whose nodes always fail like this. */
function failing(error: Error) {
  const clock = { ms: 0, now: () => clock.ms }
  const rpc = { agreeing: async () => Promise.reject(error) } as never
  const payouts = { one: async () => ({ firstBlock: 1 }) as Payout, run: async () => [] } as never
  const steps = createPayoutSteps({ protocolStateOf: () => '0xAA' } as unknown as AnchorSettings, {
    rpc,
    payouts,
    clock,
  })
  const prepare = (intent: AnchorIntent) => steps.prepare(REWARD_KEY, intent, '0xbb', new AbortController().signal)
  return { clock, prepare }
}

const intent = (attempt: number): AnchorIntent => ({ ...intentOf([]), attempt, call: 'REWARD', payout: REWARD_ORDER })

it.each([
  new NotYet('not deep enough'),
  new NotForLong('not deep enough'),
  new EvmError('RPC_ERROR', 'not deep enough', { retriable: true }), // events that the node does not keep
])(
  'behavior: what is not definite for a minute, or refused, is given up for now, so that other days have their turn (%#)',
  async (error) => {
    const { clock, prepare } = failing(error)
    const [first, second] = [intent(1), intent(2)]
    for (const ms of [0, 1_000, 59_999]) {
      clock.ms = ms
      await expect(prepare(first)).rejects.toBe(error)
    }
    clock.ms = 60_000
    expect(await prepare(first)).toMatchObject({ outcome: 'FAILED', error: 'not deep enough', attempt: 1 })
    await expect(prepare(second)).rejects.toBe(error) // the next time it waits as long again
  },
)

it('behavior: an outage holds up all days alike, and is waited out', async () => {
  const outage = new EvmError('UNREACHABLE', 'gone', { retriable: true })
  const { clock, prepare } = failing(outage)
  const one = intent(1)
  await expect(prepare(one)).rejects.toBe(outage)
  clock.ms = 10_000_000
  await expect(prepare(one)).rejects.toBe(outage)
})

const STATE = `0x${'c3'.repeat(20)}`
const { dataMarket } = REWARD_KEY

const rewarded = (slotId: number, day: number) => ({
  address: STATE,
  ...protocolStateInterface.encodeEventLog('RewardsDistributedEvent', [dataMarket, STATE, slotId, day, 300, 0]),
  ...{ transactionHash: `0x${'77'.repeat(32)}`, blockHash: `0x${'88'.repeat(32)}`, logIndex: slotId },
})

/** A contract that has marked all slots of the day, and told of the payment of slot 2 behind our call. */
function markedAll() {
  const asked: string[] = []
  const answers: Readonly<Record<string, unknown>> = {
    ...{ snapshotterState: STATE, dailySnapshotQuota: 10, eligibleNodesForDay: 3, slotsRemainingToBeRewardedCount: 0 },
    ...{ slotSubmissionCount: 12, slotRewardsDistributedStatus: true, isNodeAvailable: true },
  }
  const ask: Ask = async (method, params) => {
    asked.push(method)
    if (method === 'eth_blockNumber') return '0x9'
    if (method === 'eth_getLogs') return [{ ...rewarded(2, 1), blockNumber: '0x5', logIndex: '0x2' }]
    const [{ data }] = params as [{ data: string }]
    const contracts = [protocolStateInterface, dataMarketInterface, nodesInterface]
    const contract = contracts.find((one) => one.getFunction(data.slice(0, 10)) !== null)!
    const { name } = contract.getFunction(data.slice(0, 10))!
    return contract.encodeFunctionResult(name, [answers[name]])
  }
  return { ask, asked }
}

it.each([
  ['all by its receipt: no node is asked for events', [1, 2, 3], [], false],
  ['one behind it in its block, and one never', [1], [3], true],
] as const)('behavior: what a call has paid: %s', async (_, byReceipt, inVain, isAsked) => {
  const { ask, asked } = markedAll()
  const payout = {
    payoutOf: 1,
    purpose: 'CLOSING',
    slotIds: [1, 2, 3],
    submissions: [12, 12, 12],
    quota: 10,
  } as unknown
  const steps = createPayoutSteps({ protocolStateOf: () => STATE } as unknown as AnchorSettings, {
    rpc: { read: (reading: (ask: Ask) => unknown) => reading(ask) } as never,
    payouts: { one: async () => payout } as never,
    clock: { now: () => 0 },
  })
  const order = { ...REWARD_ORDER, slots: Buffer.of(0b111), eligibleNodes: 3, quota: 10, contractQuota: 10 }
  const logs = [...byReceipt.map((slotId) => rewarded(slotId, 1)), rewarded(3, 2)]
  const receipt = { blockNumber: 5, logs: logs.map((log) => ({ ...log, blockNumber: 5 })) } as never
  const { signal } = new AbortController()
  const { payout: outcome } = await steps.outcome(REWARD_KEY, { ...intent(1), payout: order }, receipt, signal)
  expect(outcome).toMatchObject({
    paid: 3 - inVain.length,
    leftOut: inVain.map((slotId) => ({ slotId, reason: 'MARKED_UNPAID' })),
  })
  expect(asked.includes('eth_getLogs')).toBe(isAsked)
})
