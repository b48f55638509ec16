import { describe, expect, test } from 'vitest'
import type { VerdictReason } from '../../../schemas/types.ts'
import { partitionFor } from '../../../streams/partitioner.ts'
import { EPOCHS_KEPT } from '../../../topology/validate/chain-view.ts'
import { REASON_HELP } from '../../../topology/verdict.ts'
import {
  addressOf,
  closeEpoch,
  closeTick,
  createWorld,
  hashOf,
  headTick,
  MARKET,
  marketRules,
  OTHER_MARKET,
  openedWorld,
  openTick,
  orphanTick,
  rulesOf,
  type SubmissionFields,
  submissionOf,
  uuid,
  type World,
} from '../world.ts'

/** Blocks 9 to 11, epoch 1 released in block 10, slots 1 to 8, of which 7 is inactive and 8 changes hands in blocks 10 and 11. */
function prepared(): World {
  const world = createWorld({ rules: rulesOf({ flagged: [addressOf(6)], votesMin: 1 }) })
  world.own(7, [{ sinceBlock: 0, owner: addressOf(7), active: false }])
  world.own(8, [
    { sinceBlock: 0, owner: addressOf(8), active: true },
    { sinceBlock: 10, owner: addressOf(2), active: true },
    { sinceBlock: 11, owner: addressOf(8), active: true },
  ])
  world.own(20, [{ sinceBlock: 11, owner: addressOf(20), active: true }])
  world.own(21, [
    { sinceBlock: 0, owner: addressOf(21), active: true },
    { sinceBlock: 10, owner: '', active: false },
  ])
  world.tick(headTick(9), headTick(10), openTick(1, 10), headTick(11))
  return world
}

interface Case {
  name: string
  given: SubmissionFields
  reason: VerdictReason | undefined
  expected?: string
  actual?: string
}
const upperMarket = MARKET.toUpperCase().replace('0X', '0x')
const cases: Case[] = [
  { name: 'of a slot that is owned', given: {}, reason: undefined },
  { name: 'the market in upper case', given: { dataMarket: upperMarket }, reason: undefined },
  {
    name: 'another market',
    given: { dataMarket: OTHER_MARKET },
    reason: 'UNKNOWN_MARKET',
    expected: 'a served data market',
    actual: OTHER_MARKET,
  },
  { name: 'no market', given: { dataMarket: '' }, reason: 'UNKNOWN_MARKET', actual: '' },
  {
    name: 'a signature of 64 bytes',
    given: { signature: 'ab'.repeat(64) },
    reason: 'BAD_SIGNATURE',
    expected: '130 hex digits without 0x',
    actual: '128 hex digits',
  },
  {
    name: 'a signature with U+0130, whose low byte is that of 0',
    given: { signature: `\u0130${'0'.repeat(127)}1b` },
    reason: 'BAD_SIGNATURE',
    expected: '130 hex digits without 0x',
    actual: '130 characters, no hex digit at 0 (U+0130)',
  },
  { name: 'a slot that is nobody’s', given: { slotId: 9 }, reason: 'UNKNOWN_SLOT', actual: 'slot 9' },
  {
    name: 'a slot that is sold one block after the release',
    given: { slotId: 20 },
    reason: 'UNKNOWN_SLOT',
    actual: 'slot 20',
  },
  {
    name: 'signed by the owner of another slot',
    given: { signedBy: 2 },
    reason: 'SLOT_MISMATCH',
    expected: addressOf(1),
    actual: addressOf(2),
  },
  {
    name: 'signed by the owner of other blocks',
    given: { slotId: 8 },
    reason: 'SLOT_MISMATCH',
    expected: addressOf(2),
  },
  { name: 'signed by the owner as of the release', given: { slotId: 8, signedBy: 2 }, reason: undefined },
  { name: 'an inactive slot', given: { slotId: 7 }, reason: 'SLOT_INACTIVE', actual: 'inactive' },
  { name: 'a suspended slot', given: { slotId: 21 }, reason: 'SLOT_INACTIVE', actual: 'since 10' },
  { name: 'a flagged signer', given: { slotId: 6 }, reason: 'FLAGGED', actual: addressOf(6) },
  { name: 'a simulation', given: { epochId: 0, header: '', deadline: 0 }, reason: 'SIMULATION' },
  { name: 'a simulation of a wrong signer', given: { epochId: 0, signedBy: 3 }, reason: 'SLOT_MISMATCH' },
  { name: 'an early one, kept', given: { epochId: 3 }, reason: undefined },
  { name: 'a deadline that is over, which the close says', given: { deadline: 1 }, reason: undefined },
  { name: 'the header of the release', given: { header: hashOf(10) }, reason: undefined },
  { name: 'a header before the release, which the close says', given: { header: hashOf(9) }, reason: undefined },
  { name: 'a header that is none', given: { header: '' }, reason: 'UNKNOWN_HEADER', actual: '' },
  { name: 'a header in upper case', given: { header: hashOf(10).toUpperCase() }, reason: 'UNKNOWN_HEADER' },
  { name: 'a header not known yet, kept', given: { header: hashOf(12) }, reason: undefined },
]

