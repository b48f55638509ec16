import { describe, expect, test } from 'vitest'
import type { Submission } from '../../../schemas/types.ts'
import { epochScope, isMarker, isWithdrawal } from '../../../topology/topics.ts'
import {
  addressOf,
  closeEpoch,
  closeTick,
  hashOf,
  headTick,
  MARKET,
  openedWorld,
  openTick,
  orphanTick,
  rulesOf,
  submissionOf,
  uuid,
  type World,
} from '../world.ts'

const withdrawals = (world: World) =>
  world.driver.read(world.topics.admitted).flatMap(({ key, value }) => (isWithdrawal(value) ? [{ key, value }] : []))
const admitted = (world: World) =>
  world.driver
    .read(world.topics.admitted)
    .flatMap(({ value }) => (isMarker(value) || isWithdrawal(value) ? [] : [value.submissionId]))
const project = (n: number) => `project-${n}`

describe('identity by digest', () => {
  test('behavior: the same signed submission again, under another UUID and header, is a DUPLICATE and costs nothing', () => {
    const world = openedWorld()
    const first = world.submit(submissionOf())
    const copies = [1, 2, 3].map((n) => world.submit({ ...first, submissionId: uuid(9_000 + n), receivedAt: n }))
    const second = world.submit(submissionOf({ projectId: 'project-b' }))
    expect(copies.map((copy) => world.reasonOf(copy))).toEqual(['DUPLICATE', 'DUPLICATE', 'DUPLICATE'])
    expect(world.verdictOn(copies[0]!)!.actual).toContain(first.submissionId)
    closeEpoch(world)
    expect([first, second].map((submission) => world.reasonOf(submission))).toEqual(['COUNTED', 'COUNTED'])
  })

  test('behavior: a copy of one that was over the quota does not come in by an earlier arrival', () => {
    const world = openedWorld()
    world.submit(submissionOf({ projectId: project(1), receivedAt: 10 }))
    world.submit(submissionOf({ projectId: project(2), receivedAt: 20 }))
    const over = world.submit(submissionOf({ projectId: project(3), receivedAt: 30 }))
    expect(world.reasonOf(over)).toBe('RATE_LIMITED')
    const copy = world.submit({ ...over, submissionId: uuid(7_777), receivedAt: 1 })
    expect(world.reasonOf(copy)).toBe('DUPLICATE')
    expect(withdrawals(world)).toEqual([])
  })
})

