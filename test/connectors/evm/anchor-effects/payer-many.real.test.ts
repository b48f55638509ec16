/** A day of many slots against the development contract: how it is cut, what it takes, and that each is paid once. */
import { expect, it } from 'vitest'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import type { SlotDay } from '../../../../schemas/types.ts'
import { payoutsOf } from '../../../../topology/ledger/payouts.ts'
import { MARKET_DEFAULTS } from '../../../../topology/rules.ts'
import { anchorWorlds } from './anchor-world.ts'

/** `npm run payouts` takes 10,000. */
const SLOTS = Number(process.env.PAYOUT_SLOTS ?? 1_000)
const QUOTA = 10
const { keep, world } = anchorWorlds()

it(`behavior: a day of ${SLOTS} slots is closed, each paid once, no call above the limit`, async () => {
  // all slots up to the highest that was minted are available
  const w = await world({ slots: [{ slotId: SLOTS, owner: devAccount(20).address }] })
  await w.callAs(w.chain.accounts.owner, 'updateDailySnapshotQuota', [w.market, QUOTA])
  await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 2])
  const rows = Array.from({ length: SLOTS }, (_, i): [number, SlotDay] => [
    i + 1,
    { accepted: 12, counted: i % 10 === 0 ? 3 : 12, lastEpoch: 20, inPayout: 0 },
  ])
  const run = payoutsOf(
    { day: 1, epochId: 20, closeBlock: 1, firstBlock: 1, quota: 0, purpose: 'CLOSING', number: 0 },
    rows,
    MARKET_DEFAULTS,
  )
  const gas: number[] = []
  let finals = 0
  let done = (): void => {}
  const all = new Promise<void>((resolve) => {
    done = resolve
  })
  await w.send('evm_setAutomine', [true])
  const started = performance.now()
  keep(
    await w.connect({
      signed: (_nonce, _fee, gasLimit) => void gas.push(gasLimit),
      concluded(_key, { outcome }) {
        if (outcome === 'FINAL' && ++finals === run.length) done()
      },
    }),
  )
  await w.pay(...run)
  const last = run.at(-1)!.number
  await w.untilPayment(20, last, ({ paymentState }) => paymentState === 'MINED', {
    mining: false,
    limitMs: 480_000,
    everyMs: 2_000,
  })
  await w.send('anvil_mine', ['0x8'])
  await all
  const seconds = (performance.now() - started) / 1_000
  const payments = new Map((await w.payments()).map(({ key, value }) => [key.number, value]))
  const states = run.map(({ number }) => payments.get(number))
  expect(states.every((row) => row?.leftOut.length === 0)).toBe(true)
  expect(states.reduce((sum, row) => sum + row!.sent, 0)).toBe(SLOTS)
  expect(await w.read('devEligibleNodes', w.market, 1)).toBe(BigInt(SLOTS - SLOTS / 10))
  expect(await w.read('devSlotsRemaining', w.market, 1)).toBe(0n)
  const paid = devProtocolState().interface.getEvent('RewardsDistributedEvent')!.topicHash
  const logs = await w.provider.getLogs({ address: w.chain.protocolState, topics: [paid], fromBlock: 0 })
  const slots = logs.map((log) => Number(devProtocolState().interface.parseLog(log)!.args.slotId))
  expect([slots.length, new Set(slots).size]).toEqual([SLOTS - SLOTS / 10, SLOTS - SLOTS / 10])
  const most = gas.reduce((a, b) => Math.max(a, b))
  expect(most).toBeLessThanOrEqual(MARKET_DEFAULTS.payoutGasMax)
  process.stdout.write(`${run.length} calls, at most ${most} gas asked for, ${seconds.toFixed(1)} s\n`)
}, 600_000)
