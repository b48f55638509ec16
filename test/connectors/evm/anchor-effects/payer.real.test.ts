/** Payouts against the development contract on anvil: who else acts there, and what changes meanwhile. */
import { describe, expect, it } from 'vitest'
import type { AnchorPorts } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import { connectHttp } from '../../../../connectors/evm/nodes/http-endpoint.ts'
import { createDayContract } from '../../../../ops/reading/day-on-chain.ts'
import { devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { DEV_CHAIN_ID } from '../../../../ops/world/chain/devchain.ts'
import type { Payment, Payout } from '../../../../schemas/types.ts'
import type { AnchorRules } from '../../../../topology/anchor-rules.ts'
import { type AnchorWorld, anchorWorlds, RIVAL } from './anchor-world.ts'

const { keep, world } = anchorWorlds()
const QUOTA = 10
const OWNER = devAccount(20)

const isFinal = ({ paymentState }: Payment): boolean => paymentState === 'FINAL'
const isSent = ({ paymentState }: Payment): boolean => paymentState === 'SENT'

const slotsUpTo = (count: number) => Array.from({ length: count }, (_, i) => ({ slotId: i + 1, owner: OWNER.address }))

/** A chain in whose day 2 it is, with a quota of 10. */
async function payWorld(rules: Partial<AnchorRules> = {}): Promise<AnchorWorld> {
  const w = await world({ slots: slotsUpTo(6), sequencers: [RIVAL.address] }, rules)
  await setQuota(w, QUOTA)
  await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 2])
  return w
}

/** A run of CLOSING for day 1, of slots from 1 on with these counts. */
function closing(counts: readonly number[], perPayout = counts.length, more: Partial<Payout> = {}): Payout[] {
  const parts = Math.ceil(counts.length / perPayout)
  const ids = counts.map((_, i) => i + 1)
  return Array.from({ length: parts }, (_, part) => ({
    ...{
      payoutOf: 1,
      epochId: 20,
      number: part,
      purpose: 'CLOSING' as const,
      part,
      parts,
      closeBlock: 1,
      firstBlock: 1,
      quota: QUOTA,
    },
    slotIds: ids.slice(part * perPayout, (part + 1) * perPayout),
    submissions: counts.slice(part * perPayout, (part + 1) * perPayout),
    ...more,
  }))
}

const counts = (epochId: number, all: readonly number[]): Payout[] =>
  closing(all, all.length, { purpose: 'COUNTS', epochId })

const countsOf = (w: AnchorWorld, slots: number, day = 1): Promise<number[]> =>
  Promise.all(
    Array.from({ length: slots }, async (_, i) => Number(await w.read('slotSubmissionCount', w.market, i + 1, day))),
  )
const paidIn = async (w: AnchorWorld, slots: number, day = 1): Promise<number[]> => {
  const ids = Array.from({ length: slots }, (_, i) => i + 1)
  const paid = await Promise.all(ids.map((slotId) => w.read('devIsRewarded', w.market, day, slotId)))
  return ids.filter((_, i) => paid[i])
}
const numbersOf = async (w: AnchorWorld, day = 1) => [
  Number(await w.read('devEligibleNodes', w.market, day)),
  Number(await w.read('devSlotsRemaining', w.market, day)),
]
const rewardAs = (w: AnchorWorld, slotIds: number[], submissions: number[], eligibleNodes: number, day = 1) =>
  w.callAs(RIVAL, 'updateRewards', [w.market, slotIds, submissions, day, eligibleNodes])

const setQuota = (w: AnchorWorld, quota: number) =>
  w.callAs(w.chain.accounts.owner, 'updateDailySnapshotQuota', [w.market, quota])

/** The contract counts days of no length: nothing tells that a quota may still come back in time. */
const withoutTime = (w: AnchorWorld) => w.callAs(w.chain.accounts.owner, 'devSetDaySize', [w.market, 0])