describe('quota', () => {
  test('behavior: the first two of a slot in an epoch, whatever the project', () => {
    const world = openedWorld()
    const sent = [1, 2, 3].map((n) => world.submit(submissionOf({ projectId: project(n) })))
    const other = world.submit(submissionOf({ slotId: 2, projectId: project(3) }))
    expect(world.verdictOn(sent[2]!)).toMatchObject({ reason: 'RATE_LIMITED', stage: 'admit', expected: 'at most 2' })
    closeEpoch(world)
    expect([sent[0]!, sent[1]!, other].map((submission) => world.reasonOf(submission))).toEqual(
      Array(3).fill('COUNTED'),
    )
  })

  test('behavior: one that arrived earlier displaces the last, which is withdrawn under its own project', () => {
    const world = openedWorld()
    const first = world.submit(submissionOf({ projectId: project(1), receivedAt: 10 }))
    const last = world.submit(submissionOf({ projectId: project(2), receivedAt: 30 }))
    const earlier = world.submit(submissionOf({ projectId: project(3), receivedAt: 20 }))
    expect(world.reasonOf(last)).toBe('RATE_LIMITED')
    expect(withdrawals(world)).toMatchObject([{ key: { projectId: project(2) }, value: { slotId: 1 } }])
    closeEpoch(world)
    expect([first, earlier].map((submission) => world.reasonOf(submission))).toEqual(['COUNTED', 'COUNTED'])
    expect(world.batches()[0]!.projectIds).toEqual([project(1), project(3)])
  })

  test('behavior: equal arrival times go by submissionId', () => {
    const world = openedWorld({ rules: rulesOf({ perSlotPerEpoch: 1 }) })
    const b = world.submit(submissionOf({ projectId: project(1), receivedAt: 5, submissionId: uuid(2) }))
    const a = world.submit(submissionOf({ projectId: project(2), receivedAt: 5, submissionId: uuid(1) }))
    const c = world.submit(submissionOf({ projectId: project(3), receivedAt: 5, submissionId: uuid(3) }))
    closeEpoch(world)
    expect([a, b, c].map((submission) => world.reasonOf(submission))).toEqual([
      'COUNTED',
      'RATE_LIMITED',
      'RATE_LIMITED',
    ])
  })

  test('behavior: full nodes have their own', () => {
    const rules = rulesOf({ fullNodes: [addressOf(4)], perFullNodePerEpoch: 5 })
    const world = openedWorld({ rules })
    const sent = Array.from({ length: 6 }, (_, n) => world.submit(submissionOf({ slotId: 4, projectId: project(n) })))
    closeEpoch(world)
    expect(sent.map((submission) => world.reasonOf(submission))).toEqual([...Array(5).fill('COUNTED'), 'RATE_LIMITED'])
  })

  test('behavior: each epoch has its own, and nothing stays after the close', () => {
    const world = openedWorld()
    for (const n of [1, 2, 3]) world.submit(submissionOf({ projectId: project(n) }))
    const store = world.driver.store(world.stores.slotQuota, 0)
    expect([...store.scopes()]).toHaveLength(1)
    closeEpoch(world)
    expect([...store.scopes()]).toEqual([])
  })

  test('behavior: a restart counts on', () => {
    const world = openedWorld()
    const first = world.submit(submissionOf({ projectId: project(1), receivedAt: 10 }))
    world.submit(submissionOf({ projectId: project(2), receivedAt: 30 }))
    world.driver.restart('admit', 0)
    world.submit({ ...first, submissionId: uuid(5_555) })
    world.submit(submissionOf({ projectId: project(3), receivedAt: 20 }))
    world.submit(submissionOf({ projectId: project(4), receivedAt: 40 }))
    expect(world.verdicts().map(({ reason }) => reason)).toEqual(['DUPLICATE', 'RATE_LIMITED', 'RATE_LIMITED'])
    expect(admitted(world)).toHaveLength(3)
  })

  test('behavior: equal arrivals and ids go by digest', () => {
    const rules = rulesOf({ perSlotPerEpoch: 1 })
    const twins = [1, 2, 3].map((n) => submissionOf({ projectId: project(n), receivedAt: 5, submissionId: uuid(1) }))
    const outcomes = [twins, twins.toReversed()].map((order) => {
      const world = openedWorld({ rules })
      for (const twin of order) world.submit(twin)
      closeEpoch(world)
      return world.batches()[0]!.projectIds
    })
    expect(outcomes[0]).toHaveLength(1)
    expect(outcomes[1]).toEqual(outcomes[0])
  })

  test('behavior: a slot that is sold in the midst of an epoch is the seller’s until the next one is released', () => {
    const world = openedWorld({ rules: rulesOf({ perSlotPerEpoch: 1 }) })
    const seller = world.submit(submissionOf({ projectId: project(1) }))
    world.own(1, [
      { sinceBlock: 0, owner: addressOf(1), active: true },
      { sinceBlock: 12, owner: addressOf(2), active: true },
    ])
    world.tick(headTick(12))
    const buyer = world.submit(submissionOf({ projectId: project(1), signedBy: 2 }))
    world.tick(headTick(13), openTick(2, 13), closeTick(1, 10, 13))
    const next = [1, 2].map((signedBy) => world.submit(submissionOf({ epochId: 2, signedBy, header: hashOf(13) })))
    world.tick(headTick(14), closeTick(2, 13, 14))
    expect([seller, buyer].map((submission) => world.reasonOf(submission))).toEqual(['COUNTED', 'SLOT_MISMATCH'])
    expect(next.map((submission) => world.reasonOf(submission))).toEqual(['SLOT_MISMATCH', 'COUNTED'])
  })
})

