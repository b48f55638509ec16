/** Data markets that are added and removed while epochs are open: the HEAD that says so decides, where it lies in the log. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EpochTick, Submission } from '../../schemas/types.ts'
import { tasksOf } from '../../streams/topology.ts'
import { MARKET_DEFAULTS, MARKETS_MAX, rulesOfMarket } from '../../topology/rules.ts'
import {
  closeTick,
  createWorld,
  hashOf,
  headTick,
  MARKET,
  marketRules,
  OTHER_MARKET,
  openTick,
  orphanTick,
  rulesOf,
  type SubmissionFields,
  submissionOf,
  uuid,
  type World,
} from './world.ts'

const change = (served: boolean, dataMarket = OTHER_MARKET) => ({ dataMarket, served })
const withMarkets = (tick: EpochTick, ...markets: EpochTick['markets']): EpochTick => ({ ...tick, markets })
const openOther = (epochId: number, block: number, fork = ''): EpochTick => openTick(epochId, block, fork, OTHER_MARKET)
const closeOther = (epochId: number, release: number, block: number): EpochTick =>
  closeTick(epochId, release, block, '', OTHER_MARKET)
const toOther = (fields: SubmissionFields = {}): Submission => submissionOf({ dataMarket: OTHER_MARKET, ...fields })

/** Epoch 1 of the configured market is open; the other is added in block 12 and its epoch 7 released there. */
const addedWorld = (): World => {
  const world = createWorld({ partitions: 3 })
  world.tick(headTick(10), openTick(1, 10), headTick(11))
  world.tick(withMarkets(headTick(12), change(true)), openOther(7, 12))
  return world
}

describe('a market that is added', () => {
  test('default: its submissions count from the marker on, and its epoch is batched', () => {
    const world = createWorld({ partitions: 3 })
    world.tick(headTick(10), openTick(1, 10), headTick(11))
    const before = world.submit(toOther({ epochId: 7 }))
    world.tick(withMarkets(headTick(12), change(true)), openOther(7, 12))
    const after = world.submit(toOther({ epochId: 7, header: hashOf(12) }))
    world.tick(headTick(13), closeOther(7, 12, 13))
    expect(world.reasonOf(before)).toBe('UNKNOWN_MARKET')
    expect(world.reasonOf(after)).toBe('COUNTED')
    expect(world.batches()).toMatchObject([{ epochId: 7, submissions: 1 }])
  })

  test('default: it has the rules of added markets, and the chain of the configured ones', () => {
    const world = createWorld({
      rules: rulesOf({}, { addedMarkets: { ...MARKET_DEFAULTS, votesMin: 2, perSlotPerEpoch: 1 } }),
    })
    world.tick(withMarkets(headTick(10), change(true)), openOther(7, 10), headTick(11))
    const alone = world.submit(toOther({ epochId: 7 }))
    const second = world.submit(toOther({ epochId: 7, snapshotCid: 'another' }))
    world.tick(headTick(12), closeOther(7, 10, 12))
    expect([world.reasonOf(alone), world.reasonOf(second)]).toEqual(['NO_QUORUM', 'RATE_LIMITED'])
    const { chainId, protocolState } = marketRules()
    expect(rulesOfMarket(rulesOf(), OTHER_MARKET)).toMatchObject({ chainId, protocolState, dataMarket: OTHER_MARKET })
  })

  test('behavior: it stays served when the block that said so leaves the chain, and saying it again changes nothing', () => {
    const world = addedWorld()
    world.tick(orphanTick(12))
    const between = world.submit(toOther({ epochId: 7 }))
    world.tick(withMarkets(headTick(12, 'b', ''), change(true)), openOther(7, 12, 'b'))
    const after = world.submit(toOther({ epochId: 7, slotId: 2, header: hashOf(12, 'b') }))
    world.tick(headTick(13, 'b'), {
      ...closeOther(7, 12, 13),
      blockHash: hashOf(13, 'b'),
      acceptedHeaders: [hashOf(12, 'b'), hashOf(13, 'b')],
    })
    expect([between, after].map((one) => world.reasonOf(one))).toEqual(['STALE_HEADER', 'COUNTED'])
  })

  test('behavior: added once more, it begins with whatever epoch comes next', () => {
    const world = addedWorld()
    world.tick(headTick(13), closeOther(7, 12, 13))
    world.tick(withMarkets(headTick(14), change(false)), withMarkets(headTick(15), change(true)))
    const early = world.submit(toOther({ epochId: 90, header: hashOf(16) }))
    world.tick(headTick(16), openOther(90, 16), headTick(17), closeOther(90, 16, 17))
    expect(world.reasonOf(early)).toBe('COUNTED')
    expect(world.reasonOf(world.submit(toOther({ epochId: 7 })))).toBe('EPOCH_CLOSED')
  })
})

