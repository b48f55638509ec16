/** The promises of the whole topology, over scenarios with wrong submissions of every kind and a reorganisation. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Submission } from '../../schemas/types.ts'
import { tasksOf } from '../../streams/topology.ts'
import type { MarketRules } from '../../topology/rules.ts'
import { type Arrival, arrivals, interleave, PLACES, TICKS } from './scenario.ts'
import { createWorld, rulesOf, type World, type WorldOptions } from './world.ts'

interface Run extends WorldOptions {
  readonly market?: Partial<MarketRules>
  /** A task is thrown away and restored after each of these places. */
  readonly restarts?: boolean
}

function run(all: readonly Arrival[], { market = {}, restarts = false, ...options }: Run): World {
  const world = createWorld({ ...options, rules: rulesOf({ batchProjectsMax: 2, ...market }) })
  TICKS.forEach((ticks, place) => {
    world.tick(...ticks)
    for (const arrival of all) if (arrival.place === place) append(world, arrival.submission)
    world.driver.run()
    if (restarts)
      for (const stage of world.topology.stages)
        for (let task = 0; task < tasksOf(stage); task++) world.driver.restart(stage.name, task)
  })
  return world
}

function append({ driver, topics }: World, submission: Submission): void {
  const { epochId, projectId } = submission
  driver.append(topics.submissions, { dataMarket: submission.dataMarket.toLowerCase(), epochId, projectId }, submission)
}

const bytesOf = (world: World) =>
  world.batches().map(({ json, ...rest }) => ({ ...rest, json: Buffer.from(json).toString() }))
const reasonsOf = (world: World) =>
  world
    .verdicts()
    .map(({ submissionId, reason }) => `${submissionId} ${reason}`)
    .sort()

const choices = fc.array(fc.nat(), { minLength: 1, maxLength: 40 })
const partitions = fc.constantFrom(
  1,
  3,
  8,
  { submissions: 3, validated: 8, admitted: 1, finalizations: 3 },
  { submissions: 8, admitted: 3, validated: 1, finalizations: 8 },
)
const market = fc.record({
  perSlotPerEpoch: fc.integer({ min: 1, max: 4 }),
  votesMin: fc.constantFrom(1, 1, 2),
  tree: fc.constantFrom('chained' as const, 'fresh' as const),
})

test('behavior: every record of submissions ends in exactly one verdict', () => {
  fc.assert(
    fc.property(arrivals, partitions, market, fc.integer({ min: 1, max: 9 }), (all, counts, rules, commitEvery) => {
      const world = run(all, { partitions: counts, market: rules, commitEvery })
      const places = world.submitted().map(({ partition, offset }) => `${partition}/${offset}`)
      expect(places).toHaveLength(all.length)
      expect(
        world
          .verdicts()
          .map(({ position }) => `${position.partition}/${position.offset}`)
          .sort(),
      ).toEqual(places.sort())
      expect(world.summaries().map(({ summaryOf }) => summaryOf)).toEqual([1, 2, 3])
      expect(world.requests()).toEqual([])
    }),
    { numRuns: 60 },
  )
})

test('behavior: any interleaving, any partitions and any commit interval give the same bytes and the same verdicts', () => {
  fc.assert(
    fc.property(
      arrivals,
      choices,
      partitions,
      market,
      fc.integer({ min: 1, max: 9 }),
      (all, turns, counts, rules, commitEvery) => {
        const plain = run(all, { market: rules })
        const other = run(interleave(all, turns), { partitions: counts, market: rules, commitEvery })
        expect(bytesOf(other)).toEqual(bytesOf(plain))
        expect(other.summaries()).toEqual(plain.summaries())
        expect(reasonsOf(other)).toEqual(reasonsOf(plain))
      },
    ),
    { numRuns: 120 },
  )
})

