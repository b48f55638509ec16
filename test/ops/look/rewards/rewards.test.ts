/** `sequencer rewards`: what it prints of days and slots, and how it compares them with the contract. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { explain } from '../../../../ops/base/cli-error.ts'
import { stderr } from '../../../../ops/base/output.ts'
import { reportsOf, rewardsCommand } from '../../../../ops/look/rewards/command.ts'
import { compareDay, type DayReport, driftOf } from '../../../../ops/look/rewards/reconcile.ts'
import { renderDays, renderReports } from '../../../../ops/look/rewards/render.ts'
import { ledgerSource } from '../../../../ops/look/rewards/source.ts'
import type { DayStatus } from '../../../../ops/reading/day.ts'
import { readDays } from '../../../../ops/reading/day-ledger.ts'
import type { DayOnChain, SlotOnChain } from '../../../../ops/reading/day-on-chain.ts'
import { createDays, type DaysStory, QUOTA, votes } from '../../api/days-story.ts'
import { startApi } from '../../api/story.ts'
import { captured } from '../../run-here.ts'
import { createFixture, type Fixture, MARKET, RULES } from '../fixture.ts'

let fixture: Fixture
let days: DaysStory
beforeEach(async () => {
  fixture = await createFixture()
  days = createDays(fixture)
  await days.epoch(1, 1, { 1: votes(4), 2: votes(5, 4), 3: votes(1) })
  await days.open(2, 2)
  await days.close(2, 2, { 1: votes(2, 1) }, 1, { payoutEpochs: 1 })
  await days.pay(1, 2, 0, { eligibleNodes: 2, quota: QUOTA })
  await days.pay(1, 2, 1, {})
  await days.pay(2, 2, 2, {})
})
afterEach(() => {
  process.exitCode = undefined
})

const opened = async () => ({
  ...fixture,
  rules: RULES,
  appId: 'test',
  chain: { rpcUrls: [], chainId: 1, protocolState: '' },
  close: async () => {},
})
const run = (...args: readonly string[]) =>
  captured(async () => {
    try {
      const words = ['--data-dir', '/nowhere', ...args]
      await rewardsCommand(opened, opened).parseAsync(words, { from: 'user' })
    } catch (error) {
      const { lines, exitCode } = explain(error)
      stderr.print(...lines)
      process.exitCode = exitCode
    }
  })

describe('days', () => {
  test('default: as the API has them', async () => {
    const api = await startApi(fixture)
    await api.caughtUp()
    const { items } = (await api.get('/v1/days')).json() as { items: DayStatus[] }
    const slots = (await api.get('/v1/days/1/slots')).json() as { items: object[] }
    await api.close()
    const ledger = await readDays(fixture.log, fixture.topics)
    expect(ledger.days).toEqual(items.map((day) => ({ ...day, beganAt: null })))
    expect(ledger.slotsOf({ dataMarket: MARKET, day: 1 })).toEqual(slots.items)
  })
  test('default: in lines', async () => {
    const { days: known } = await readDays(fixture.log, fixture.topics)
    expect(renderDays(known)).toEqual([
      `day 2 of ${MARKET}: COUNTING`,
      '  epochs       2 to 2, 1 counted',
      '  quota        4; 0 of 1 slots have it',
      '  submissions  1 counted of 2 accepted',
      '  told         as of epoch 2, calls 1 FINAL, 1 of 1 slots sent',
      '  closing      nothing yet',
      '  drift        0 slots',
      '  next         it goes on, or not all of its epochs have closed',
      '',
      `day 1 of ${MARKET}: CLOSED`,
      '  epochs       1 to 1, 1 counted',
      '  quota        4; 2 of 3 slots have it',
      '  submissions  9 counted of 10 accepted',
      '  told         nothing yet',
      '  closing      as of epoch 2, calls 2 FINAL, 3 of 3 slots sent',
      '  paid         2 of 2 eligible nodes',
      '  drift        0 slots',
      '  next         done',
    ])
  })
  test('args: of one day, of a slot, as JSON', async () => {
    expect(JSON.parse((await run('--day', '1', '--json')).stdout)).toMatchObject({
      items: [{ day: 1, standing: 'CLOSED' }],
      unread: null,
    })
    const { stdout } = await run('--slot', '1')
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      `day 2 of ${MARKET}  COUNTING   1 of 4 counted, 2 accepted, told 1`,
      `day 1 of ${MARKET}  PAID       4 of 4 counted, 4 accepted, told 4, tx 0xpaid0`,
    ])
  })
  test('behavior: of the slots that were left out of a day that is over, only who has the quota lacks pay', async () => {
    const leftOut = [4, 5, 1].map((counted, at) => ({
      slotId: at + 1,
      counted,
      onChain: 0,
      reason: 'DAY_OVER' as const,
    }))
    for (const [number, of] of [leftOut.slice(0, 2), leftOut.slice(2)].entries())
      await days.pay(1, 2, number, { paymentState: 'UNPAID', error: 'E38', sent: 0, leftOut: of })
    const [, day] = (await readDays(fixture.log, fixture.topics)).days
    expect(day!.closing).toMatchObject({ leftOut: { DAY_OVER: 3 }, overdue: 2, unpaid: 0 })
  })
  test('error: what is not known ends with exit code 1', async () => {
    expect(await run('--day', '9')).toMatchObject({ stdout: expect.stringContaining('No day is known'), exitCode: 1 })
    expect(await run('--slot', '77')).toMatchObject({
      stdout: expect.stringContaining('Slot 77 has nothing'),
      exitCode: 1,
    })
  })
  test('behavior: a day that is gone has left nothing', async () => {
    await days.epoch(3, 2, {}, 0, { daysKept: 1 })
    const ledger = await readDays(fixture.log, fixture.topics)
    expect(ledger.days.map(({ day }) => day)).toEqual([2])
    expect(ledger.slotsOf({ dataMarket: MARKET, day: 1 })).toEqual([])
  })
})

describe('reconcile', () => {
  const there = (count: number, paid = false, marked = paid): SlotOnChain => ({ count, marked, paid })
  const contractWith = (slots: Readonly<Record<string, readonly SlotOnChain[]>>, eligibleNodes = 0) => ({
    slots: async () => 3,
    day: async ({ day }: { day: number }, asked: readonly number[]): Promise<DayOnChain> => ({
      block: 50,
      share: 450n,
      eligibleNodes: day === 1 ? eligibleNodes : 0,
      slots: asked.map((slotId) => slots[day]?.[slotId - 1] ?? there(0)),
    }),
  })
  const asTold = { 1: [there(4, true), there(4, true), there(1)], 2: [there(1)] }
  const reports = async (slots: Parameters<typeof contractWith>[0], eligible = 2, asked = {}) => {
    const source = ledgerSource(await readDays(fixture.log, fixture.topics))
    return reportsOf(source, contractWith(slots, eligible), asked)
  }
  const kinds = (all: readonly DayReport[]) =>
    all.flatMap(({ day, drift }) => drift.map((one) => [day, one.slotId, one.kind]))

  test('default: the contract has what it was told', async () => {
    const found = await reports(asTold)
    expect(found.map(driftOf)).toEqual([0, 0])
    expect(found[1]).toMatchObject({ day: 1, slots: 3, paid: 2, eligibleNodes: { told: 2, onChain: 2 }, explained: 0 })
    expect(renderReports(found).at(-1)).toBe('drift 0')
  })
  test.each<[string, SlotOnChain, string]>([
    ['less', there(3, true), 'LOWER_ON_CHAIN'],
    ['more', there(9, true), 'HIGHER_ON_CHAIN'],
    ['the count, and did not pay', there(4), 'NOT_PAID'],
  ])('behavior: it has %s', async (_, slot, kind) => {
    const found = await reports({ ...asTold, 1: [slot, there(4, true), there(1)] })
    expect(kinds(found)).toEqual([[1, 1, kind]])
    expect(renderReports(found).at(-1)).toBe('drift 1')
  })
  test('behavior: it has paid a slot below the quota, or knows of one that the ledger does not', async () => {
    const found = await reports({ 1: [...asTold[1].slice(0, 2), there(1, true)], 2: [there(1), there(7)] })
    expect(kinds(found)).toEqual([
      [2, 2, 'HIGHER_ON_CHAIN'],
      [1, 3, 'PAID_BELOW_QUOTA'],
    ])
  })
  test('behavior: who is marked as paid, and got nothing, is told so, with what it loses', async () => {
    const found = await reports({ ...asTold, 1: [there(4, true), there(4, false, true), there(9, false, true)] })
    expect(kinds(found)).toEqual([
      [1, 2, 'MARKED_UNPAID'],
      [1, 3, 'MARKED_UNPAID'],
    ])
    expect(found[1]).toMatchObject({ paid: 1, markedUnpaid: { slots: 2, first: [2, 3], amount: '900' } })
    expect(found[1]!.otherNumber).toBe(false)
    expect(renderReports(found).join('\n')).toContain(
      'MARKED_UNPAID: 2 slots (2, 3) are marked as paid, and get nothing of 900',
    )
  })
  test('behavior: who was paid is looked for from the first release of the day on', async () => {
    const source = ledgerSource(await readDays(fixture.log, fixture.topics))
    const asked: unknown[] = []
    const day: Parameters<typeof reportsOf>[1]['day'] = async (key, slots) => {
      asked.push(key.firstBlock)
      return contractWith(asTold, 2).day(key, slots)
    }
    await reportsOf(source, { ...contractWith(asTold, 2), day }, {})
    expect(asked).toEqual([20, 10])
  })
  test('behavior: what is not told yet is no drift', async () => {
    await days.epoch(3, 2, { 1: votes(2), 3: votes(1) })
    const [today] = await reports(asTold)
    expect([driftOf(today!), today!.explained]).toEqual([0, 2])
  })
  test.each([
    ['found late', 2],
    ['of a counter that was put back over its release', 4],
  ])('behavior: a late epoch is drift: %s', async (_, epochId) => {
    fixture = await createFixture()
    const late = createDays(fixture)
    await late.epoch(1, 1, { 1: votes(4), 3: votes(1) })
    await late.epoch(3, 2, { 1: votes(1) }, 1)
    await late.pay(1, 3, 0, { eligibleNodes: 1, quota: QUOTA })
    await late.close(epochId, 1, { 3: votes(1) })
    const found = await reports({ ...asTold, 1: [there(4, true), there(0), there(1)] }, 1)
    expect(kinds(found)).toEqual([[1, 3, 'LOWER_ON_CHAIN']])
  })
  test('behavior: the number of eligible nodes is another one', async () => {
    const found = await reports(asTold, 3)
    expect(found[1]).toMatchObject({ otherNumber: true, eligibleNodes: { told: 2, onChain: 3 } })
    expect(renderReports(found).join('\n')).toContain('the contract has 3, and was told 2')
  })
  test('behavior: a number that somebody else has told is right when as many slots are paid', async () => {
    const other = { eligibleNodes: 0, quota: 0, sent: 0, present: 2 }
    await days.pay(1, 2, 0, { ...other, paidBefore: [1, 2], transactionHash: '', blockNumber: -1 })
    expect((await reports(asTold)).map(driftOf)).toEqual([0, 0])
    expect((await reports(asTold, 3)).map(driftOf)).toEqual([0, 1])
    expect((await reports(asTold, 3, { slot: 3 })).map(driftOf)).toEqual([0, 0])
  })
  test.each([
    ['of the slots that are paid', 2, 0],
    ['that is too large', 1_000_000, 1],
    ['that is too small', 1, 1],
  ])('behavior: a number of somebody else that our calls carry: one %s', async (_, number, drift) => {
    await days.pay(1, 2, 0, { eligibleNodes: number, quota: QUOTA, numberFound: true })
    const found = await reports(asTold, number)
    expect(found.map(driftOf)).toEqual([0, drift])
    const words = `OTHER_NUMBER: somebody else has told the contract ${number} eligible nodes, and 2 are paid`
    expect(renderReports(found).join('\n').includes(words)).toBe(drift > 0)
  })
  test('behavior: a slot that was burned since has its place in the number', async () => {
    await days.pay(1, 2, 0, { eligibleNodes: 2, quota: QUOTA, numberFound: true })
    const found = await reports({ ...asTold, 1: [there(4), there(4, true), there(1)] })
    expect(found[1]!.otherNumber).toBe(false)
  })
  test.each([
    ['was told of it before', there(4)],
    ['has nothing of it', there(0)],
  ])('behavior: a slot that is burned is no drift, as no alert tells it: the contract %s', async (_, slot) => {
    const leftOut = [{ slotId: 1, counted: 4, onChain: slot.count, reason: 'UNAVAILABLE' as const }]
    await days.pay(1, 2, 0, { eligibleNodes: 2, quota: QUOTA, leftOut })
    const found = await reports({ ...asTold, 1: [slot, there(4, true), there(1)] })
    expect([driftOf(found[1]!), found[1]!.explained]).toEqual([0, 1])
  })
  test('behavior: of a day that can never be sent, who has the quota and is not paid is drift', async () => {
    const over = {
      paymentState: 'UNPAID',
      eligibleNodes: 0,
      quota: 0,
      sent: 0,
      error: 'E38',
      transactionHash: '',
    } as const
    await days.pay(1, 2, 0, over)
    const unpaid = { ...asTold, 1: [there(4), there(4), there(1)] }
    expect(kinds(await reports(unpaid, 0))).toEqual([
      [1, 1, 'NOT_PAID'],
      [1, 2, 'NOT_PAID'],
    ])
    expect((await reports(asTold)).map(driftOf)).toEqual([0, 0])
  })
  test('behavior: of a day that is not whole nothing is drift', async () => {
    const [status] = (await readDays(fixture.log, fixture.topics)).days
    const onChain = { block: 1, eligibleNodes: 0, share: 0n, slots: [there(9)] }
    const report = compareDay({ ...status!, standing: 'NOT_WHOLE', whole: false }, [], [1], onChain)
    expect([driftOf(report), report.explained]).toEqual([0, 1])
  })
  test('args: one day, one slot', async () => {
    expect((await reports(asTold, 2, { day: 1 })).map(({ day }) => day)).toEqual([1])
    expect((await reports(asTold, 2, { slot: 3 })).map(({ slots }) => slots)).toEqual([1, 1])
  })
  test('error: no node is configured', async () => {
    expect(await run('--reconcile')).toMatchObject({
      stderr: expect.stringContaining('no node is configured'),
      exitCode: 3,
    })
  })
})
