/** Days as the API tells them: while they go on, when they are closed, and when they cannot be. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { partsOf } from '../../../ops/api/view/keys.ts'
import { TABLE } from '../../../ops/api/view/rows.ts'
import { createFixture, type Fixture, MARKET, OTHER_MARKET } from '../look/fixture.ts'
import { createDays, type DaysStory, QUOTA, votes } from './days-story.ts'
import { type RunningApi, rowsOf, startApi } from './story.ts'

let fixture: Fixture
let days: DaysStory
let api: RunningApi
beforeEach(async () => {
  fixture = await createFixture()
  days = createDays(fixture)
  api = await startApi(fixture)
})
afterEach(() => api.close())

async function get<T = Record<string, unknown>>(url: string): Promise<T> {
  await api.caughtUp()
  return (await api.get(url)).json() as T
}
const list = async (url: string): Promise<readonly Record<string, unknown>[]> =>
  (await get<{ items: Record<string, unknown>[] }>(url)).items

/** Day 1 has three epochs: slot 1 and 2 reach the quota, 3 has less, 4 nothing that counted. */
async function closedDay(): Promise<void> {
  await days.epoch(1, 1, { 1: votes(2), 2: votes(2, 1), 3: votes(1), 4: votes(1, 0) })
  await days.epoch(2, 1, { 1: votes(2), 2: votes(2) })
  await days.open(3, 1)
  await days.open(4, 2)
  await days.close(3, 1, { 2: votes(1), 3: votes(1) }, 1)
}