describe('a market that is removed', () => {
  test('default: from the marker on it is unknown, and its open epoch still closes with what came before', () => {
    const world = addedWorld()
    const before = world.submit(toOther({ epochId: 7, header: hashOf(12) }))
    world.tick(withMarkets(headTick(13), change(false)))
    const after = world.submit(toOther({ epochId: 7, slotId: 2, header: hashOf(12) }))
    world.tick(headTick(14), closeOther(7, 12, 14))
    expect([before, after].map((one) => world.reasonOf(one))).toEqual(['COUNTED', 'UNKNOWN_MARKET'])
    expect(world.summaries()).toMatchObject([{ summaryOf: 7, batches: 1, submissions: 1 }])
  })

  test('default: a configured one can be removed and added again', () => {
    const world = createWorld()
    world.tick(headTick(10), openTick(1, 10), withMarkets(headTick(11), change(false, MARKET)))
    const without = world.submit(submissionOf())
    world.tick(withMarkets(headTick(12), change(true, MARKET)))
    const again = world.submit(submissionOf({ slotId: 2 }))
    world.tick(headTick(13), closeTick(1, 10, 13))
    expect([without, again].map((one) => world.reasonOf(one))).toEqual(['UNKNOWN_MARKET', 'COUNTED'])
  })

  test('behavior: what waits for an epoch that will not come is turned away, what waits for a block goes on waiting', () => {
    const world = addedWorld()
    const early = world.submit(toOther({ epochId: 8 }))
    const ahead = world.submit(toOther({ epochId: 7, slotId: 2, header: hashOf(14) }))
    world.tick(withMarkets(headTick(13), change(false)))
    expect(world.verdictOn(early)).toMatchObject({ reason: 'UNKNOWN_MARKET', actual: 'removed at block 13' })
    world.tick(headTick(14), headTick(15), closeOther(7, 12, 15))
    expect(world.reasonOf(ahead)).toBe('COUNTED')
  })

  test('behavior: an epoch whose release left the chain is waited for', () => {
    const world = addedWorld()
    world.tick(orphanTick(12))
    const ahead = world.submit(toOther({ epochId: 7, header: hashOf(13, 'b') }))
    world.tick(withMarkets(headTick(12, 'b', ''), change(false)))
    expect(world.verdictOn(ahead)).toBeUndefined()
    world.tick(headTick(13, 'b'), openOther(7, 13, 'b'))
    world.tick(headTick(14, 'b'), {
      ...closeOther(7, 13, 14),
      blockHash: hashOf(14, 'b'),
      acceptedHeaders: [hashOf(13, 'b'), hashOf(14, 'b')],
    })
    expect(world.reasonOf(ahead)).toBe('COUNTED')
  })
})

test('args: no more markets can be configured than may be served', () => {
  const markets = Array.from({ length: MARKETS_MAX + 1 }, (_, i) =>
    marketRules({ dataMarket: `0x${i.toString(16).padStart(40, '0')}` }),
  )
  expect(() => createWorld({ rules: rulesOf({}, { markets }) })).toThrow(/65 data markets are configured, at most 64/)
})

