/** What `doctor` says of a market's days. */
import { expect, test } from 'vitest'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { examineMarkets } from '../../../../ops/look/doctor/market.ts'
import { MARKET, RULES } from '../fixture.ts'

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
  const ask: Ask = async (_, [call]) => {
    const { name } = protocolStateInterface.parseTransaction(call as { data: string })!
    if (!(name in answers)) throw new EvmError('RPC_ERROR', 'execution reverted', { retriable: false })
    return protocolStateInterface.encodeFunctionResult(name, [answers[name]])
  }
  const rules = { ...RULES, markets: RULES.markets.map((market) => ({ ...market, rewards })) }
  const rpc = { read: <T>(reading: (ask: Ask) => Promise<T>) => reading(ask) }
  const { protocolState } = RULES.markets[0]!
  return (await examineMarkets(rpc, { protocolState, rules, served: [MARKET] }))[0]!
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
