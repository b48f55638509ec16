/** The promises of the whole topology, over scenarios with wrong submissions of every kind and a reorganisation. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EpochTick, Submission } from '../../schemas/types.ts'
import { tasksOf } from '../../streams/topology.ts'
import type { MarketRules } from '../../topology/rules.ts'
import {
  closeTick,
  createWorld,
  hashOf,
  headTick,
  OTHER_MARKET,
  openTick,
  orphanTick,
  rulesOf,
  type SubmissionFields,
  submissionOf,
  uuid,
  type World,
  type WorldOptions,
} from './world.ts'

/** Ticks, and between them the places where submissions arrive. Block 14 is replaced by 14b; epoch 3 by then is not open. */
const TICKS: readonly (readonly EpochTick[])[] = [
  [],
  [headTick(10), openTick(1, 10), headTick(11)],
  [headTick(12), openTick(2, 12)],
  [headTick(13), closeTick(1, 10, 13)],
  [headTick(14), openTick(3, 14)],
  [orphanTick(14), headTick(14, 'b', '')],
  [
    headTick(15, 'b'),
    { ...closeTick(2, 12, 15, 'b'), acceptedHeaders: [hashOf(12), hashOf(13), hashOf(14, 'b'), hashOf(15, 'b')] },
  ],
  [openTick(3, 15, 'b'), headTick(16, 'b'), closeTick(3, 15, 16, 'b')],
]
const PLACES = TICKS.length
const HEADERS = [
  ...[9, 10, 11, 12, 13, 14, 15, 99].map((block) => hashOf(block)),
  hashOf(14, 'b'),
  hashOf(15, 'b'),
  '',
  'bad',
]

const GOOD_HEADERS = [11, 12, 13].map((block) => hashOf(block))

interface Arrival {
  readonly submission: Submission
  readonly place: number
}

const fields: fc.Arbitrary<SubmissionFields> = fc.record(
  {
    slotId: fc.integer({ min: 1, max: 5 }),
    projectId: fc.constantFrom('pa', 'pa', 'p<&>', 'pé\u{1f600}'),
    snapshotCid: fc.constantFrom('A', 'B'),
    deadline: fc.constantFrom(9, 13, 99, 99, 100),
    header: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...GOOD_HEADERS) }, fc.constantFrom(...HEADERS)),
    epochId: fc.constantFrom(0, 1, 1, 1, 1, 1, 2, 2, 3, 9),
    receivedAt: fc.integer({ min: 1, max: 30 }),
    nodeVersion: fc.constantFrom(null, '', 'v1.2'),
  },
  { requiredKeys: ['slotId', 'projectId', 'snapshotCid', 'receivedAt', 'epochId', 'header'] },
)
const flaws = fc.constantFrom<SubmissionFields>(
  ...Array<SubmissionFields>(8).fill({}),
  { signature: 'ab' },
  { signedBy: 7 },
  { dataMarket: OTHER_MARKET },
)

/** Some are sent again later, under another UUID and header and at another time. */
const arrivals: fc.Arbitrary<Arrival[]> = fc
  .array(
    fc.tuple(
      fields,
      flaws,
      fc.oneof(fc.integer({ min: 1, max: 3 }), fc.nat(PLACES - 1)),
      fc.option(fc.tuple(fc.nat(PLACES - 1), fc.constantFrom(...HEADERS)), { freq: 4 }),
    ),
    {
      minLength: 10,
      maxLength: 60,
    },
  )
  .map((all) => {
    const sent: Arrival[] = []
    all.forEach(([given, flaw, place, again], n) => {
      const submission = submissionOf({ ...given, ...flaw, submissionId: uuid(n) })
      sent.push({ submission, place })
      if (again)
        sent.push({
          submission: { ...submission, submissionId: uuid(10_000 + n), header: again[1] },
          place: Math.max(place, again[0]),
        })
    })
    return sent
  })

/** Any order of arrival that keeps the order of each slot's submissions for one project. */
function interleave(all: readonly Arrival[], choices: readonly number[]): Arrival[] {
  const queues = new Map<string, Arrival[]>()
  for (const arrival of all) {
    const { slotId, projectId, epochId } = arrival.submission
    const key = `${slotId}/${projectId}/${epochId}`
    queues.set(key, [...(queues.get(key) ?? []), arrival])
  }
  const waiting = [...queues.values()]
  const order: Arrival[] = []
  for (let turn = 0; waiting.length > 0; turn++) {
    const at = choices[turn % choices.length]! % waiting.length
    order.push(waiting[at]!.shift()!)
    if (waiting[at]!.length === 0) waiting.splice(at, 1)
  }
  return order
}

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

test('behavior: sent twice, everything counts once', () => {
  fc.assert(
    fc.property(arrivals, market, (all, rules) => {
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
    for (const [all, rules] of fc.sample(fc.tuple(arrivals, market), { numRuns: 120, seed: 7 }))
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
