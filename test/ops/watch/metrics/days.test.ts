/** The metrics of days: what waits to be closed and for how long, what differs, who is not paid. */
import { expect, test } from 'vitest'
import type { DayStatus, RunStatus } from '../../../../ops/reading/day.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { setDays } from '../../../../ops/watch/metrics/days.ts'
import { MARKET } from '../../look/fixture.ts'

const run = (fields: Partial<RunStatus>): RunStatus => ({
  epochId: 1,
  parts: 2,
  states: { FINAL: 2 },
  slots: 10,
  sent: 10,
  present: 0,
  paidBefore: 0,
  leftOut: {},
  unpaid: 0,
  overdue: 0,
  eligibleNodes: 5,
  numberFound: false,
  quota: 4,
  error: '',
  ...fields,
})
/** Day n has the epochs from (n − 1) · 20 + 1 on. */
const dayOf = (day: number, fields: Partial<DayStatus> = {}): DayStatus => ({
  dataMarket: MARKET,
  day,
  standing: 'CLOSED',
  ended: true,
  whole: true,
  quota: 4,
  firstEpoch: (day - 1) * 20 + 1,
  lastEpoch: day * 20,
  firstBlock: day * 100,
  epochs: 20,
  late: 0,
  slots: 10,
  eligibleSlots: 5,
  accepted: 100,
  counted: 90,
  beganAt: 0,
  changedAt: 0,
  told: null,
  closing: run({}),
  paid: 5,
  drift: 0,
  ...fields,
})
const today = dayOf(3, { standing: 'COUNTING', ended: false, epochs: 7, closing: null })

async function told(days: readonly DayStatus[], headEpoch = 50, rewards: 'on' | 'counts' = 'on') {
  const metrics = createMetrics({ version: '0', roles: ['api'], markets: [MARKET] })
  setDays(metrics, { dataMarket: MARKET, rewards, headEpoch, days })
  const text = await metrics.text()
  /** @param labels beside the market, as they stand in the line */
  return (name: string, labels = ''): number => {
    const start = `${name}{market="${MARKET}"${labels}} `
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(start))
        ?.slice(start.length) ?? Number.NaN,
    )
  }
}

test('default: today, and nothing that waits', async () => {
  const value = await told([today, dayOf(2)])
  expect(['seq_day', 'seq_day_epochs', 'seq_day_slots', 'seq_day_slots_eligible'].map((name) => value(name))).toEqual([
    3, 7, 10, 5,
  ])
  expect(['seq_day_unclosed_days', 'seq_day_calls_pending'].map((name) => value(name))).toEqual([0, 0])
})
test.each([
  ['its calls are on their way, a quarter into the next', 'CLOSING', 45, 0.25],
  ['one of its epochs has not closed', 'COUNTING', 50, 0.5],
  ['it is too late', 'CLOSING', 63, 1.15],
] as const)('behavior: a day is not closed: %s', async (_, standing, head, expected) => {
  const waiting = dayOf(2, { standing, closing: run({ states: { FINAL: 1, SENT: 1 } }) })
  expect((await told([today, waiting], head))('seq_day_unclosed_days')).toBeCloseTo(expected)
  expect((await told([today, waiting], head, 'counts'))('seq_day_unclosed_days')).toBe(0)
})
test('behavior: a day that the contract does not take yet, since its counter was put back, waits too', async () => {
  const ahead = dayOf(5, {
    standing: 'CLOSING',
    firstEpoch: 21,
    lastEpoch: 40,
    closing: run({ states: { PLANNED: 2 } }),
  })
  const back = dayOf(3, { standing: 'COUNTING', ended: false, firstEpoch: 41, lastEpoch: 50, closing: null })
  expect((await told([back, ahead], 50))('seq_day_unclosed_days')).toBeCloseTo(0.5)
})
test('behavior: one that is not whole, or of which nobody has a count, does not wait', async () => {
  for (const fields of [
    { whole: false, standing: 'NOT_WHOLE' },
    { counted: 0, standing: 'COUNTED' },
  ] as const)
    expect((await told([today, dayOf(2, fields)]))('seq_day_unclosed_days')).toBe(0)
})
test('behavior: calls that are on their way', async () => {
  const waiting = dayOf(2, {
    standing: 'CLOSING',
    closing: run({ parts: 5, states: { FINAL: 1, UNPAID: 1, SENT: 3 } }),
  })
  expect((await told([today, waiting]))('seq_day_calls_pending')).toBe(3)
})
test.each([
  ['as many as are paid', 5, true, {}, 0],
  ['too large', 1_000_000, true, {}, 999_995],
  ['that of the slots paid and one burned since', 6, true, { leftOut: { UNAVAILABLE: 1 } }, 0],
  ['too large, and fixed by us: the log is told by other means', 1_000_000, false, {}, 0],
  ['not all paid by yet', 1_000_000, true, { states: { FINAL: 1, SENT: 1 } }, 0],
] as const)('behavior: the number of somebody else: %s', async (_, eligibleNodes, numberFound, fields, expected) => {
  const closing = run({ eligibleNodes, numberFound, ...fields })
  const standing = 'states' in fields ? 'CLOSING' : 'CLOSED'
  const value = await told([today, dayOf(2, { standing, closing, paid: 5 })])
  expect(value('seq_day_drift_slots', ',reason="OTHER_NUMBER"')).toBe(expected)
})
test.each([
  ['epochs came late, and two slots have the quota since', 1, 3, 2],
  ['epochs came late, and nobody has reached it by them', 1, 5, 0],
  ['none came late: a quota says who is paid', 0, 3, 0],
])('behavior: slots that earned the day when it was closed already: %s', async (_, late, paid, expected) => {
  const value = await told([today, dayOf(2, { late, paid, eligibleSlots: 5, closing: run({}) })])
  expect(value('seq_day_unpaid_slots', ',cause="late"')).toBe(expected)
})
test('behavior: slots that somebody has marked, and paid nothing', async () => {
  const closing = run({ leftOut: { MARKED_UNPAID: 3 }, eligibleNodes: 5, numberFound: true })
  const value = await told([today, dayOf(2, { closing, paid: 2 })])
  expect(value('seq_day_unpaid_slots', ',cause="marked"')).toBe(3)
  expect(value('seq_day_unpaid_slots', ',cause="left_out"')).toBe(0)
  expect(value('seq_day_drift_slots', ',reason="MARKED_UNPAID"')).toBe(3)
  expect(value('seq_day_drift_slots', ',reason="OTHER_NUMBER"')).toBe(0)
})
test('behavior: who is not paid, and what differs', async () => {
  const closing = run({ leftOut: { QUOTA_RAISED: 2, HIGHER_ON_CHAIN: 1, DAY_OVER: 9 }, overdue: 4, unpaid: 3 })
  const days = [today, dayOf(2, { closing }), dayOf(1, { standing: 'NOT_WHOLE', whole: false, closing: null })]
  const value = await told(days)
  expect(value('seq_day_unpaid_slots', ',cause="unsent"')).toBe(7)
  expect(value('seq_day_unpaid_slots', ',cause="left_out"')).toBe(2)
  expect(value('seq_day_unpaid_slots', ',cause="not_whole"')).toBe(5)
  expect(value('seq_day_drift_slots', ',reason="HIGHER_ON_CHAIN"')).toBe(1)
})
