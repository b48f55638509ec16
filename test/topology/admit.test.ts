import { describe, expect, test } from 'vitest'
import type { Submission } from '../../schemas/types.ts'
import { REFUSED_MAX } from '../../topology/admit.ts'
import { epochScope, isMarker, isWithdrawal } from '../../topology/topics.ts'
import { addressOf, closeEpoch, MARKET, openedWorld, rulesOf, submissionOf, uuid, type World } from './world.ts'

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
    const b = world.submit(submissionOf({ projectId: project(1), receivedAt: 5, submissionId: 'b' }))
    const a = world.submit(submissionOf({ projectId: project(2), receivedAt: 5, submissionId: 'a' }))
    const c = world.submit(submissionOf({ projectId: project(3), receivedAt: 5, submissionId: 'c' }))
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

  test('behavior: what a slot sends far over its quota is refused without being remembered', () => {
    const rules = rulesOf({ perSlotPerEpoch: 1 })
    const world = openedWorld({ rules })
    world.submit(submissionOf({ receivedAt: 5_000_000 }))
    const spam = (n: number): Submission => submissionOf({ snapshotCid: `cid-${n}`, receivedAt: 6_000_000 + n })
    for (let n = 0; n < REFUSED_MAX + 20; n++) world.submit(spam(n))
    expect(world.driver.store(world.stores.slotQuota, 0).sizeOf(epochScope(MARKET, 1))).toBe(REFUSED_MAX + 1)
    const earlier = world.submit(submissionOf({ projectId: 'project-z', receivedAt: 1 }))
    expect(world.reasonOf(earlier)).toBe('RATE_LIMITED')
  })
})
