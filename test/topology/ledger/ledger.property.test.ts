/** The ledger is a function of the verdicts, whatever the order, the partitions, the commits and the crashes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EpochTick } from '../../../schemas/types.ts'
import { tasksOf } from '../../../streams/topology.ts'
import { EPOCH_RANGES_MAX, hasCounted, withEpoch } from '../../../topology/ledger/day.ts'
import { payoutsOf } from '../../../topology/ledger/payouts.ts'
import { type Arrival, arrivals, interleave, TICKS } from '../scenario.ts'
import { closeTick, createWorld, rulesOf, type World, type WorldOptions } from '../world.ts'
import { readingsOf } from './days.ts'

/** Epochs 1 and 2 are of day 1, the third and those behind it of day 2. */
const dayOf = (epochId: number): number => (epochId < 3 ? 1 : 2)
const inDays = (tick: EpochTick): EpochTick => {
  if (tick.kind !== 'OPEN' && tick.kind !== 'CLOSE') return tick
  const daysEnded = tick.kind === 'CLOSE' && tick.epochId >= 2 ? 1 : 0
  return { ...tick, day: dayOf(tick.epochId), dailyQuota: 2, daysEnded }
}

function run(all: readonly Arrival[], { restarts = false, ...options }: WorldOptions & { restarts?: boolean }): World {
  const rules = rulesOf({ rewards: 'on', payoutEpochs: 1, payoutGasMax: 500_000 })
  const world = createWorld({ ...options, rules })
  TICKS.forEach((ticks, place) => {
    world.tick(...ticks.map(inDays))
    for (const { submission } of all.filter((arrival) => arrival.place === place)) {
      const { epochId, projectId } = submission
      const key = { dataMarket: submission.dataMarket.toLowerCase(), epochId, projectId }
      world.driver.append(world.topics.submissions, key, submission)
    }
    world.driver.run()
    if (restarts)
      for (const stage of world.topology.stages)
        for (let task = 0; task < tasksOf(stage); task++) world.driver.restart(stage.name, task)
  })
  return world
}

function ledgerOf(world: World) {
  const { day, slotsOf, payouts } = readingsOf(world)
  return [1, 2].map((number) => ({ day: day(number), slots: [...slotsOf(number)] })).concat(payouts() as never[])
}

const partitions = fc.constantFrom(1, 3, { submissions: 3, validated: 8, admitted: 1, finalizations: 5 })

test('behavior: any interleaving, any partitions, any commit interval and crashes give the same ledger and payouts', () => {
  fc.assert(
    fc.property(
      arrivals,
      fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
      partitions,
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      (all, turns, counts, commitEvery, restarts) => {
        const plain = run(all, {})
        const other = run(interleave(all, turns), { partitions: counts, commitEvery, restarts })
        expect(ledgerOf(other)).toEqual(ledgerOf(plain))
      },
    ),
    { numRuns: 30 },
  )
})

test('behavior: over the slots of a day the counts are its COUNTED verdicts, and what was accepted is every vote', () => {
  const VOTES = ['COUNTED', 'OUTVOTED', 'NO_QUORUM', 'UNANCHORABLE']
  fc.assert(
    fc.property(arrivals, partitions, (all, counts) => {
      const world = run(all, { partitions: counts })
      const { day, slotsOf } = readingsOf(world)
      const closed = world.driver.read(world.topics.verdicts).filter(({ key }) => key.epochId >= 1 && key.epochId <= 3)
      for (const number of [1, 2]) {
        const ofDay = closed.filter(({ key }) => dayOf(key.epochId) === number)
        for (const [slotId, { accepted, counted }] of slotsOf(number)) {
          const reasons = ofDay.filter(({ key }) => key.slotId === slotId).map(({ value }) => value.reason)
          expect([accepted, counted]).toEqual([
            reasons.filter((reason) => VOTES.includes(reason)).length,
            reasons.filter((reason) => reason === 'COUNTED').length,
          ])
        }
        const rows = [...slotsOf(number).values()]
        expect(day(number)).toMatchObject({
          counted: ofDay.filter(({ value }) => value.reason === 'COUNTED').length,
          slots: rows.length,
          eligibleSlots: rows.filter(({ counted }) => counted >= 2).length,
        })
      }
    }),
    { numRuns: 30 },
  )
})

test('behavior: the payouts of a run have every slot once, ascending, each with its count', () => {
  const rows = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.nat(5)), {
    selector: ([slotId]) => slotId,
    maxLength: 400,
  })
  fc.assert(
    fc.property(rows, fc.integer({ min: 300_000, max: 3_000_000 }), (counts, payoutGasMax) => {
      const run = { day: 1, epochId: 9, closeBlock: 1, firstBlock: 1, quota: 0, purpose: 'CLOSING', number: 4 } as const
      const slots = counts.map(
        ([slotId, counted]) => [slotId, { counted, accepted: 9, lastEpoch: 1, inPayout: 0 }] as const,
      )
      const payouts = payoutsOf(run, slots, { payoutGasMax })
      expect(
        payouts.flatMap(({ slotIds, submissions }) => slotIds.map((slotId, i) => [slotId, submissions[i]])),
      ).toEqual(counts.filter(([, counted]) => counted > 0).sort(([a], [b]) => a - b))
      expect(payouts.map(({ number, part, parts }) => [number, part, parts])).toEqual(
        payouts.map((_, i) => [4 + i, i, payouts.length]),
      )
      expect(payouts.every(({ slotIds }) => slotIds.length <= Math.floor((payoutGasMax - 100_000) / 200_000))).toBe(
        true,
      )
    }),
  )
})

test('behavior: a day knows its epochs in whatever order they close, in a bounded number of ranges', () => {
  const epochs = fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { maxLength: 200 })
  fc.assert(
    fc.property(epochs, (closed) => {
      const day = closed.reduce(
        (before, epochId) => withEpoch(before, closeTick(epochId, 1, 2)),
        undefined as ReturnType<typeof withEpoch> | undefined,
      )
      for (const epochId of closed) expect(hasCounted(day, epochId)).toBe(true)
      if (!day?.merged) expect(hasCounted(day, closed.length === 0 ? 1 : 501)).toBe(false)
      expect(day?.epochs.length ?? 0).toBeLessThanOrEqual(EPOCH_RANGES_MAX)
      expect(day?.closed ?? 0).toBe(closed.length)
    }),
  )
})