test.each(cases)('behavior: $name → $reason', ({ given, reason, expected, actual }) => {
  const world = prepared()
  const submission = world.submit(submissionOf(given))
  const verdict = world.verdictOn(submission)
  expect(verdict?.reason).toBe(reason)
  if (!reason) return
  expect(verdict).toMatchObject({ stage: 'validate', blockNumber: 11, slotId: submission.slotId })
  expect(verdict!.rule).not.toBe('')
  if (expected !== undefined) expect(verdict!.expected).toBe(expected)
  if (actual !== undefined) expect(verdict!.actual).toBe(actual)
  expect(reason === 'SIMULATION' || reason in REASON_HELP).toBe(true)
})

test('behavior: the first check that fails is the reason', () => {
  const world = prepared()
  const allWrong = { dataMarket: OTHER_MARKET, signature: 'zz', slotId: 9, epochId: 1, header: '' }
  const fixes: [SubmissionFields, VerdictReason][] = [
    [{}, 'UNKNOWN_MARKET'],
    [{ dataMarket: MARKET }, 'BAD_SIGNATURE'],
    [{ signature: undefined as never }, 'UNKNOWN_HEADER'],
    [{ header: hashOf(9) }, 'UNKNOWN_SLOT'],
    [{ slotId: 6, signedBy: 1 }, 'SLOT_MISMATCH'],
    [{ signedBy: 6 }, 'FLAGGED'],
  ]
  let fields: SubmissionFields = allWrong
  for (const [fix, reason] of fixes) {
    fields = { ...fields, ...fix }
    const { signature, ...unsigned } = fields
    expect(world.reasonOf(world.submit(submissionOf(signature ? fields : unsigned)))).toBe(reason)
  }
})

describe('epochs', () => {
  test('behavior: an early one is judged when its epoch opens', () => {
    const world = openedWorld()
    const early = world.submit(submissionOf({ epochId: 2, header: hashOf(12) }))
    world.tick(headTick(12))
    expect(world.reasonOf(early)).toBeUndefined()
    world.tick(openTick(2, 12), headTick(13), closeTick(2, 12, 13))
    expect(world.reasonOf(early)).toBe('COUNTED')
  })

  test('behavior: a late one learns the block that closed its epoch', () => {
    const world = openedWorld()
    closeEpoch(world)
    const late = world.submit(submissionOf())
    expect(world.verdictOn(late)).toMatchObject({ reason: 'EPOCH_CLOSED', expected: 'before block 15 in the log' })
  })

  test('behavior: an epoch that was passed over can open no more', () => {
    const world = openedWorld()
    const waiting = world.submit(submissionOf({ epochId: 2 }))
    world.tick(headTick(12), openTick(3, 12))
    const after = world.submit(submissionOf({ epochId: 2 }))
    expect(world.reasonOf(waiting)).toBe('EPOCH_NOT_OPEN')
    expect(world.reasonOf(after)).toBe('EPOCH_NOT_OPEN')
  })

  test('behavior: closed epochs are remembered one by one, then in sum', () => {
    const world = createWorld({ rules: rulesOf({}, { headsKept: 64 }) })
    world.tick(headTick(9))
    const last = EPOCHS_KEPT + 5
    for (let n = 1; n <= last; n++) world.tick(headTick(9 + n), openTick(n, 9 + n), closeTick(n, 9 + n, 9 + n))
    expect(world.driver.store(world.stores.epochs, 0).size).toBe(EPOCHS_KEPT)
    const [old, recent] = [
      submissionOf({ epochId: 3, deadline: 9_999 }),
      submissionOf({ epochId: last, deadline: 9_999 }),
    ]
    expect(world.verdictOn(world.submit(old))).toMatchObject({ reason: 'EPOCH_CLOSED', expected: 'epochs after 5' })
    expect(world.reasonOf(world.submit(recent))).toBe('EPOCH_CLOSED')
    expect(world.driver.store(world.stores.heads, 0).size).toBeLessThan(64 + 256 + 3)
  })
})