test('behavior: nor does an owner that floods leave a trace of partitions and order', () => {
  const flooded = fc.record({
    perSlotPerEpoch: fc.integer({ min: 1, max: 2 }),
    overQuotaMax: fc.integer({ min: 0, max: 3 }),
  })
  const told = (world: World) =>
    reasonsOf(world)
      .map((reason) => reason.replace(/DUPLICATE|EPOCH_TOO_FAR/, 'RATE_LIMITED'))
      .sort()
  fc.assert(
    fc.property(
      fc.tuple(arrivals, arrivals).map((both) => both.flat()),
      choices,
      partitions,
      flooded,
      fc.integer({ min: 1, max: 9 }),
      (all, turns, counts, rules, commitEvery) => {
        const plain = run(all, { market: rules })
        const other = run(interleave(all, turns), { partitions: counts, market: rules, commitEvery, restarts: true })
        expect(bytesOf(other)).toEqual(bytesOf(plain))
        expect(other.summaries()).toEqual(plain.summaries())
        // What a flood is made of is forgotten, so that a copy in it may be called either; and one that came too early is
        // told so when its epoch opens, or before, that it is beyond the places of its owner in that partition.
        expect(told(other)).toEqual(told(plain))
      },
    ),
    { numRuns: 60 },
  )
})

test('behavior: a restart of every task after every step changes nothing', () => {
  fc.assert(
    fc.property(arrivals, partitions, market, fc.integer({ min: 1, max: 9 }), (all, counts, rules, commitEvery) => {
      const options = { partitions: counts, market: rules, commitEvery }
      const [plain, restarted] = [run(all, options), run(all, { ...options, restarts: true })]
      expect(bytesOf(restarted)).toEqual(bytesOf(plain))
      expect(reasonsOf(restarted)).toEqual(reasonsOf(plain))
    }),
    { numRuns: 40 },
  )
})

/** Each message with the header that it came with first: with two it would be contested, and count whatever its headers are. */
function withOneHeader(all: readonly Arrival[]): Arrival[] {
  const headers = new Map<string, string>()
  return all.map(({ submission, place }) => {
    const header = headers.get(submission.signature) ?? submission.header
    headers.set(submission.signature, header)
    return { submission: { ...submission, header }, place }
  })
}

test('behavior: sent twice, everything counts once', () => {
  fc.assert(
    fc.property(arrivals.map(withOneHeader), market, (all, rules) => {
      const once = run(all, { market: rules })
      const copies = all.map(({ submission, place }) => ({ submission, place: Math.min(place + 1, PLACES - 1) }))
      const twice = run([...all, ...copies], { market: rules, partitions: 3 })
      expect(bytesOf(twice)).toEqual(bytesOf(once))
      expect(twice.verdicts()).toHaveLength(2 * all.length)
    }),
    { numRuns: 40 },
  )
})

test('behavior: a slot counts once per project and epoch', () => {
  fc.assert(
    fc.property(arrivals, market, (all, rules) => {
      for (const { json, roothash, submissions } of run(all, { market: rules }).batches()) {
        const content = JSON.parse(Buffer.from(json).toString()) as { submissions: string[]; roothash: string }
        const votes = content.submissions.map(
          (text) => JSON.parse(text).request as { slotId: string; projectId: string },
        )
        const seats = votes.map(({ slotId, projectId }) => `${slotId} ${projectId}`)
        expect(new Set(seats).size).toBe(seats.length)
        expect([content.roothash, seats.length]).toEqual([roothash, submissions])
      }
    }),
    { numRuns: 40 },
  )
})

describe('the scenarios', () => {
  test('behavior: they reach every reason that a stage can give', () => {
    const seen = new Set<string>()
    for (const [all, rules] of fc.sample(fc.tuple(arrivals, market), { numRuns: 240, seed: 7 }))
      for (const { reason } of run(all, { market: rules }).verdicts()) seen.add(reason)
    expect([...seen].sort()).toEqual([
      'BAD_SIGNATURE',
      'COUNTED',
      'DEADLINE_PASSED',
      'DUPLICATE',
      'EPOCH_CLOSED',
      'EPOCH_TOO_FAR',
      'NO_QUORUM',
      'ORPHANED_HEADER',
      'OUTVOTED',
      'RATE_LIMITED',
      'SIMULATION',
      'SLOT_MISMATCH',
      'STALE_HEADER',
      'SUPERSEDED',
      'UNKNOWN_HEADER',
      'UNKNOWN_MARKET',
    ])
  })
})