describe('the signed deadline', () => {
  const vote = (world: World, deadline: number, n: number, fields: Partial<Submission> = {}): Submission =>
    world.submit(submissionOf({ deadline, projectId: project(n), ...fields }))

  test('behavior: who signed last comes first, and then who arrived first, in any order and after a restart', () => {
    const signed = [
      { deadline: 101, receivedAt: 20, n: 1 },
      { deadline: 102, receivedAt: 40, n: 2 },
      { deadline: 101, receivedAt: 10, n: 3 },
      { deadline: 100, receivedAt: 5, n: 4 },
    ]
    for (const order of [signed, signed.toReversed()]) {
      const world = openedWorld()
      const sent = order.map(({ deadline, receivedAt, n }, at) => {
        if (at === 2) world.driver.restart('admit', 0)
        return vote(world, deadline, n, { receivedAt })
      })
      closeEpoch(world)
      const seated = sent.filter((one) => world.reasonOf(one) === 'COUNTED').map(({ projectId }) => projectId)
      expect(seated.sort()).toEqual([project(2), project(3)])
      expect(world.verdicts().filter(({ reason }) => reason === 'RATE_LIMITED')).toHaveLength(2)
    }
  })

  test.each([
    ['when the log knows of that', true],
    ['before the log knows of that', false],
  ])(
    'behavior: a release leaves the chain; votes for the next one have the seats of the lost one, %s',
    (_, isKnown) => {
      const world = openedWorld()
      const again = () => world.tick(orphanTick(10), headTick(10, 'b', ''), openTick(1, 10, 'b'), headTick(11, 'b'))
      const lost = [1, 2].map((n) => vote(world, 111, n))
      if (isKnown) again()
      const next = [1, 2].map((n) => vote(world, 112, n, { header: hashOf(12, 'b') }))
      if (!isKnown) again()
      world.tick(headTick(12, 'b'), headTick(13, 'b'), closeTick(1, 10, 13, 'b'))
      expect(world.reasonsOf(lost)).toEqual(['RATE_LIMITED', 'RATE_LIMITED'])
      expect(world.reasonsOf(next)).toEqual(['COUNTED', 'COUNTED'])
      expect(withdrawals(world)).toHaveLength(2)
    },
  )
})

describe('an owner that signs more than are told apart', () => {
  const rules = rulesOf({ perSlotPerEpoch: 2, overQuotaMax: 3 })
  const flood = (count: number): Submission[] =>
    Array.from({ length: count }, (_, n) => submissionOf({ projectId: project(n), receivedAt: 1_000 - n }))

  test('behavior: up to the bound its quota stands', () => {
    const world = openedWorld({ rules })
    const sent = flood(5).map((submission) => world.submit(submission))
    closeEpoch(world)
    const counted = sent.filter((submission) => world.reasonOf(submission) === 'COUNTED')
    expect(counted).toEqual(sent.slice(-2))
  })

  test('behavior: beyond it none of its submissions counts, in any order, and no other slot is touched', () => {
    for (const order of [flood(6), flood(6).toReversed()]) {
      const world = openedWorld({ rules })
      const other = world.submit(submissionOf({ slotId: 2 }))
      for (const submission of order) world.submit(submission)
      closeEpoch(world)
      expect(order.map((submission) => world.reasonOf(submission))).toEqual(Array(6).fill('RATE_LIMITED'))
      expect(world.reasonOf(other)).toBe('COUNTED')
    }
  })

  test('behavior: one row is kept of all that it sends, and a restart knows of it', () => {
    const world = openedWorld({ rules })
    for (const submission of flood(200)) world.submit(submission)
    const rows = () => world.driver.store(world.stores.slotQuota, 0).sizeOf(epochScope(MARKET, 1))
    expect(rows()).toBe(1)
    world.driver.restart('admit', 0)
    const late = world.submit(submissionOf({ receivedAt: 1 }))
    expect(world.reasonOf(late)).toBe('RATE_LIMITED')
    expect(rows()).toBe(1)
  })

  test('behavior: what a flood lets go of is the owner’s, also after a restart', () => {
    const world = openedWorld({ rules })
    const others = [2, 3, 4].map((slotId) => world.submit(submissionOf({ slotId })))
    for (const submission of flood(5)) world.submit(submission)
    world.driver.restart('admit', 0)
    world.submit(submissionOf({ projectId: project(9) }))
    expect(world.driver.store(world.stores.slotQuota, 0).sizeOf(epochScope(MARKET, 1))).toBe(1 + others.length)
    closeEpoch(world)
    expect(others.map((submission) => world.reasonOf(submission))).toEqual(Array(3).fill('COUNTED'))
  })

  test('behavior: the next epoch it may vote again', () => {
    const world = openedWorld({ rules })
    for (const submission of flood(9)) world.submit(submission)
    closeEpoch(world)
    world.tick(openTick(2, 15), headTick(16))
    const next = world.submit(submissionOf({ epochId: 2, header: hashOf(16) }))
    world.tick(headTick(17), closeTick(2, 15, 17))
    expect(world.reasonOf(next)).toBe('COUNTED')
  })
})