describe('headers', () => {
  test('behavior: one that is not known yet is judged when its block comes', () => {
    const world = openedWorld()
    const ahead = world.submit(submissionOf({ header: hashOf(12) }))
    world.tick(headTick(12), headTick(13), closeTick(1, 10, 13))
    expect(world.reasonOf(ahead)).toBe('COUNTED')
  })

  test('behavior: one that never comes is UNKNOWN_HEADER at the close', () => {
    const world = openedWorld()
    const unknown = world.submit(submissionOf({ header: hashOf(99, 'elsewhere') }))
    world.tick(headTick(12))
    expect(world.reasonOf(unknown)).toBeUndefined()
    world.tick(closeTick(1, 10, 12))
    expect(world.verdictOn(unknown)).toMatchObject({
      reason: 'UNKNOWN_HEADER',
      rule: 'the header is a known block before the epoch closes',
      blockNumber: 12,
    })
  })

  test('behavior: one that has left the chain is ORPHANED_HEADER, and good again when it is back', () => {
    const world = openedWorld()
    world.tick(orphanTick(11), headTick(11, 'b', ''))
    const [gone, back] = [{ slotId: 2, header: hashOf(11, 'b') }, {}].map((one) => world.submit(submissionOf(one)))
    world.tick(orphanTick(11, 'b'), headTick(11), headTick(12), headTick(13), closeTick(1, 10, 13))
    expect([gone!, back!].map((one) => world.reasonOf(one))).toEqual(['ORPHANED_HEADER', 'COUNTED'])
  })

  test('behavior: one that leaves the chain after it was validated', () => {
    const world = openedWorld()
    const before = world.submit(submissionOf())
    world.tick(orphanTick(11), headTick(11, 'b', ''), {
      ...closeTick(1, 10, 11, 'b'),
      acceptedHeaders: [hashOf(10), hashOf(11, 'b')],
    })
    expect(world.verdictOn(before)).toMatchObject({ reason: 'ORPHANED_HEADER', stage: 'consensus' })
  })

  test('behavior: an epoch whose release was orphaned takes its submissions when it is released anew', () => {
    const world = createWorld()
    world.tick(headTick(10), headTick(11), openTick(1, 11), orphanTick(11))
    const between = world.submit(submissionOf({ header: hashOf(12, 'b') }))
    expect(world.reasonOf(between)).toBeUndefined()
    world.tick(
      headTick(11, 'b', ''),
      headTick(12, 'b'),
      openTick(1, 12, 'b'),
      headTick(13, 'b'),
      closeTick(1, 12, 13, 'b'),
    )
    expect(world.reasonOf(between)).toBe('COUNTED')
  })
})

