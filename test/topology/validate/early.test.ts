/** What comes before its epoch, however late the clock is: it waits, and is judged as if the ticks had come in time. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EpochTick, Submission } from '../../../schemas/types.ts'
import { MARKET_DEFAULTS } from '../../../topology/rules.ts'
import { arrivalOf, epochsAwaited } from '../../../topology/validate/early.ts'
import {
  addressOf,
  closeTick,
  createWorld,
  hashOf,
  headTick,
  openTick,
  orphanTick,
  rulesOf,
  submissionOf,
  type World,
  type WorldOptions,
} from '../world.ts'

/** Blocks take two seconds and number 10 is of second 20. */
const msOf = (block: number): number => block * 2_000
const release = (epochId: number): number => 10 + 2 * epochId
const WINDOW = 3
/** Each epoch is released in an even block and closes in the third after it. */
function ticksOf(epochs: number): EpochTick[] {
  return Array.from({ length: 2 * epochs + WINDOW + 1 }, (_, i) => 10 + i).flatMap((block) => {
    const [opened, closed] = [(block - 10) / 2, (block - WINDOW - 10) / 2]
    const isOne = (epochId: number) => Number.isInteger(epochId) && epochId >= 1 && epochId <= epochs
    return [
      headTick(block),
      ...(isOne(opened) ? [openTick(opened, block)] : []),
      ...(isOne(closed) ? [closeTick(closed, release(closed), block)] : []),
    ]
  })
}
const inWindow = (epochId: number, fields: Partial<Submission> = {}): Submission =>
  submissionOf({ epochId, header: hashOf(release(epochId)), receivedAt: msOf(release(epochId)) + 500, ...fields })

describe('a clock that is late', () => {
  test('behavior: votes of all epochs that were released meanwhile count, though each closes right after it opens', () => {
    const world = createWorld()
    world.tick(headTick(10))
    const epochs = 40
    const sent = Array.from({ length: epochs }, (_, i) => inWindow(i + 1))
    for (const submission of sent) world.submit(submission)
    expect(world.verdicts()).toEqual([])
    world.tick(...ticksOf(epochs).slice(1))
    expect(new Set(world.reasonsOf(sent))).toEqual(new Set(['COUNTED']))
    expect([...world.driver.store(world.stores.parked, 0).scopes()]).toEqual([])
  })

  test('behavior: epochs that the market passed over are no distance', () => {
    const world = createWorld()
    world.tick(headTick(10), openTick(1, 10))
    const vote = world.submit(inWindow(5, { header: hashOf(12), receivedAt: msOf(12) + 500, epochId: 50_000 }))
    world.tick(headTick(11), headTick(12), openTick(50_000, 12), headTick(13), closeTick(50_000, 12, 13))
    expect(world.reasonOf(vote)).toBe('COUNTED')
  })

  test('behavior: what a buyer signs before the log knows of the sale waits, and so does the seller’s', () => {
    const world = createWorld()
    world.tick(headTick(10))
    const [buyer, seller] = [inWindow(2, { slotId: 1 }), inWindow(2, { slotId: 1, snapshotCid: 'other' })]
    const bought = submissionOf({ ...unsigned(buyer), signedBy: 2 })
    for (const submission of [bought, seller]) world.submit(submission)
    world.own(1, [
      { sinceBlock: 0, owner: addressOf(1), active: true },
      { sinceBlock: 13, owner: addressOf(2), active: true },
    ])
    world.tick(...ticksOf(2).slice(1))
    expect([bought, seller].map((one) => world.reasonOf(one))).toEqual(['COUNTED', 'SLOT_MISMATCH'])
  })

  test('behavior: an intake whose clock is an hour behind costs nothing while ticks come', () => {
    const world = createWorld()
    world.tick(...ticksOf(1))
    const vote = world.submit(inWindow(3, { receivedAt: msOf(10) - 3_600_000 }))
    world.tick(...ticksOf(3).slice(ticksOf(1).length))
    expect(world.reasonOf(vote)).toBe('COUNTED')
  })
})