describe('a day', () => {
  test('default: as soon as its first epoch is released, with its quota', async () => {
    await days.open(1, 1)
    expect(await list('/v1/days')).toEqual([
      expect.objectContaining({
        dataMarket: MARKET,
        day: 1,
        standing: 'COUNTING',
        quota: QUOTA,
        epochs: 0,
        beganAt: 0,
      }),
    ])
    expect(await get('/v1/days/1')).toMatchObject({
      slots: 0,
      firstEpoch: 1,
      changedAt: null,
      told: null,
      closing: null,
    })
    expect((await api.get('/v1/days/2')).statusCode).toBe(404)
  })
  test('default: in its course: what the slots have, and what the contract was told', async () => {
    await days.epoch(1, 1, { 1: votes(3), 2: votes(5, 4), 3: votes(2) }, 0, { payoutEpochs: 1 })
    await days.pay(1, 1, 0, {})
    await days.epoch(2, 1, { 1: votes(1, 0) })
    expect(await get('/v1/days/1')).toMatchObject({
      standing: 'COUNTING',
      whole: true,
      epochs: 2,
      slots: 3,
      eligibleSlots: 1,
      accepted: 11,
      counted: 9,
      told: { epochId: 1, parts: 1, states: { FINAL: 1 }, slots: 2, sent: 2, eligibleNodes: 0 },
      closing: null,
      drift: 0,
    })
  })
  test('default: closed: who was paid, and by which calls', async () => {
    await closedDay()
    expect(await get('/v1/days/1')).toMatchObject({
      standing: 'CLOSING',
      closing: { parts: 2, states: { PLANNED: 2 } },
    })
    await days.pay(1, 3, 0, { eligibleNodes: 2, quota: QUOTA })
    expect(await get('/v1/days/1')).toMatchObject({ standing: 'CLOSING', paid: 2 })
    await days.pay(1, 3, 1, { quota: 0 })
    expect(await get('/v1/days/1')).toMatchObject({
      standing: 'CLOSED',
      eligibleSlots: 2,
      paid: 2,
      drift: 0,
      closing: { epochId: 3, states: { FINAL: 2 }, slots: 3, sent: 3, eligibleNodes: 2, quota: QUOTA },
    })
    expect((await list('/v1/days')).map(({ day, standing }) => [day, standing])).toEqual([
      [2, 'COUNTING'],
      [1, 'CLOSED'],
    ])
    const calls = await list('/v1/days/1/payments')
    expect(calls.map(({ number, state, part }) => [number, state, part])).toEqual([
      [1, 'FINAL', 1],
      [0, 'FINAL', 0],
    ])
    expect(await list('/v1/days/1/payments?purpose=COUNTS')).toEqual([])
  })
  test('behavior: paid by another sequencer before our call: paid, and no drift', async () => {
    await closedDay()
    await days.pay(1, 3, 0, { sent: 0, present: 2, paidBefore: [1, 2], transactionHash: '', blockNumber: -1 })
    await days.pay(1, 3, 1, {})
    expect(await get('/v1/days/1')).toMatchObject({ standing: 'CLOSED', paid: 2, drift: 0, closing: { paidBefore: 2 } })
    expect((await list('/v1/days/1/slots')).map(({ standing }) => standing)).toEqual([
      'PAID',
      'PAID',
      'TOLD',
      'COUNTED',
    ])
    expect(await list('/v1/days/1/payments')).toMatchObject([{ paidBefore: [] }, { paidBefore: [1, 2] }])
  })
  test('behavior: what is left out is drift, and what can never be sent is told', async () => {
    await closedDay()
    const leftOut = [{ slotId: 2, counted: 4, onChain: 9, reason: 'HIGHER_ON_CHAIN' as const }]
    await days.pay(1, 3, 0, { eligibleNodes: 2, quota: QUOTA, sent: 1, leftOut })
    await days.pay(1, 3, 1, { paymentState: 'UNPAID', error: 'E38: day 3 has begun', transactionHash: '' })
    expect(await get('/v1/days/1')).toMatchObject({
      standing: 'UNPAID',
      paid: 1,
      drift: 2,
      closing: {
        states: { FINAL: 1, UNPAID: 1 },
        leftOut: { HIGHER_ON_CHAIN: 1 },
        unpaid: 1,
        error: 'E38: day 3 has begun',
      },
    })
    const slots = await list('/v1/days/1/slots')
    expect(slots.map(({ slotId, standing, leftOut: of }) => [slotId, standing, of])).toEqual([
      [1, 'PAID', null],
      [2, 'LEFT_OUT', { reason: 'HIGHER_ON_CHAIN', onChain: 9 }],
      [3, 'UNPAID', null],
      [4, 'COUNTED', null],
    ])
  })
  test('behavior: one that is not whole, or of a market whose rule is `counts`, is told as such', async () => {
    await days.epoch(5, 2, { 1: votes(4) }, 2) // the log began within it
    await days.epoch(6, 3, { 1: votes(4) }, 3, { rewards: 'counts' })
    const standings = (await list('/v1/days')).map(({ day, standing }) => [day, standing])
    expect(standings).toEqual([
      [3, 'COUNTED'],
      [2, 'NOT_WHOLE'],
    ])
  })
  test('behavior: the newest is that of the newest epoch, also where the counter was put back', async () => {
    await days.epoch(1, 5, { 1: votes(1) })
    await days.epoch(2, 6, { 1: votes(1) }, 5)
    const order = async (url: string) => (await list(url)).map(({ day }) => day)
    expect(await order('/v1/days')).toEqual([6, 5])
    await days.open(3, 4)
    expect(await order('/v1/days')).toEqual([4, 6, 5])
    await days.close(3, 4, { 1: votes(1) })
    await days.epoch(4, 5, { 1: votes(1) })
    expect([await order('/v1/days'), await order('/v1/slots/1/days')]).toEqual([
      [5, 4, 6],
      [5, 4, 6],
    ])
    const { next } = await get<{ next: string }>('/v1/days?limit=2')
    expect(await order(`/v1/days?limit=2&cursor=${next}`)).toEqual([6])
  })
  test('behavior: late epochs are told', async () => {
    await closedDay()
    await days.epoch(4, 1, { 3: votes(1) }, 1)
    expect(await get('/v1/days/1')).toMatchObject({ late: 1, epochs: 4, counted: 11 })
  })
})