describe('deadlines', () => {
  test('behavior: the newest block is that of the moment it came, by their times, wherever it lies in the log', () => {
    const rules = rulesOf({ clockSkewSeconds: 1, perSlotPerEpoch: 9 })
    const cases: [deadline: number, receivedAt: number, reason: VerdictReason][] = [
      [11, 24_999, 'COUNTED'],
      [11, 25_000, 'DEADLINE_PASSED'],
      [12, 26_999, 'COUNTED'],
      [12, 27_000, 'DEADLINE_PASSED'],
      [9, 1_000, 'DEADLINE_PASSED'],
      [10, 1_000, 'COUNTED'],
      [15, 10 ** 12, 'COUNTED'],
    ]
    const send = (world: World) =>
      cases.map(([deadline, receivedAt], n) =>
        world.submit(
          submissionOf({ deadline, receivedAt, projectId: `project-${n}`, slotId: n + 1, header: hashOf(10) }),
        ),
      )
    const [before, after] = [createWorld({ rules }), createWorld({ rules })]
    before.tick(headTick(9))
    const early = send(before)
    for (const world of [before, after])
      world.tick(...(world === after ? [headTick(9)] : []), headTick(10), openTick(1, 10), headTick(11), headTick(12))
    after.tick(headTick(13), headTick(14), headTick(15))
    const late = send(after)
    before.tick(headTick(13), headTick(14), headTick(15))
    for (const world of [before, after]) world.tick(closeTick(1, 10, 15))
    const reasons = cases.map(([, , reason]) => reason)
    expect(early.map((one) => before.reasonOf(one))).toEqual(reasons)
    expect(late.map((one) => after.reasonOf(one))).toEqual(reasons)
    expect(after.verdictOn(late[3]!)).toMatchObject({ stage: 'consensus', expected: 'at least 13', actual: '12' })
  })
})

describe('waiting', () => {
  test('behavior: before the first release everything but a bad signature waits', () => {
    const world = createWorld()
    const foreign = world.submit(submissionOf({ signedBy: 2 }))
    const early = world.submit(submissionOf())
    const broken = world.submit(submissionOf({ signature: '' }))
    expect(world.verdicts().map(({ reason }) => reason)).toEqual(['BAD_SIGNATURE'])
    expect(world.reasonOf(broken)).toBe('BAD_SIGNATURE')
    world.tick(headTick(10))
    expect(world.reasonOf(foreign)).toBeUndefined()
    world.tick(openTick(1, 10))
    expect(world.reasonOf(foreign)).toBe('SLOT_MISMATCH')
    world.tick(headTick(11), closeTick(1, 10, 11))
    expect(world.reasonOf(early)).toBe('COUNTED')
  })

  test('error: before the first block there is room for some', () => {
    const world = createWorld({ rules: rulesOf({}, { parkedMax: 2 }) })
    world.submit(submissionOf())
    world.submit(submissionOf({ slotId: 2 }))
    const third = world.submit(submissionOf({ slotId: 3 }))
    expect(world.verdictOn(third)).toMatchObject({
      reason: 'EPOCH_NOT_OPEN',
      rule: 'not more submissions wait than there is room for',
    })
  })

  test('behavior: whatever an owner has waiting, others find room', () => {
    const rules = rulesOf({ perSlotPerEpoch: 2, overQuotaMax: 3 }, { parkedMax: 2 })
    const world = openedWorld({ rules })
    const mine = Array.from({ length: 9 }, (_, n) =>
      world.submit(submissionOf({ epochId: 2, snapshotCid: `cid-${n}`, header: hashOf(12) })),
    )
    // One more than are told apart waits, so that all of it is refused when the quota is applied.
    expect(mine.map((submission) => world.reasonOf(submission))).toEqual([
      ...Array(6).fill(undefined),
      ...Array(3).fill('RATE_LIMITED'),
    ])
    const others = [2, 3, 4].map((slotId) => world.submit(submissionOf({ slotId, epochId: 2, header: hashOf(12) })))
    world.tick(headTick(12), openTick(2, 12), headTick(13), closeTick(2, 12, 13))
    expect(mine.map((submission) => world.reasonOf(submission))).toEqual(Array(9).fill('RATE_LIMITED'))
    expect(others.map((submission) => world.reasonOf(submission))).toEqual(Array(3).fill('COUNTED'))
  })

  test('behavior: copies of one that waits take no room, whatever is not signed in them', () => {
    const world = openedWorld()
    const first = world.submit(submissionOf({ epochId: 2, header: hashOf(12) }))
    const copies = Array.from({ length: 50 }, (_, n) =>
      world.submit({ ...first, submissionId: uuid(90_000 + n), header: hashOf(n, 'elsewhere') }),
    )
    expect(new Set(copies.map((copy) => world.reasonOf(copy)))).toEqual(new Set(['DUPLICATE']))
    expect(world.driver.store(world.stores.parked, 0).sizeOf(`${MARKET}/2`)).toBe(1)
    world.tick(headTick(12), openTick(2, 12), headTick(13), closeTick(2, 12, 13))
    expect(world.reasonOf(first)).toBe('COUNTED')
  })

  test('behavior: a header that is not known yet takes no room at all', () => {
    const world = openedWorld()
    for (let n = 0; n < 50; n++) world.submit(submissionOf({ header: hashOf(n, 'elsewhere') }))
    expect([...world.driver.store(world.stores.parked, 0).scopes()]).toEqual([])
  })

  test('behavior: a restart forgets nothing', () => {
    const world = openedWorld()
    const early = world.submit(submissionOf({ epochId: 2, header: hashOf(12) }))
    const ahead = world.submit(submissionOf({ header: hashOf(12) }))
    world.driver.restart('validate', 0)
    world.tick(headTick(12), openTick(2, 12), closeTick(1, 10, 12), headTick(13), closeTick(2, 12, 13))
    expect(world.reasonOf(early)).toBe('COUNTED')
    expect(world.reasonOf(ahead)).toBe('COUNTED')
    expect([...world.driver.store(world.stores.parked, 0).scopes()]).toEqual([])
  })
})

