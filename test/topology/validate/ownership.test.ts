import { describe, expect, test } from 'vitest'
import type { EpochTick } from '../../../schemas/types.ts'
import { placeAsOf } from '../../../topology/validate/ownership.ts'
import { addressOf, createWorld, headTick, type Owned, openTick, orphanTick, rulesOf, submissionOf } from '../world.ts'

/** Slot 1 is sold to the owner of slot 2 in block 11, which leaves the chain; the sale comes again in block 12. */
const SELLER = { sinceBlock: 0, owner: addressOf(1), active: true }
const SALE = { sinceBlock: 11, owner: addressOf(2), active: true }
const ENDED = { ...SALE, untilFork: 1 }
const SOLD_LATER = { ...SALE, sinceBlock: 12, sinceFork: 1 }

const forked = (tick: EpochTick): EpochTick => ({ ...tick, forks: 1 })
const FORK = [orphanTick(11), headTick(11, 'b', ''), openTick(1, 11, 'b')].map(forked)

/** What becomes of a vote of each at either fork, with the table as it is when the ORPHAN comes, and before. */
function reasonsWith(before: readonly Owned[], after: readonly Owned[]): unknown[] {
  const world = createWorld({ slots: 8 })
  const votes = (fork: string) => {
    const header = headTick(11, fork).blockHash
    const fields = [{ signedBy: 1 }, { signedBy: 2 }, { signedBy: 2, epochId: 0 }]
    return fields.map((one) => world.submit(submissionOf({ ...one, header })))
  }
  world.own(1, before)
  world.tick(headTick(10), headTick(11), openTick(1, 11))
  const first = votes('')
  world.own(1, after)
  world.tick(...FORK)
  const second = votes('b')
  return [...first, ...second].map((one) => world.verdictOn(one)?.reason ?? 'counts so far')
}

describe('a slot whose sale leaves the chain', () => {
  test('behavior: a task judges by what the markers have told it, however far ahead its table is', () => {
    const expected = ['SLOT_MISMATCH', 'counts so far', 'SIMULATION', 'counts so far', 'SLOT_MISMATCH', 'SLOT_MISMATCH']
    expect(reasonsWith([SELLER, SALE], [SELLER, ENDED])).toEqual(expected)
    expect(reasonsWith([SELLER, ENDED], [SELLER, ENDED])).toEqual(expected)
    expect(reasonsWith([SELLER, ENDED, SOLD_LATER], [SELLER, ENDED, SOLD_LATER])).toEqual(expected)
  })

  test('behavior: who waits for an epoch is a stranger, or is not, by the same', () => {
    const strangers = (entries: readonly Owned[]): unknown => {
      const world = createWorld({ rules: { ...rulesOf(), parkedMax: 0 } })
      world.own(1, entries)
      world.tick(headTick(10), headTick(11))
      return world.reasonOf(world.submit(submissionOf({ signedBy: 2 })))
    }
    const noRoom = 'EPOCH_NOT_OPEN'
    const sold = [[SALE], [ENDED], [{ ...SALE, sinceFork: 1 }]].map((sale) => strangers([SELLER, ...sale]))
    expect(sold).toEqual([undefined, undefined, noRoom])
  })

  test('default: rows of older clocks count at every fork', () => {
    const history = [SELLER, SALE].map((entry) => ({ ...entry, sinceFork: 0, untilFork: 0 }))
    expect([0, 5].map((forks) => [10, 11].map((block) => placeAsOf(history, block, forks)))).toEqual([
      [0, 1],
      [0, 1],
    ])
  })
})