describe('outages under load, in virtual time', () => {
  const BLOCK_SECONDS = 2
  /** Fewer when there are hundreds of epochs. */
  const slotsOf = (epochs: number): number => (epochs > 100 ? 1 : 3)
  const BEFORE = 3

  /** What the log holds, by when it came: ticks with their blocks, submissions a moment after the release. */
  function play(epochSeconds: number, epochs: number) {
    const blocksPer = epochSeconds / BLOCK_SECONDS
    const releasedIn = (epochId: number) => 11 + (epochId - 1) * blocksPer
    const last = releasedIn(epochs) + WINDOW
    const ticks = Array.from({ length: last - 9 }, (_, i) => 10 + i).flatMap((block) => {
      const [opened, closed] = [(block - 11) / blocksPer + 1, (block - WINDOW - 11) / blocksPer + 1]
      const isOne = (epochId: number) => Number.isInteger(epochId) && epochId >= 1 && epochId <= epochs
      return [
        headTick(block),
        ...(isOne(opened) ? [openTick(opened, block)] : []),
        ...(isOne(closed) ? [closeTick(closed, releasedIn(closed), block)] : []),
      ]
    })
    const slots = slotsOf(epochs)
    const submissions = Array.from({ length: epochs * slots }, (_, i) => {
      const epochId = 1 + Math.floor(i / slots)
      const block = releasedIn(epochId)
      const fields = { epochId, slotId: 1 + (i % slots), projectId: `project-${i % 2}`, header: hashOf(block) }
      return submissionOf({ ...fields, receivedAt: msOf(block) + 500 + i, deadline: block + WINDOW })
    })
    return { ticks, submissions }
  }

  test.each([2, 12].flatMap((epochSeconds) => [10, 60, 600].map((outage) => ({ epochSeconds, outage }))))(
    'behavior: $outage s with epochs of $epochSeconds s cost no vote, with restarts of validate meanwhile',
    ({ epochSeconds, outage }) => {
      const epochs = BEFORE + Math.ceil(outage / epochSeconds) + 2
      const { ticks, submissions } = play(epochSeconds, epochs)
      const world = createWorld({
        rules: rulesOf({ epochSecondsMin: epochSeconds, clockSkewSeconds: 2 }),
        partitions: 3,
      })
      const from = ticks.findIndex(({ kind, epochId }) => kind === 'OPEN' && epochId === BEFORE)
      const [cameBefore, until] = [ticks[from]!.blockTimestamp * 1000, (ticks[from]!.blockTimestamp + outage) * 1000]
      const isMissed = ({ blockTimestamp }: EpochTick, n: number) => n > from && blockTimestamp * 1000 < until
      const events = [
        ...ticks.map((tick, n) => ({ at: isMissed(tick, n) ? until : tick.blockTimestamp * 1000, tick })),
        ...submissions.map((submission) => ({ at: submission.receivedAt, submission })),
      ].sort((a, b) => a.at - b.at || Number('tick' in b) - Number('tick' in a))
      for (const [n, event] of events.entries()) {
        if ('tick' in event) world.tick(event.tick)
        else world.submit(event.submission)
        const isAway = event.at > cameBefore && event.at < until
        if (isAway && n % 50 === 0) for (const task of [0, 1, 2]) world.driver.restart('validate', task)
      }
      const reasons = world.reasonsOf(submissions).map((reason, n) => `${submissions[n]!.epochId} ${reason}`)
      expect(reasons.filter((one) => !one.endsWith('COUNTED'))).toEqual([])
    },
  )
})

/** Without its signature, to be signed anew. */
function unsigned({ signature: _, ...fields }: Submission): Omit<Submission, 'signature'> {
  return fields
}