test('error: a record in another partition than that of its key is refused: which of two copies is first would be chance', () => {
  const world = openedWorld({ partitions: 3 })
  const good = submissionOf()
  const key = { dataMarket: MARKET, epochId: 1, projectId: good.projectId }
  const home = partitionFor(world.topics.submissions.key.encode(key), 3)
  const copies = [0, 1, 2].map((partition) => ({ ...good, submissionId: uuid(700 + partition), header: hashOf(11) }))
  for (const [partition, copy] of copies.entries())
    world.driver.pipe(world.topics.submissions, key, copy, { partition })
  closeEpoch(world)
  expect(copies.map((copy) => world.reasonOf(copy))).toEqual(
    [0, 1, 2].map((partition) => (partition === home ? 'COUNTED' : 'MALFORMED')),
  )
})

test('behavior: the verdict lies under the slot and names the place in the log', () => {
  const world = openedWorld()
  world.submit(submissionOf({ epochId: 9, slotId: 3, header: '' }))
  const [row] = world.driver.read(world.topics.verdicts)
  expect(row!.key).toEqual({ dataMarket: MARKET, epochId: 9, slotId: 3 })
  const place = world.submitted()[0]!
  expect(row!.value.position).toEqual({ partition: place.partition, offset: place.offset })
})

describe('several markets', () => {
  const other = marketRules({ dataMarket: OTHER_MARKET, chainId: 7869 })
  const rules = { ...rulesOf(), markets: [marketRules(), other] }

  test('behavior: each has its epochs and its domain', () => {
    const world = createWorld({ rules })
    world.tick(headTick(10), openTick(1, 10), headTick(11), openTick(7, 11, '', OTHER_MARKET))
    const mine = world.submit(submissionOf())
    const theirs = world.submit(submissionOf({ epochId: 7, dataMarket: OTHER_MARKET }, other))
    const crossed = world.submit({ ...submissionOf(), dataMarket: OTHER_MARKET })
    world.tick(headTick(12), closeTick(1, 10, 12))
    expect(world.reasonOf(mine)).toBe('COUNTED')
    expect(world.reasonOf(theirs)).toBeUndefined()
    expect(world.reasonOf(crossed)).toBe('SLOT_MISMATCH')
    world.tick(closeTick(7, 11, 12, '', OTHER_MARKET))
    expect(world.reasonOf(theirs)).toBe('COUNTED')
    expect(world.driver.read(world.topics.batches).map(({ key }) => key.dataMarket)).toEqual([
      MARKET,
      MARKET,
      OTHER_MARKET,
      OTHER_MARKET,
    ])
  })
})