describe('slots', () => {
  test('default: by how much of the quota they have', async () => {
    await closedDay()
    const { histogram } = await get<{ histogram: { from: number; below: number | null; slots: number }[] }>(
      '/v1/days/1',
    )
    expect(histogram.slice(0, 6)).toEqual([
      { from: 0, below: 1, slots: 1 },
      { from: 1, below: 2, slots: 0 },
      { from: 2, below: 3, slots: 1 },
      { from: 3, below: 4, slots: 0 },
      { from: 4, below: 5, slots: 2 },
      { from: 5, below: 6, slots: 0 },
    ])
    expect(histogram.at(-1)!.below).toBeNull()
    expect((await list('/v1/days/1/slots?eligible=true')).map(({ slotId }) => slotId)).toEqual([1, 2])
    expect((await list('/v1/days/1/slots?eligible=false&limit=1')).map(({ slotId }) => slotId)).toEqual([3])
  })
  test('default: the days of one, newest first, without those in which it did nothing', async () => {
    await closedDay()
    await days.pay(1, 3, 0, { eligibleNodes: 2, quota: QUOTA })
    await days.pay(1, 3, 1, {})
    await days.close(4, 2, { 1: votes(2, 1) })
    await days.epoch(5, 2, { 3: votes(1) })
    expect(await list('/v1/slots/1/days')).toEqual([
      {
        dataMarket: MARKET,
        day: 2,
        slotId: 1,
        standing: 'COUNTING',
        accepted: 2,
        counted: 1,
        quota: QUOTA,
        eligible: false,
        told: 0,
        lastEpoch: 4,
        leftOut: null,
        transactionHash: '',
      },
      expect.objectContaining({ day: 1, standing: 'PAID', told: 4, eligible: true, transactionHash: '0xpaid0' }),
    ])
    expect((await list('/v1/slots/3/days')).map(({ day, standing }) => [day, standing])).toEqual([
      [2, 'COUNTING'],
      [1, 'TOLD'],
    ])
    expect(await list('/v1/slots/9/days')).toEqual([])
  })
  test('behavior: another market has its own', async () => {
    await closedDay()
    await createDays(fixture, OTHER_MARKET).epoch(1, 1, { 1: votes(1) })
    expect((await list(`/v1/slots/1/days?market=${OTHER_MARKET}`)).map(({ counted }) => counted)).toEqual([1])
    expect((await list('/v1/slots/1/days')).map(({ counted }) => counted)).toEqual([1, 4])
  })
})

describe('what is not there', () => {
  test('error: calls of a day that nobody knows are no empty list', async () => {
    await closedDay()
    expect((await list('/v1/days/2/payments')).length).toBe(0)
    expect((await api.get('/v1/days/777/payments')).statusCode).toBe(404)
  })
  test('error: slot 0 is none, and has no days', async () => {
    await closedDay()
    expect((await api.get('/v1/slots/0/days')).statusCode).toBe(400)
  })
  test.each(['zzz', 'YWJj', ''])('error: a cursor that no list has given: %j', async (cursor) => {
    await closedDay()
    await get('/v1/days/1') // the view has it
    for (const url of ['/v1/days', '/v1/days/1/slots', '/v1/days/1/payments', '/v1/slots/1/days', '/v1/epochs'])
      expect((await api.get(`${url}?cursor=${cursor}`)).statusCode, url).toBe(400)
  })
  test('error: nor is the cursor of another list one', async () => {
    await closedDay()
    const { next } = await get<{ next: string }>('/v1/days/1/slots?limit=1')
    expect((await api.get(`/v1/days/1/slots?cursor=${next}`)).statusCode).toBe(200)
    expect((await api.get(`/v1/days/2/slots?cursor=${next}`)).statusCode).toBe(400)
    expect((await api.get(`/v1/days/1/slots?cursor=${next.slice(0, -2)}`)).statusCode).toBe(400)
  })
})

describe('rows', () => {
  test('behavior: of days before all that there are go, though nothing says so any more', async () => {
    const { topics, put } = fixture
    const row = { accepted: 1, counted: 1, lastEpoch: 1, inPayout: 0 }
    for (const day of [1, 2]) await put(topics.slotDays, { dataMarket: MARKET, slotId: 8, day }, row)
    await days.epoch(9, 2, { 1: votes(1) })
    await api.close()
    api = await startApi(fixture) // which looks for old rows once it has read
    const kept = async () =>
      (await rowsOf(api)).flatMap(([key]) =>
        key.startsWith(TABLE.slotDays) ? [partsOf(key).slice(2).map(Number)] : [],
      )
    await expect.poll(kept).toEqual([
      [2, 1],
      [2, 8],
    ])
  })
  test('behavior: go with their day, and are as from the beginning after it', async () => {
    await closedDay()
    await days.pay(1, 3, 0, { eligibleNodes: 2, quota: QUOTA })
    await days.close(4, 2, { 1: votes(2, 1) })
    await days.epoch(5, 2, {}, 0, { daysKept: 1 })
    expect((await list('/v1/days')).map(({ day }) => day)).toEqual([2])
    expect((await api.get('/v1/days/1')).statusCode).toBe(404)
    expect((await list('/v1/slots/1/days')).map(({ day }) => day)).toEqual([2])
    const before = await rowsOf(api)
    await api.close()
    api = await startApi(fixture)
    await api.caughtUp()
    const visible = (rows: typeof before) =>
      rows.filter(([key]) => !/^[jp]/.test(key)).map(([key, row]) => [key, row.toString()])
    expect(visible(await rowsOf(api))).toEqual(visible(before))
  })
})