/** Both markets come and go between the blocks; an epoch that is open then closes all the same. */
const STORY: readonly (readonly EpochTick[])[] = [
  [],
  [headTick(10), openTick(1, 10)],
  [withMarkets(headTick(11), change(true)), openOther(7, 11)],
  [withMarkets(headTick(12), change(false, MARKET))],
  [headTick(13), openOther(8, 13), closeTick(1, 10, 13)],
  [withMarkets(headTick(14), change(false), change(true, MARKET)), openTick(2, 14), closeOther(7, 11, 14)],
  [orphanTick(14)],
  [withMarkets(headTick(14, 'b', ''), change(false), change(true, MARKET)), openTick(2, 14, 'b')],
  [
    headTick(15, 'b'),
    {
      ...closeOther(8, 13, 15),
      blockHash: hashOf(15, 'b'),
      acceptedHeaders: [hashOf(13), hashOf(14, 'b'), hashOf(15, 'b')],
    },
    { ...closeTick(2, 14, 15, 'b') },
  ],
]

interface Arrival {
  readonly submission: Submission
  readonly place: number
}

const arrivals: fc.Arbitrary<Arrival[]> = fc
  .array(
    fc.record({
      slotId: fc.integer({ min: 1, max: 5 }),
      projectId: fc.constantFrom('pa', 'pb'),
      snapshotCid: fc.constantFrom('A', 'B'),
      to: fc.constantFrom([MARKET, 1], [MARKET, 2], [OTHER_MARKET, 7], [OTHER_MARKET, 8], [OTHER_MARKET, 9]),
      header: fc.constantFrom(...[10, 11, 12, 13].map((block) => hashOf(block)), hashOf(14, 'b'), hashOf(15, 'b')),
      receivedAt: fc.integer({ min: 1, max: 30 }),
      place: fc.nat(STORY.length - 1),
    }),
    { minLength: 10, maxLength: 60 },
  )
  .map((all) =>
    all.map(({ to: [dataMarket, epochId], place, ...fields }, n) => ({
      place,
      submission: submissionOf({
        ...fields,
        dataMarket: dataMarket as string,
        epochId: epochId as number,
        submissionId: uuid(n),
      }),
    })),
  )

function play(all: readonly Arrival[], partitions: number, restarts = false, commitEvery = 1) {
  const world = createWorld({ partitions, commitEvery, rules: rulesOf({ batchProjectsMax: 1 }) })
  STORY.forEach((ticks, place) => {
    world.tick(...ticks)
    for (const { submission } of all.filter((arrival) => arrival.place === place)) world.submit(submission)
    if (restarts)
      for (const stage of world.topology.stages)
        for (let task = 0; task < tasksOf(stage); task++) world.driver.restart(stage.name, task)
  })
  const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1)
  return {
    batches: world.driver
      .read(world.topics.batches)
      .map(({ key, value }) => ({
        id: `${key.dataMarket} ${'summaryOf' in value ? value.summaryOf : value.epochId}`,
        value,
      }))
      .sort(byId),
    reasons: world
      .verdicts()
      .map(({ submissionId, reason }) => `${submissionId} ${reason}`)
      .sort(),
  }
}

test('behavior: markets that come and go give the same bytes and verdicts for any partitions, commits and restarts', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(arrivals, fc.constantFrom(2, 3, 8), fc.integer({ min: 1, max: 9 }), (all, partitions, commitEvery) => {
      const plain = play(all, 1)
      expect(plain.reasons).toHaveLength(all.length)
      expect(play(all, partitions, true, commitEvery)).toEqual(plain)
      for (const line of plain.reasons) seen.add(line.split(' ')[1]!)
    }),
    { numRuns: 60 },
  )
  expect([...seen]).toEqual(expect.arrayContaining(['COUNTED', 'UNKNOWN_MARKET', 'OUTVOTED', 'EPOCH_CLOSED']))
})
