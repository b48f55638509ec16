/** What `doctor` says of a market's days. */
import { expect, test } from 'vitest'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { examineMarkets } from '../../../../ops/look/doctor/market.ts'
import { slotsIn } from '../../../../ops/look/doctor/slot-rows.ts'
import { createFixture, MARKET, RULES } from '../fixture.ts'

const ANSWERS: Readonly<Record<string, unknown>> = {
  dataMarketEnabled: true,
  snapshotSubmissionWindow: 5,
  batchSubmissionWindow: 9,
  attestationSubmissionWindow: 9,
  dayCounter: 12,
  dailySnapshotQuota: 40,
  snapshotterState: MARKET,
  getTotalNodeCount: 3,
}

async function said(rewards: 'off' | 'counts' | 'on', answers = ANSWERS) {
  return (await findings(rewards, answers))[0]!
}

async function findings(rewards: 'off' | 'counts' | 'on', answers = ANSWERS, slotsKnown?: number) {
  const ask: Ask = async (_, [call]) => {
    const { name } = protocolStateInterface.parseTransaction(call as { data: string })!
    if (!(name in answers)) throw new EvmError('RPC_ERROR', 'execution reverted', { retriable: false })
    return protocolStateInterface.encodeFunctionResult(name, [answers[name]])
  }
  const rules = { ...RULES, markets: RULES.markets.map((market) => ({ ...market, rewards })) }
  const rpc = { read: <T>(reading: (ask: Ask) => Promise<T>) => reading(ask) }
  const { protocolState } = RULES.markets[0]!
  return await examineMarkets(rpc, { protocolState, rules, served: [MARKET], slotsKnown })
}

test('default: its rule, the day of the contract, and the quota', async () => {
  expect(await said('on')).toEqual({
    check: 'market',
    ok: true,
    detail: `${MARKET} is on; windows 5, 9, 9; rewards on, day 12, quota 40`,
  })
  expect((await said('off')).detail).toMatch(/rewards off$/)
})
test('error: the contract counts no days', async () => {
  const { dayCounter: _, ...without } = ANSWERS
  expect(await said('counts', without)).toMatchObject({
    ok: true,
    detail: expect.stringContaining('rewards counts, and no days'),
  })
  expect(await said('on', without)).toMatchObject({ ok: false, advice: expect.stringContaining('`rewards`') })
})

test('behavior: a table of slots that lacks some of the registry is told, also an empty one', async () => {
  const registry = async (known?: number) =>
    (await findings('on', ANSWERS, known)).find(({ check }) => check === 'registry')
  expect(await registry(3)).toMatchObject({ ok: true, detail: `${MARKET} has 3 slots, and the topic slots 3` })
  for (const known of [0, 2])
    expect(await registry(known)).toMatchObject({ ok: false, advice: expect.stringContaining('UNKNOWN_SLOT') })
  expect(await registry()).toMatchObject({ ok: true, detail: `${MARKET} has 3 slots` })
})

test('default: the newest row of each slot counts once', async () => {
  const { log, topics, put } = await createFixture()
  for (const slotId of [1, 2, 1]) await put(topics.slots, { slotId }, { slotId, history: [] })
  expect(await slotsIn(log, topics)).toBe(2)
})