describe('epochs that never come', () => {
  const rules = rulesOf({ epochsAhead: 1, epochSecondsMin: 2, clockSkewSeconds: 4 })

  test('error: an owner waits for as many as can have been released, and for the nearest of them', () => {
    const world = createWorld({ rules })
    world.tick(headTick(10))
    const far = [900, 800, 700, 600].map((epochId) => world.submit(inWindow(epochId, { receivedAt: msOf(10) })))
    expect(far.map((one) => world.reasonOf(one))).toEqual([undefined, undefined, undefined, undefined])
    const farther = world.submit(inWindow(901, { receivedAt: msOf(10) }))
    const near = world.submit(inWindow(1, { receivedAt: msOf(10) }))
    expect(world.reasonOf(farther)).toBe('EPOCH_TOO_FAR')
    expect(far.map((one) => world.reasonOf(one))).toEqual(['EPOCH_TOO_FAR', undefined, undefined, undefined])
    world.driver.restart('validate', 0)
    world.submit(inWindow(2, { receivedAt: msOf(10) }))
    expect(world.reasonOf(far[1]!)).toBe('EPOCH_TOO_FAR')
    world.tick(...ticksOf(1).slice(1))
    expect(world.reasonOf(near)).toBe('COUNTED')
  })

  test('behavior: they wait until an epoch is released that long after, and are too far then', () => {
    const world = createWorld({ rules })
    world.tick(headTick(10))
    const [far, next] = [inWindow(9, { receivedAt: msOf(10) }), inWindow(3, { receivedAt: msOf(10) })]
    for (const one of [far, next]) world.submit(one)
    world.tick(headTick(11), headTick(12), openTick(1, 12))
    expect(world.reasonOf(far)).toBeUndefined()
    world.tick(headTick(13), headTick(14), openTick(2, 14))
    expect(world.verdictOn(far)).toMatchObject({ reason: 'EPOCH_TOO_FAR', expected: 'at most 3', actual: '9' })
    expect(world.reasonOf(next)).toBeUndefined()
  })

  test.each([
    ['the early copy first', [10, 15]],
    ['the early copy last', [15, 10]],
  ])('behavior: of two copies the later arrival decides whether it is too early: %s', (_, arrivals) => {
    const world = createWorld({ rules })
    world.tick(headTick(10))
    const votes = arrivals.map((block) => world.submit(inWindow(5, { receivedAt: msOf(block) })))
    world.tick(...ticksOf(5).slice(1))
    expect(votes.map((vote) => world.reasonOf(vote))).toEqual(['COUNTED', 'DUPLICATE'])
  })

  test('behavior: what one owner invents takes no place of others, and nothing of the room of strangers', () => {
    const world = createWorld({ rules: { ...rules, parkedMax: 2 } })
    world.tick(headTick(10))
    for (let n = 0; n < 200; n++) world.submit(inWindow(100 + n, { receivedAt: msOf(10) }))
    const waiting = [...world.driver.store(world.stores.parked, 0).scopes()]
    expect(waiting).toHaveLength(4)
    const others = [2, 3, 4].map((slotId) => world.submit(inWindow(1, { slotId })))
    const strangers = [2, 3, 4].map((signedBy) => world.submit(submissionOf({ ...unsigned(inWindow(1)), signedBy })))
    world.tick(...ticksOf(1).slice(1))
    expect(others.map((one) => world.reasonOf(one))).toEqual(['COUNTED', 'COUNTED', 'COUNTED'])
    expect(strangers.map((one) => world.reasonOf(one))).toEqual(['SLOT_MISMATCH', 'SLOT_MISMATCH', 'EPOCH_NOT_OPEN'])
  })

  describe('when all places of a task are taken', () => {
    const total = 16
    const narrow = rulesOf({ epochsAhead: 9, epochSecondsMin: 2, clockSkewSeconds: 4 }, { waitingMax: total })
    const votesOf = (slotId: number, epochIds: readonly number[]) =>
      epochIds.map((epochId) => inWindow(epochId, { slotId, receivedAt: msOf(10) }))

    test('error: who has most gives way, the farthest epochs first; nobody else loses anything', () => {
      const world = createWorld({ rules: narrow })
      world.tick(headTick(10))
      const greedy = votesOf(1, [1, 2, 300, 400, 500, 600, 700, 800, 900, 950])
      const others = [2, 3, 4].flatMap((slotId) => votesOf(slotId, [1, 2]))
      for (const one of [...greedy, ...others]) world.submit(one)
      expect(world.verdicts()).toEqual([])
      world.driver.restart('validate', 0)
      const next = votesOf(5, [1, 2])
      for (const one of next) world.submit(one)
      // seven of eight places are filled again: six of the others, and eight of the ten
      const far = greedy.slice(8)
      expect(world.reasonsOf(far)).toEqual(['EPOCH_TOO_FAR', 'EPOCH_TOO_FAR'])
      expect(world.verdictOn(far[0]!)).toMatchObject({ expected: 'a fair share of the 16 places of the task' })
      world.tick(...ticksOf(2).slice(1))
      const fair = [...greedy.slice(0, 2), ...others, ...next]
      expect(new Set(world.reasonsOf(fair))).toEqual(new Set(['COUNTED']))
    })

    test('behavior: an owner that fills its share first displaces only itself, and a stranger nobody', () => {
      const world = createWorld({ rules: narrow })
      world.tick(headTick(10))
      const fair = [1, 2, 3, 4].flatMap((slotId) => votesOf(slotId, [1, 2, 3]))
      for (const one of fair) world.submit(one)
      const ofOne = votesOf(5, [1, 2, 3, 10, 11, 12, 13, 14, 15, 16])
      for (const one of ofOne) world.submit(one)
      const stranger = world.submit(submissionOf({ ...unsigned(inWindow(1)), signedBy: 6 }))
      world.tick(...ticksOf(3).slice(1))
      expect(new Set(world.reasonsOf([...fair, ...ofOne.slice(0, 2)]))).toEqual(new Set(['COUNTED']))
      expect(world.reasonsOf([stranger])).not.toEqual(['COUNTED'])
    })
  })

  test('behavior: an intake whose clock is years ahead does not make room for everything', () => {
    const market = { ...MARKET_DEFAULTS, epochsWaitingMax: 50 }
    const head = { number: 10, hash: '', canonical: true, timestamp: 20, forks: 0 }
    const arrivedAt = arrivalOf(10 ** 13, head)
    expect([arrivedAt, epochsAwaited(arrivedAt, head, market)]).toEqual([20_000 + 604_800_000, 50])
  })

  test('behavior: a vote counts that comes when no block that the log knows is left', () => {
    const longAfter = 1_000_000 // seconds; beyond a week, so that the time 0 of no block would be no arrival
    const later = (tick: EpochTick): EpochTick => ({ ...tick, blockTimestamp: tick.blockTimestamp + longAfter })
    const world = createWorld()
    world.tick(later(headTick(10)), orphanTick(10))
    const vote = world.submit(inWindow(5, { receivedAt: msOf(release(5) + longAfter / 2) + 500 }))
    world.tick(...ticksOf(5).map(later))
    expect(world.reasonOf(vote)).toBe('COUNTED')
  })

  test('behavior: the time of a block that an earlier release kept without it says nothing of an arrival', () => {
    const kept = { number: 10, hash: '', canonical: true, timestamp: 0, forks: 0 }
    expect(arrivalOf(1_795_984_250_000, kept)).toBe(1_795_984_250_000)
    const market = { ...MARKET_DEFAULTS, epochsWaitingMax: 50 }
    expect(epochsAwaited(1_795_984_250_000, kept, market)).toBe(50)
    expect(epochsAwaited(1_000, kept, market)).toBe(50) // whenever it came: the time 0 is none
  })

  test('bound: a block in the log that is of the end of all numbers makes no record that cannot be written', () => {
    const world = createWorld()
    const absurd = { ...headTick(11), blockTimestamp: Number.MAX_SAFE_INTEGER - 1 }
    world.tick(headTick(10), absurd)
    const vote = world.submit(inWindow(1))
    expect(world.verdicts()).toEqual([])
    world.tick(...ticksOf(1).slice(2))
    expect(world.reasonOf(vote)).toBe('COUNTED')
  })

  test('behavior: a vote that reaches the log behind later ones of its owner does not take their place', () => {
    const world = createWorld({ rules })
    world.tick(headTick(10))
    const later = Array.from({ length: 6 }, (_, i) => world.submit(inWindow(i + 4)))
    const before = world.submit(inWindow(1))
    world.tick(...ticksOf(9).slice(1))
    expect([...later, before].map((one) => world.reasonOf(one))).toEqual(Array(7).fill('COUNTED'))
  })
})

