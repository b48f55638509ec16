import { describe, expect, test } from 'vitest'
import {
  closeEpoch,
  closeTick,
  createWorld,
  hashOf,
  headTick,
  openedWorld,
  openTick,
  submissionOf,
  uuid,
} from '../world.ts'

const ELSEWHERE = hashOf(10, 'elsewhere')
const project = (n: number) => `project-${n}`

describe('a message that came with two headers', () => {
  test('behavior: who sends it first with a header that is none does not take its vote away', () => {
    const world = openedWorld()
    const original = submissionOf()
    const copy = world.submit({ ...original, submissionId: uuid(9_001), header: ELSEWHERE })
    world.submit(original)
    closeEpoch(world)
    expect([copy, original].map((one) => world.reasonOf(one))).toEqual(['COUNTED', 'DUPLICATE'])
    expect(world.batches()[0]!.submissions).toBe(1)
  })

  test('behavior: nor does who sends it before its epoch, with a header that is older', () => {
    const world = openedWorld()
    const original = submissionOf({ epochId: 2, header: hashOf(12) })
    const copy = world.submit({ ...original, submissionId: uuid(9_001), header: hashOf(10) })
    world.submit(original)
    world.driver.restart('validate', 0)
    world.tick(headTick(12), openTick(2, 12), headTick(13), closeTick(2, 12, 13))
    expect([copy, original].map((one) => world.reasonOf(one))).toEqual(['COUNTED', 'DUPLICATE'])
  })

  test('behavior: nor the other way round, with the copy before its epoch and the message in it', () => {
    const world = openedWorld()
    const original = submissionOf({ epochId: 2, header: hashOf(12) })
    const copy = world.submit({ ...original, submissionId: uuid(9_001), header: hashOf(10) })
    world.tick(headTick(12), openTick(2, 12))
    world.driver.restart('admit', 0)
    world.submit(original)
    world.tick(headTick(13), closeTick(2, 12, 13))
    expect([copy, original].map((one) => world.reasonOf(one))).toEqual(['COUNTED', 'DUPLICATE'])
  })

  test.each([
    ['no block hash', '0x12', ['UNKNOWN_HEADER', 'COUNTED']],
    ['the hash of no block', ELSEWHERE, ['COUNTED', 'DUPLICATE']],
  ])('behavior: nor does who sends it before the first block, with %s', (_, header, reasons) => {
    const world = createWorld()
    const original = submissionOf()
    const copy = world.submit({ ...original, submissionId: uuid(9_001), header })
    world.submit(original)
    world.tick(headTick(10), openTick(1, 10), headTick(11), closeTick(1, 10, 11))
    expect([copy, original].map((one) => world.reasonOf(one))).toEqual(reasons)
  })

  test('behavior: any number of further headers is one more record for consensus', () => {
    const world = openedWorld()
    const original = world.submit(submissionOf())
    for (let n = 0; n < 50; n++)
      world.submit({ ...original, submissionId: uuid(9_000 + n), header: hashOf(n, 'other') })
    closeEpoch(world)
    expect(world.driver.read(world.topics.admitted).filter(({ value }) => 'submissionId' in value)).toHaveLength(2)
    expect(world.reasonOf(original)).toBe('COUNTED')
  })

  test('behavior: a copy does not bring back what is over the quota', () => {
    const world = openedWorld()
    const over = world.submit(submissionOf({ projectId: project(1), receivedAt: 30 }))
    for (const n of [2, 3]) world.submit(submissionOf({ projectId: project(n), receivedAt: n }))
    world.submit({ ...over, submissionId: uuid(9_001), header: ELSEWHERE })
    closeEpoch(world)
    expect(world.reasonOf(over)).toBe('RATE_LIMITED')
    expect(world.batches()[0]!.projectIds).toEqual([project(2), project(3)])
  })

  test('error: a header that is none is refused where it is the only one, whatever the record says of itself', () => {
    const world = openedWorld()
    const alone = world.submit(submissionOf({ header: ELSEWHERE, contested: true }))
    world.submit({ ...alone, submissionId: uuid(9_001) })
    closeEpoch(world)
    expect(world.reasonOf(alone)).toBe('UNKNOWN_HEADER')
  })
})
