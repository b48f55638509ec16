import { expect, it } from 'vitest'
import type { AnchorSettings } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { NotForLong, NotYet } from '../../../../connectors/evm/anchor-effects/anchor-result.ts'
import { createPayoutSteps } from '../../../../connectors/evm/anchor-effects/payout-steps.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
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

it.each([new NotYet('not deep enough'), new NotForLong('not deep enough')])(
  'behavior: what is not definite for a minute is given up for now, so that other days have their turn (%#)',
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