describe('messages of one owner that others deliver as well', () => {
  /** More than lies between two blocks: an epoch may be released right behind the newest that the log knows. */
  const SKEW_SECONDS = 3
  const worldOf = (): World => {
    const world = createWorld({
      rules: rulesOf({ epochsAhead: 0, epochSecondsMin: 4, clockSkewSeconds: SKEW_SECONDS }),
    })
    world.tick(headTick(10), headTick(11))
    return world
  }
  const message = (epochId: number, receivedAt: number): Submission =>
    inWindow(epochId, { receivedAt, deadline: 1_000 })
  const fromRelease = (epochId: number, lateMs: number): number =>
    msOf(release(epochId)) - 1_000 * SKEW_SECONDS + lateMs

  test('behavior: from the release on, less what clocks may differ by, each has a place, in whatever order they come', () => {
    const epochs = 6
    const delivery = fc.record({ epochId: fc.integer({ min: 1, max: epochs }), lateMs: fc.nat(9_000) })
    fc.assert(
      fc.property(fc.array(delivery, { minLength: 1, maxLength: 20 }), (deliveries) => {
        const world = worldOf()
        const sent = deliveries.map(({ epochId, lateMs }) =>
          world.submit(message(epochId, fromRelease(epochId, lateMs))),
        )
        world.tick(...ticksOf(epochs).slice(2))
        const counted = sent.filter((one) => world.reasonOf(one) === 'COUNTED').map(({ epochId }) => epochId)
        expect(counted.toSorted()).toEqual([...new Set(deliveries.map(({ epochId }) => epochId))].toSorted())
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    ['COUNTED', []],
    ['EPOCH_TOO_FAR', [1]],
  ] as const)('error: before it a vote has a place while no nearer one waits: %s', (reason, nearer) => {
    const world = worldOf()
    for (const epochId of nearer) world.submit(message(epochId, fromRelease(epochId, 200)))
    const early = world.submit(message(2, fromRelease(1, 500)))
    world.tick(...ticksOf(2).slice(2))
    expect(world.reasonOf(early)).toBe(reason)
  })
})

describe('the place of the ticks', () => {
  const EPOCHS = 6
  const TICKS = ticksOf(EPOCHS)
  const closeAt = (epochId: number): number =>
    TICKS.findIndex((tick) => tick.kind === 'CLOSE' && tick.epochId === epochId)

  /** Signed by owners, buyers and strangers, for any epoch, with any header and deadline, when an epoch is open. */
  const votes = fc
    .uniqueArray(
      fc.record({
        epochId: fc.integer({ min: 1, max: EPOCHS }),
        slotId: fc.integer({ min: 1, max: 4 }),
        signedBy: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined, freq: 3 }),
        projectId: fc.constantFrom('pa', 'pb', 'pc'),
        snapshotCid: fc.constantFrom('A', 'B'),
        deadline: fc.oneof(fc.constantFrom(1_000, 1_001), fc.integer({ min: 9, max: 28 })),
        block: fc.integer({ min: -2, max: WINDOW }),
        sinceRelease: fc.integer({ min: 0, max: 2 * WINDOW * 1000 - 1 }),
      }),
      // Which of two copies is the first is the order of the log.
      {
        minLength: 5,
        maxLength: 40,
        selector: ({ block: _, sinceRelease: __, ...fields }) =>
          JSON.stringify({ ...fields, signedBy: fields.signedBy ?? fields.slotId }),
      },
    )
    .map((all) =>
      all.map(({ epochId, block, sinceRelease, signedBy, ...fields }) =>
        submissionOf({
          ...fields,
          epochId,
          ...(signedBy !== undefined && { signedBy }),
          header: hashOf(release(epochId) + block),
          receivedAt: msOf(release(epochId)) + sinceRelease,
        }),
      ),
    )

  /** @param placeOf before which tick a submission lies in the log */
  function run(
    all: readonly Submission[],
    placeOf: (submission: Submission, n: number) => number,
    options: WorldOptions,
  ) {
    const world = createWorld({ rules: rulesOf({ overQuotaMax: 3 }), ...options })
    world.own(1, [
      { sinceBlock: 0, owner: addressOf(1), active: true },
      { sinceBlock: 15, owner: addressOf(5), active: true },
    ])
    TICKS.forEach((tick, place) => {
      for (const [n, submission] of all.entries()) if (placeOf(submission, n) === place) world.submit(submission)
      world.tick(tick)
    })
    return { bytes: bytesOf(world), reasons: world.reasonsOf(all) }
  }

  const bytesOf = (world: World) => world.batches().map(({ json }) => Buffer.from(json).toString())

  test('behavior: before, after or between the submissions they give the same verdicts and the same bytes', () => {
    const chosen = fc.array(fc.nat(), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(votes, chosen, fc.constantFrom(1, 3, 8), (all, places, partitions) => {
        const inTime = ({ epochId }: Submission) => closeAt(epochId)
        const plain = run(all, inTime, {})
        const late = run(all, () => 1, { partitions })
        const between = run(all, (one, n) => 1 + (places[n % places.length]! % closeAt(one.epochId)), {
          partitions,
          commitEvery: 3,
        })
        expect(late).toEqual(plain)
        expect(between).toEqual(plain)
      }),
      { numRuns: 20 },
    )
  })
})