/** How many nonces of ours called updateRewards: a call that is slow to be mined may have been sent for a higher fee too. */
async function callsOf(w: AnchorWorld) {
  const sent = (await w.payments()).filter(({ value: { transactionHash } }) => transactionHash !== '')
  return new Set(sent.map(({ value: { nonce } }) => nonce)).size
}

/** Of the closing of these counts, two in a call, the first call is mined while no process looks. */
async function mineFirstOf(w: AnchorWorld, submissions: readonly number[]): Promise<void> {
  const first = await w.connect()
  await w.pay(...closing(submissions, 2))
  await w.untilPayment(20, 0, isSent, { mining: false })
  await w.until('broadcast', async () => (await w.poolSize()) > 0)
  await first.close()
  await w.send('evm_mine')
}

/** Waits until the payout is sent, and lets something else be mined before it. */
async function mineAfter(w: AnchorWorld, something: () => Promise<void>, number = 0, epochId = 20): Promise<void> {
  await w.untilPayment(epochId, number, isSent, { mining: false })
  const raw = (await w.intents()).at(-1)!.value.rawTransactions[0]!
  await w.until('broadcast', async () => (await w.poolSize()) > 0)
  await w.send('anvil_dropAllTransactions')
  await something()
  await w.send('eth_sendRawTransaction', [raw])
  await w.send('evm_mine')
}

/** An RPC endpoint that can be cut off. */
function switchable() {
  const line = { isCut: false }
  const connect: AnchorPorts['connect'] = (url, options) => {
    const { ask, close } = connectHttp(url, options)
    const cut = () => Promise.reject(new EvmError('UNREACHABLE', 'the line is cut', { retriable: true }))
    return { ask: (method, params) => (line.isCut ? cut() : ask(method, params)), close }
  }
  return { line, connect }
}

