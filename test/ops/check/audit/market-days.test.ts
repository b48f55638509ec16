/** The two ledgers: the stage, in the test driver, and the one of the audit, of the same epochs in the same order. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareRuns } from '../../../../ops/check/audit/days/compare-runs.ts'
import { MarketDays } from '../../../../ops/check/audit/days/market-days.ts'
import type { FoundDay } from '../../../../ops/check/audit/days/rows.ts'
import { cutIntoCalls } from '../../../../ops/check/audit/days/runs.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import { payoutsOf } from '../../../../topology/ledger/payouts.ts'
import { MARKET_DEFAULTS, type MarketRules } from '../../../../topology/rules.ts'
import { createDays, type EpochOfDay } from '../../../topology/ledger/days.ts'
import { MARKET } from '../../../topology/world.ts'

const SLOTS = 4
/** Two slots that are paid in a call, six that are counted. */
const RULES = { rewards: 'on', payoutEpochs: 2, payoutGasMax: 500_000, daysKept: 3 } as const
const QUOTA = 2
/** The first epochs of a log whose beginning has expired. */
const NOT_WHOLE = 3

interface Epoch {
  readonly epochId: number
  readonly of: EpochOfDay
}

/** Epochs with gaps and skips, whose days go on, end late, and are put back. */
const epochsOf = fc
  .array(
    fc.record({
      step: fc.constantFrom(1, 1, 1, 1, 2, 3),
      without: fc.constantFrom('unknown', 'skipped', 'refused'),
      day: fc.constantFrom(0, 0, 0, 1, 1, -1),
      ended: fc.constantFrom(-1, -1, 0, -2),
      quota: fc.constantFrom(QUOTA, QUOTA, 1, 3),
      votes: fc.subarray(Array.from({ length: SLOTS }, (_, at) => at + 1)),
      wrong: fc.subarray(Array.from({ length: SLOTS }, (_, at) => at + 1)),
      noDay: fc.constantFrom(false, false, false, false, true),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map((steps) => {
    let [epochId, day] = [0, 1]
    return steps.map(({ step, without, ended, quota, votes, wrong, noDay, ...one }): Epoch => {
      const before = epochId
      epochId += step
      day = Math.max(1, day + one.day)
      const from = (why: typeof without): number => (without === why && step > 1 ? before + 1 : 0)
      const said = votes.map((slotId) => [slotId, wrong.includes(slotId) ? 'bafkreia' : 'bafkreib'] as const)
      const of = { day: noDay ? 0 : day, daysEnded: Math.max(0, day + ended), dailyQuota: quota }
      return {
        epochId,
        of: {
          ...of,
          skippedFrom: from('skipped'),
          refusedFrom: from('refused'),
          votes: Object.fromEntries(said),
          shared: true,
        },
      }
    })
  })

/** The winner is that of more votes; of as many, that of the lower hash: both are tried by the rows. */
function played(epochs: readonly Epoch[], isCutAt = 0) {
  const days = createDays({ market: RULES, slots: SLOTS })
  for (const { epochId, of } of epochs) days.epoch(epochId, of)
  const found = new Map<number, FoundDay>()
  const at = (day: number): FoundDay => {
    const one = found.get(day) ?? { day: undefined, slots: new Map() }
    found.set(day, one)
    return one
  }
  for (const { key, value } of days.driver.rows(days.topics.days)) at(key.day).day = value
  for (const { key, value } of days.driver.rows(days.topics.slotDays)) at(key.day).slots.set(key.slotId, value)
  const closes = days.driver
    .read(days.topics.tallies)
    .flatMap(({ value }) => ('tick' in value && value.tick.kind === 'CLOSE' ? [value.tick] : []))
  const tallies = days.driver.read(days.topics.tallies).flatMap(({ value }) => ('tick' in value ? [] : [value]))
  const payouts = days.driver
    .read(days.topics.payouts)
    .map(({ key, value }, offset) => ({ ...key, offset, payout: value }))

  const findings = new Findings()
  const rules: MarketRules = { ...MARKET_DEFAULTS, ...RULES, dataMarket: MARKET, chainId: 1, protocolState: MARKET }
  const kept = closes.filter(({ epochId }) => epochId >= isCutAt)
  const beginning = isCutAt > 0 ? kept.slice(0, NOT_WHOLE).map(({ epochId }) => epochId) : []
  const has = (_: string, epochId: number): boolean => beginning.every((one) => epochId > one)
  const twin = new MarketDays(rules, found, findings, { isCut: isCutAt > 0, has })
  for (const tick of kept) {
    const votes = new Map<number, { accepted: number; counted: number }>()
    for (const { talliedEpoch, counted, uncounted } of tallies)
      if (talliedEpoch === tick.epochId) {
        for (const slotId of counted) votes.set(slotId, { accepted: 1, counted: 1 })
        for (const slotId of uncounted) votes.set(slotId, { accepted: 1, counted: 0 })
      }
    const expected = twin.close({ tick, votes: has(MARKET, tick.epochId) ? votes : undefined, isDue: true })
    const ofClose = payouts.filter(({ payout }) => payout.epochId === tick.epochId)
    const isPartial = (day: number) => twin.isPartial(day)
    compareRuns({ expected, found: ofClose, tick, isDue: true, mayBeCut: false, isPartial, findings })
  }
  return { ...twin.finish(), payouts: payouts.length, findings: findings.differences() }
}

test('behavior: both make the same rows and runs, whatever is told of days', { timeout: 120_000 }, () => {
  let payouts = 0
  fc.assert(
    fc.property(epochsOf, (epochs) => {
      const report = played(epochs)
      payouts += report.payouts
      expect(report.findings).toEqual([])
    }),
    { numRuns: 60 },
  )
  expect(payouts).toBeGreaterThan(5)
})

test('behavior: a day that was let go and comes back is another one', () => {
  const days = [2, 3, 4, 3, 0, 1, 2]
  const epochs = days.map((day, at) => ({
    epochId: at + 1,
    of: { day, daysEnded: Math.max(0, day - 1), votes: { 1: 'bafkreia' } },
  }))
  expect(played(epochs).findings).toEqual([])
})

test('behavior: of a log that begins anywhere, what can be recomputed is, and nothing is guessed', {
  timeout: 120_000,
}, () => {
  let [compared, unchecked] = [0, 0]
  fc.assert(
    fc.property(epochsOf, fc.integer({ min: 2, max: 8 }), (epochs, isCutAt) => {
      const report = played(epochs, isCutAt)
      compared += report.compared
      unchecked += report.unchecked
      expect(report.findings).toEqual([])
    }),
    { numRuns: 50 },
  )
  expect(compared).toBeGreaterThan(5)
  expect(unchecked).toBeGreaterThan(5)
})

test('behavior: more gaps than a row holds become one', { timeout: 60_000 }, () => {
  const epochs = Array.from({ length: 70 }, (_, at) => ({
    epochId: 1 + 2 * at,
    of: { day: 1, votes: { 1: 'bafkreia' } },
  }))
  // what lies in a gap that was joined counts as counted
  const late = { epochId: 2, of: { day: 1, votes: { 1: 'bafkreia' } } }
  expect(played([...epochs, late])).toMatchObject({ compared: 1, findings: [] })
})

test('behavior: both cut a run into the same calls', () => {
  const counts = fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { maxLength: 400 })
  const gas = fc.constantFrom(300_000, 500_000, 1_000_000, 24_000_000, 10 ** 9)
  fc.assert(
    fc.property(
      counts,
      gas,
      fc.constantFrom('COUNTS' as const, 'CLOSING' as const),
      (slotIds, payoutGasMax, purpose) => {
        const rows = slotIds.map(
          (slotId) => [slotId, { accepted: 1, counted: slotId, lastEpoch: 1, inPayout: 0 }] as const,
        )
        const run = { day: 1, epochId: 1, closeBlock: 1, firstBlock: 1, quota: 10 ** 9, purpose, number: 0 }
        const stage = payoutsOf(run, rows, { payoutGasMax }).map(({ slotIds, submissions }) =>
          slotIds.map((slotId, at) => [slotId, submissions[at]]),
        )
        expect(
          cutIntoCalls(
            slotIds.map((slotId) => [slotId, slotId] as const),
            purpose,
            { payoutGasMax },
          ),
        ).toEqual(stage)
      },
    ),
  )
})