describe('the payer', () => {
  it('default: counts, then the closing: each slot that reached the quota is paid once, and can claim it', async () => {
    const w = await payWorld()
    await w.callAs(w.chain.accounts.owner, 'updateRewardPoolSize', [w.market, 900])
    keep(await w.connect())
    await w.pay(...counts(10, [3, 4, 5]))
    expect(await w.untilPayment(10, 0, isFinal)).toMatchObject({ sent: 3, eligibleNodes: 0, leftOut: [] })
    expect(await countsOf(w, 4)).toEqual([3, 4, 5, 0])
    await w.pay(...closing([10, 4, 12, 15, 2], 2))
    for (const number of [0, 1, 2]) expect(await w.untilPayment(20, number, isFinal)).toMatchObject({ leftOut: [] })
    expect(await countsOf(w, 5)).toEqual([10, 4, 12, 15, 2])
    expect(await paidIn(w, 6)).toEqual([1, 3, 4])
    expect(await numbersOf(w)).toEqual([3, 0])
    expect(await w.read('slotRewards', 4)).toBe(300n)
    expect((await w.payment(20, 0))!).toMatchObject({ sent: 2, present: 0, eligibleNodes: 3, quota: QUOTA })
    expect((await w.payment(20, 2))!).toMatchObject({ sent: 1, eligibleNodes: 0, quota: QUOTA })
  })

  it('behavior: a restart in the midst of chunks sends each of them once', async () => {
    const w = await payWorld()
    const first = await w.connect()
    await w.pay(...closing([10, 11, 12, 13, 14, 15], 2))
    await w.untilPayment(20, 0, isSent, { mining: false })
    await first.close()
    await w.send('evm_mine') // the first chunk is mined while nobody looks
    const second = await w.connect()
    await w.untilPayment(20, 1, isSent)
    await second.close()
    keep(await w.connect())
    await w.untilPayment(20, 2, isFinal)
    expect(await paidIn(w, 6)).toEqual([1, 2, 3, 4, 5, 6])
    expect(await numbersOf(w)).toEqual([6, 0])
    expect(await callsOf(w)).toBe(3)
    expect((await w.outcomes()).filter((outcome) => outcome === 'REVERTED')).toEqual([])
  })

  it('behavior: a foreign transaction that closed the day: only what is missing is sent, the rest is told', async () => {
    const w = await payWorld()
    await rewardAs(w, [1, 2], [10, 11], 3) // of three, one is left, and slot 2 has another count than ours
    keep(await w.connect())
    await w.pay(...closing([10, 12, 13, 14]))
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row).toMatchObject({ sent: 1, present: 1, eligibleNodes: 3 })
    expect(row.leftOut).toEqual([
      { slotId: 2, counted: 12, onChain: 11, reason: 'PAID_OTHERWISE' },
      { slotId: 4, counted: 14, onChain: 0, reason: 'NONE_REMAINING' },
    ])
    expect(await paidIn(w, 4)).toEqual([1, 2, 3])
    expect(await numbersOf(w)).toEqual([3, 0])
    expect((await w.outcomes()).includes('REVERTED')).toBe(false)
  })

  it('behavior: slots that somebody else has marked, and paid nothing, are told as that, and never as paid', async () => {
    const w = await payWorld()
    await w.callAs(w.chain.accounts.owner, 'updateRewardPoolSize', [w.market, 900])
    await rewardAs(w, [1], [10], 4)
    await rewardAs(w, [2], [11], 0)
    keep(await w.connect())
    await w.pay(...closing([10, 11, 12, 4]))
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row).toMatchObject({ sent: 2, present: 1, paidBefore: [1], paid: 2, eligibleNodes: 4 })
    expect(row.leftOut).toEqual([{ slotId: 2, counted: 11, onChain: 11, reason: 'MARKED_UNPAID' }])
    expect(await Promise.all([1, 2, 3].map((slotId) => w.read('slotRewards', slotId)))).toEqual([225n, 0n, 225n])
    const { rpcUrl, protocolState } = w.chain
    const contract = createDayContract({ rpcUrls: [rpcUrl], chainId: DEV_CHAIN_ID, protocolState })
    keep({ close: async () => contract.close() })
    const { share, slots } = await contract.day({ dataMarket: w.market, day: 1, firstBlock: 1 }, [1, 2, 3, 4])
    expect([share, slots.map(({ marked, paid }) => [marked, paid])]).toEqual([
      225n,
      [
        [true, true],
        [true, false],
        [true, true],
        [false, false],
      ],
    ])
    expect((await w.outcomes()).includes('REVERTED')).toBe(false)
  })

  it('behavior: a day that somebody else has marked in full, and paid nothing, needs no transaction, and is not paid', async () => {
    const w = await payWorld()
    await rewardAs(w, [], [], 2)
    await rewardAs(w, [1, 2], [10, 11], 0)
    keep(await w.connect())
    await w.pay(...closing([10, 11]))
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row).toMatchObject({ sent: 0, present: 0, paidBefore: [], paid: 0, transactionHash: '' })
    expect(row.leftOut.map(({ reason }) => reason)).toEqual(['MARKED_UNPAID', 'MARKED_UNPAID'])
  })

  it('behavior: somebody begins to close the day ahead of our counts in the block: nobody is marked by them', async () => {
    const w = await payWorld()
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await w.pay(...counts(10, [12, 9, 8]))
    await mineAfter(w, () => rewardAs(w, [], [], 3), 0, 10)
    const row = await w.untilPayment(10, 0, isFinal)
    expect(row).toMatchObject({ sent: 2, leftOut: [{ slotId: 1, reason: 'QUOTA_LOWERED' }] }) // a ledger tells none at its quota
    expect([await countsOf(w, 3), await paidIn(w, 3), await numbersOf(w)]).toEqual([[0, 9, 8], [], [3, 3]])
  })

  it('behavior: somebody fixes another number ahead of our call in the block: the row has the one that was paid by', async () => {
    const w = await payWorld()
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await w.pay(...closing([10, 11]))
    await mineAfter(w, () => rewardAs(w, [], [], 8))
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({
      ...{ sent: 2, eligibleNodes: 8, numberFound: true, paid: 2 },
      leftOut: [],
    })
    expect(await numbersOf(w)).toEqual([8, 6])
  })

  it('behavior: what somebody else has sent in full needs no transaction', async () => {
    const w = await payWorld()
    await rewardAs(w, [1, 2, 3], [10, 11, 4], 2)
    keep(await w.connect())
    await w.pay(...closing([10, 11, 4]))
    const none = { sent: 0, present: 3, paidBefore: [1, 2], transactionHash: '', nonce: -1 }
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject(none)
  })

  it('behavior: a foreign call between dry run and block is a revert, after which the contract is asked again', async () => {
    const w = await payWorld()
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await w.pay(...closing([10, 11]))
    await mineAfter(w, () => rewardAs(w, [1], [10], 2))
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row).toMatchObject({ sent: 1, present: 1, eligibleNodes: 2, leftOut: [] })
    expect(await paidIn(w, 2)).toEqual([1, 2])
    expect((await w.results()).filter(({ value: { error } }) => error === 'E48')).toHaveLength(1)
  })

  it('behavior: counts of a day that somebody is closing are not sent, though they were signed', async () => {
    const w = await payWorld()
    const first = await w.connect()
    await w.pay(...counts(10, [9, 8]))
    await w.untilPayment(10, 0, isSent, { mining: false })
    await first.close()
    await w.send('anvil_dropAllTransactions')
    await rewardAs(w, [1, 3], [9, 10], 2)
    keep(await w.connect())
    const row = await w.untilPayment(10, 0, isFinal)
    expect(row.leftOut).toEqual([{ slotId: 2, counted: 8, onChain: 0, reason: 'DAY_CLOSED' }])
    expect(row).toMatchObject({ sent: 0, present: 1 })
    expect(await paidIn(w, 3)).toEqual([3])
  })

  it('behavior: a call that must not be made any more when it gets its nonce is not even signed', async () => {
    const w = await payWorld({ noncesInFlightMax: 1 })
    keep(await w.connect())
    const epochId = await w.epoch(1)
    await w.untilRow(epochId, 0, ({ state }) => state === 'SENT', { mining: false })
    await w.until('broadcast', async () => (await w.poolSize()) > 0)
    await w.pay(...counts(10, [9, 8]))
    await w.untilPayment(10, 0, ({ paymentState }) => paymentState === 'READY', { mining: false })
    await rewardAs(w, [1], [10], 2) // in one block with the batch that has the nonce before
    await w.untilPayment(10, 0, isFinal)
    const calls = (await w.intents()).filter(({ value: { step, call } }) => step === 'SEND' && call === 'REWARD')
    expect(calls).toEqual([])
  })

  it('behavior: a quota that is lowered between chunks pays nobody beyond the number', async () => {
    const w = await payWorld()
    await mineFirstOf(w, [10, 9, 11, 8])
    await setQuota(w, 8)
    keep(await w.connect())
    const row = await w.untilPayment(20, 1, isFinal)
    expect(row.leftOut).toEqual([{ slotId: 4, counted: 8, onChain: 0, reason: 'QUOTA_LOWERED' }])
    expect(await paidIn(w, 4)).toEqual([1, 3])
    expect(await numbersOf(w)).toEqual([2, 0]) // the run as it was when the number was fixed
  })

  it('behavior: a quota that is raised between chunks: who is below it is told, not paid', async () => {
    const w = await payWorld()
    await mineFirstOf(w, [12, 9, 11, 12])
    await setQuota(w, 12)
    await withoutTime(w)
    keep(await w.connect())
    const row = await w.untilPayment(20, 1, isFinal)
    expect(row.leftOut).toEqual([{ slotId: 3, counted: 11, onChain: 0, reason: 'QUOTA_RAISED' }])
    expect([await countsOf(w, 4), await paidIn(w, 4)]).toEqual([
      [12, 9, 11, 12],
      [1, 4],
    ])
    expect(await numbersOf(w)).toEqual([3, 1])
  })

  it('behavior: a quota that is raised between chunks, and put back ahead of the next: who is marked is paid', async () => {
    const w = await payWorld()
    await mineFirstOf(w, [12, 9, 11, 12])
    await setQuota(w, 1000)
    await withoutTime(w)
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await mineAfter(w, () => setQuota(w, 10), 1)
    expect(await w.untilPayment(20, 1, isFinal)).toMatchObject({ sent: 2, eligibleNodes: 3, quota: 10, leftOut: [] })
    expect([await paidIn(w, 4), await numbersOf(w)]).toEqual([
      [1, 3, 4],
      [3, 0],
    ])
  })

  it('behavior: a quota that is raised behind the last release of a day pays nobody below it, and that is told', async () => {
    const w = await payWorld()
    await setQuota(w, 12)
    await withoutTime(w)
    keep(await w.connect())
    await w.pay(...closing([10, 4, 11], 2))
    const rows = [await w.untilPayment(20, 0, isFinal), await w.untilPayment(20, 1, isFinal)]
    expect(rows.map(({ leftOut }) => leftOut)).toEqual([
      [{ slotId: 1, counted: 10, onChain: 0, reason: 'QUOTA_RAISED' }],
      [{ slotId: 3, counted: 11, onChain: 0, reason: 'QUOTA_RAISED' }],
    ])
    expect([await countsOf(w, 3), await paidIn(w, 3), await numbersOf(w)]).toEqual([[10, 4, 11], [], [0, 0]])
  })

  it('behavior: a quota that is raised for some blocks costs nobody the day: the part waits, and other days are paid', async () => {
    const w = await payWorld()
    await setQuota(w, 12)
    keep(await w.connect())
    await w.pay(...closing([10, 4, 15]), ...closing([4, 15], 2, { payoutOf: 2, epochId: 40 }))
    expect(await w.untilPayment(40, 0, isFinal)).toMatchObject({ sent: 2, eligibleNodes: 1 })
    const waiting = await w.untilPayment(20, 0, ({ error }) => error === 'QUOTA_RAISED')
    expect([waiting.paymentState, await numbersOf(w), await callsOf(w)]).toEqual(['PLANNED', [0, 0], 1])
    await setQuota(w, QUOTA)
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({ sent: 3, eligibleNodes: 2, leftOut: [], error: '' })
    expect([await paidIn(w, 3), await numbersOf(w)]).toEqual([
      [1, 3],
      [2, 0],
    ])
  })

  it('behavior: a quota that stays raised costs only who is below it: the rest is paid before the day is over', async () => {
    const w = await payWorld()
    await setQuota(w, 12)
    keep(await w.connect())
    await w.pay(...closing([10, 4, 15]))
    await w.untilPayment(20, 0, ({ error }) => error === 'QUOTA_RAISED')
    await withoutTime(w)
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row.leftOut).toEqual([{ slotId: 1, counted: 10, onChain: 0, reason: 'QUOTA_RAISED' }])
    expect([await paidIn(w, 3), await numbersOf(w)]).toEqual([[3], [1, 0]])
  })

  it('behavior: a quota that is lowered behind a chunk that paid nobody: the number has no slot of it', async () => {
    const w = await payWorld()
    await mineFirstOf(w, [9, 3, 10, 9])
    await setQuota(w, 9)
    keep(await w.connect())
    expect(await w.untilPayment(20, 1, isFinal)).toMatchObject({ eligibleNodes: 2, leftOut: [] })
    expect([await paidIn(w, 4), await numbersOf(w)]).toEqual([
      [3, 4],
      [2, 0],
    ])
  })

  it('behavior: a quota that is changed before a call is sent for the first time: the contract is asked again', async () => {
    const w = await payWorld()
    const first = await w.connect()
    await w.pay(...closing([10, 9, 3]))
    await w.untilPayment(20, 0, isSent, { mining: false })
    await first.close()
    await w.send('anvil_dropAllTransactions')
    await setQuota(w, 9)
    keep(await w.connect())
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row).toMatchObject({ eligibleNodes: 2, quota: 9, leftOut: [] })
    expect([await paidIn(w, 3), await numbersOf(w)]).toEqual([
      [1, 2],
      [2, 0],
    ])
    expect((await w.results()).filter(({ value: { outcome } }) => outcome === 'REVERTED')).toEqual([])
  })

  it('behavior: a quota that is raised before the block pays nobody below it, and that is told', async () => {
    const w = await payWorld()
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await w.pay(...closing([10, 12]))
    await mineAfter(w, () => setQuota(w, 11))
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row.leftOut).toEqual([{ slotId: 1, counted: 10, onChain: 10, reason: 'QUOTA_RAISED' }])
    expect([await paidIn(w, 2), await numbersOf(w)]).toEqual([[2], [2, 1]])
  })

  it('behavior: a quota that is lowered before the block is a revert, after which all who have it now are paid', async () => {
    const w = await payWorld()
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await w.pay(...closing([10, 9]))
    await mineAfter(w, () => setQuota(w, 9))
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({ sent: 2, eligibleNodes: 2, quota: 9, leftOut: [] })
    expect([await paidIn(w, 2), await numbersOf(w)]).toEqual([
      [1, 2],
      [2, 0],
    ])
  })

  it('behavior: a slot that is burned between the freeze and the block is passed over, and told', async () => {
    const w = await payWorld()
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await w.callAs(w.chain.accounts.owner, 'burnNode', [3])
    await w.pay(...closing([10, 11, 12]))
    await mineAfter(w, () => w.callAs(w.chain.accounts.owner, 'burnNode', [2]))
    expect(await w.payment(20, 0)).toMatchObject({ sent: 2, eligibleNodes: 2 })
    const row = await w.untilPayment(20, 0, isFinal)
    expect(row.leftOut).toEqual([
      { slotId: 2, counted: 11, onChain: 0, reason: 'UNAVAILABLE' },
      { slotId: 3, counted: 12, onChain: 0, reason: 'UNAVAILABLE' },
    ])
    expect(await paidIn(w, 3)).toEqual([1])
    expect(await numbersOf(w)).toEqual([2, 1])
  })

  it('behavior: slots that change hands before the dry run and before the block keep their pay', async () => {
    const w = await payWorld()
    const [second, third] = [devAccount(21).address, devAccount(22).address]
    const assign = (slotId: number, to: string) =>
      w.callAs(w.chain.accounts.owner, 'assignSnapshotterToNodeBulkAdmin', [[slotId], [to]])
    await w.callAs(w.chain.accounts.owner, 'updateRewardPoolSize', [w.market, 900])
    keep(await w.connect({}, { rebroadcastMs: 60_000 }))
    await assign(2, second)
    await w.pay(...closing([10, 11, 12]))
    await mineAfter(w, () => assign(3, third))
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({ sent: 3, leftOut: [] })
    expect(await paidIn(w, 3)).toEqual([1, 2, 3])
    expect(await Promise.all([second, third].map((owner) => w.read('userInfo', owner)))).toEqual([300n, 300n])
  })

  it('error: a day of which the contract takes nothing any more is UNPAID, with what is missing', async () => {
    const w = await payWorld()
    await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 3])
    keep(await w.connect())
    await w.pay(...closing([10, 4]), ...closing([10, 4], 2, { payoutOf: 2, epochId: 40 }))
    const row = await w.untilPayment(20, 0, ({ paymentState }) => paymentState === 'UNPAID')
    expect(row).toMatchObject({ error: 'E38', sent: 0, nonce: -1 })
    expect(row.leftOut.map(({ slotId, reason }) => [slotId, reason])).toEqual([
      [1, 'DAY_OVER'],
      [2, 'DAY_OVER'],
    ])
    expect(await w.untilPayment(40, 0, isFinal)).toMatchObject({ sent: 2 }) // the day before the contract's
  })

  it('behavior: a day that is over, and that somebody else has paid in full, is no day unpaid', async () => {
    const w = await payWorld()
    await rewardAs(w, [1, 2, 3], [10, 11, 4], 2)
    await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 3])
    keep(await w.connect())
    await w.pay(...closing([10, 11, 4]), ...closing([10, 11, 5], 3, { epochId: 30 }))
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({ sent: 0, present: 3, paidBefore: [1, 2], error: '' })
    const row = await w.untilPayment(30, 0, ({ paymentState }) => paymentState === 'UNPAID')
    expect(row).toMatchObject({ present: 2, paidBefore: [1, 2], leftOut: [{ slotId: 3, reason: 'DAY_OVER' }] })
  })

  it('behavior: a day that the counter was put back behind waits, and other days are paid meanwhile', async () => {
    const w = await payWorld()
    keep(await w.connect())
    await w.pay(...closing([10, 11, 12], 2, { payoutOf: 4, epochId: 10 }), ...closing([10, 4]))
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({ sent: 2, eligibleNodes: 1 })
    expect(await w.untilPayment(10, 0, ({ error }) => error === 'DAY_AHEAD')).toMatchObject({ paymentState: 'PLANNED' })
    expect(await callsOf(w)).toBe(1)
    await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 5])
    for (const number of [0, 1]) expect(await w.untilPayment(10, number, isFinal)).toMatchObject({ eligibleNodes: 3 })
    expect([await paidIn(w, 3, 4), await numbersOf(w, 4), await callsOf(w)]).toEqual([[1, 2, 3], [3, 0], 3])
  })

  it('behavior: an outage over a change of day ends with the day closed, in the order of its payouts', async () => {
    const w = await payWorld()
    await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 1])
    const { line, connect } = switchable()
    keep(await w.connect({}, {}, { connect }))
    await w.pay(...counts(5, [4, 5]))
    await w.untilPayment(5, 0, isSent, { mining: false })
    line.isCut = true
    await w.send('anvil_dropAllTransactions')
    await w.pay(...counts(10, [8, 9]))
    await w.callAs(w.chain.accounts.owner, 'loadCurrentDay', [w.market, 2])
    await w.pay(...closing([10, 12]), ...counts(25, [1, 1]).map((one) => ({ ...one, payoutOf: 2 })))
    await w.until('superseded', async () => (await w.payment(10, 0))?.paymentState === 'SUPERSEDED')
    line.isCut = false
    await w.untilPayment(25, 0, isFinal)
    expect(await w.payment(20, 0)).toMatchObject({ paymentState: 'FINAL', sent: 2, eligibleNodes: 2, leftOut: [] })
    expect([await countsOf(w, 2), await countsOf(w, 2, 2), await paidIn(w, 2)]).toEqual([
      [10, 12],
      [1, 1],
      [1, 2],
    ])
    expect(await callsOf(w)).toBe(3)
  })

  it('behavior: a signer that is no sequencer waits until it is one', async () => {
    const w = await payWorld()
    const change = (allowed: boolean) =>
      w.callAs(w.chain.accounts.owner, 'updateAddresses', [
        w.market,
        1,
        [w.chain.accounts.sequencer.address],
        [allowed],
      ])
    await change(false)
    keep(await w.connect())
    await w.pay(...closing([10]))
    await w.untilPayment(20, 0, ({ error }) => error === 'E04')
    await change(true)
    expect(await w.untilPayment(20, 0, isFinal)).toMatchObject({ sent: 1, error: '' })
  })

  it('behavior: a reorganisation takes the call back: it is made again, and pays once', async () => {
    const w = await payWorld()
    keep(await w.connect())
    await w.pay(...closing([10, 11], 1))
    const { blockNumber } = await w.untilPayment(20, 0, ({ paymentState }) => paymentState === 'MINED')
    await w.reorganiseFrom(blockNumber)
    for (const number of [0, 1]) await w.untilPayment(20, number, isFinal)
    expect(await paidIn(w, 2)).toEqual([1, 2])
    expect(await numbersOf(w)).toEqual([2, 0])
  })
})
