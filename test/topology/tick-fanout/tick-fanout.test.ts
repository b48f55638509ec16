import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EpochTick } from '../../../schemas/types.ts'
import { GAP_TICKS_MAX } from '../../../topology/tick-fanout/tick-gap.ts'
import { isMarker } from '../../../topology/topics.ts'
import { closeTick, createWorld, hashOf, headTick, openTick, orphanTick, rulesOf, type World } from '../world.ts'

/** HEADs from 10 on, an epoch each 4 blocks with a window of 4. */
function chainOf(blocks: number, fork = ''): EpochTick[] {
  const ticks: EpochTick[] = []
  for (let block = 10; block < 10 + blocks; block++) {
    ticks.push(headTick(block, fork))
    if (block % 4 === 2) ticks.push(openTick(block, block, fork))
    const closing = block - 5
    if (closing >= 10 && closing % 4 === 2) ticks.push(closeTick(closing, closing, block, fork))
  }
  return ticks
}
const short = ({ kind, blockNumber, blockHash }: EpochTick) => `${kind} ${blockNumber} ${blockHash.slice(2, 6)}`
const accepted = (world: World) => world.ticksAccepted().map(short)

test('default: ticks in chain order go to every partition, one marker each', () => {
  const world = createWorld({ partitions: 3 })
  world.tick(...chainOf(12))
  const markers = world.driver.read(world.topics.submissions)
  for (const partition of [0, 1, 2]) {
    const mine = markers.filter((marker) => marker.partition === partition)
    expect(mine.map(({ value }) => isMarker(value) && short(value.tick))).toEqual(chainOf(12).map(short))
    for (const { value } of mine) expect(value).toMatchObject({ from: 0, of: 1 })
  }
  expect(world.requests()).toEqual([])
})

/** Any order of the elements, each at least once. */
const inAnyOrder = <T>(elements: readonly T[]): fc.Arbitrary<T[]> =>
  fc.array(fc.constantFrom(...elements), { maxLength: 20 }).chain((repeats) => {
    const all = [...elements, ...repeats]
    return fc.shuffledSubarray(all, { minLength: all.length })
  })

describe('in any order, with any repeats, once what was missing is sent again', () => {
  const ticks = chainOf(14)
  const numbers = [...new Set(ticks.map(({ blockNumber }) => blockNumber))]
  const blocks = numbers.map((number) => ticks.filter(({ blockNumber }) => blockNumber === number))

  test('behavior: whole blocks give the same markers in chain order', () => {
    fc.assert(
      fc.property(inAnyOrder(blocks), fc.integer({ min: 1, max: 5 }), (order, commitEvery) => {
        const world = createWorld({ commitEvery })
        world.tick(...blocks[0]!, ...order.flat(), ...ticks)
        expect(accepted(world)).toEqual(ticks.map(short))
      }),
      { numRuns: 60 },
    )
  })

  test('behavior: single ticks give every marker once, blocks in order, and no epoch closed before it is open', () => {
    fc.assert(
      fc.property(inAnyOrder(ticks), (order) => {
        const world = createWorld()
        world.tick(ticks[0]!, ...order, ...ticks)
        const got = world.ticksAccepted()
        expect(got.map(short).sort()).toEqual(ticks.map(short).sort())
        const heads = got.filter(({ kind }) => kind === 'HEAD').map(({ blockNumber }) => blockNumber)
        expect(heads).toEqual(heads.toSorted((a, b) => a - b))
        for (const { epochId } of got.filter(({ kind }) => kind === 'CLOSE')) {
          const kinds = got.filter((tick) => tick.epochId === epochId).map(({ kind }) => kind)
          expect(kinds).toEqual(['OPEN', 'CLOSE'])
        }
      }),
      { numRuns: 60 },
    )
  })
})

test('behavior: a gap is asked for, waits, and is filled in chain order', () => {
  const world = createWorld()
  world.tick(headTick(10), headTick(13), openTick(1, 13), headTick(14))
  expect(accepted(world)).toEqual([short(headTick(10))])
  expect(world.requests()).toEqual([{ fromBlock: 11, toBlock: 12, reason: 'gap: blocks 11 to 12 are missing' }])
  world.tick(headTick(11), headTick(12))
  expect(world.requests()).toHaveLength(1)
  world.tick(headTick(15)) // of another block: block 12 has no more to say
  expect(accepted(world)).toEqual(
    [headTick(10), headTick(11), headTick(12), headTick(13), openTick(1, 13), headTick(14), headTick(15)].map(short),
  )
})

test('behavior: an OPEN whose block is missing waits for it', () => {
  const world = createWorld()
  world.tick(headTick(10), openTick(1, 11))
  expect(world.requests()).toMatchObject([{ fromBlock: 11, toBlock: 11 }])
  world.tick(headTick(11), headTick(12))
  expect(accepted(world)).toEqual([headTick(10), headTick(11), openTick(1, 11), headTick(12)].map(short))
})

test('behavior: more than fits into the gap is asked for again when the rest is through', () => {
  const world = createWorld({ commitEvery: 1_000 })
  const last = 10 + GAP_TICKS_MAX + 20
  world.tick(headTick(10))
  for (let block = 12; block <= last; block++)
    world.driver.append(world.topics.epochTicks, { dataMarket: '' }, headTick(block))
  world.driver.run()
  world.tick(headTick(11), headTick(last))
  const reached = world.ticksAccepted().at(-1)!.blockNumber
  expect(reached).toBe(11 + GAP_TICKS_MAX)
  expect(world.requests().at(-1)).toMatchObject({ fromBlock: reached + 1, toBlock: last - 1 })
})

describe('contradictions', () => {
  test('error: another block of an accepted number, without an ORPHAN, is kept out and asked for once', () => {
    const world = createWorld()
    world.tick(headTick(10), headTick(11), headTick(11, 'b'), headTick(11, 'b'))
    expect(accepted(world)).toEqual([headTick(10), headTick(11)].map(short))
    expect(world.requests()).toHaveLength(1)
    expect(world.requests()[0]).toMatchObject({ fromBlock: 11, toBlock: 11 })
    expect(world.requests()[0]!.reason).toContain('HEAD 11 refused: the block is')
  })

  test('error: a block on another parent', () => {
    const world = createWorld()
    world.tick(headTick(10), headTick(11, 'b'))
    expect(world.requests()).toMatchObject([{ fromBlock: 10, toBlock: 10 }])
    expect(world.requests()[0]!.reason).toContain('its parent is')
    expect(accepted(world)).toEqual([short(headTick(10))])
  })

  test('error: an OPEN of a block that is not in the chain', () => {
    const world = createWorld()
    world.tick(headTick(10), openTick(1, 10, 'b'))
    expect(world.requests()[0]!.reason).toContain('OPEN 10 refused: block 10 is')
    expect(accepted(world)).toHaveLength(1)
  })

  test('error: a CLOSE of an epoch that was never opened asks for its release', () => {
    const world = createWorld()
    world.tick(headTick(10), headTick(11), headTick(12), closeTick(1, 10, 12))
    expect(world.requests()).toMatchObject([{ fromBlock: 10, toBlock: 12 }])
    world.tick(openTick(1, 10), closeTick(1, 10, 12))
    expect(accepted(world).slice(3)).toEqual([openTick(1, 10), closeTick(1, 10, 12)].map(short))
  })
})

describe('reorganisations', () => {
  const reorg = [orphanTick(12), headTick(12, 'b', ''), headTick(13, 'b'), headTick(14, 'b')]

  test('behavior: ORPHAN takes blocks back, others follow', () => {
    const world = createWorld()
    const before = [headTick(10), headTick(11), headTick(12), headTick(13)]
    world.tick(...before, ...reorg)
    expect(accepted(world)).toEqual([...before, ...reorg].map(short))
    expect(world.requests()).toEqual([])
  })

  test('behavior: the same reorganisation again changes nothing', () => {
    const world = createWorld()
    world.tick(headTick(10), headTick(11), headTick(12), ...reorg)
    const before = accepted(world)
    world.tick(...reorg)
    expect(accepted(world)).toEqual(before)
  })

  test('behavior: an epoch released in a block that left opens anew', () => {
    const world = createWorld()
    world.tick(headTick(10), headTick(11), openTick(1, 11), orphanTick(11), headTick(11, 'b', ''), openTick(1, 11, 'b'))
    expect(accepted(world).slice(-3)).toEqual([orphanTick(11), headTick(11, 'b'), openTick(1, 11, 'b')].map(short))
  })

  test('behavior: a closed epoch stays closed', () => {
    const world = createWorld()
    world.tick(headTick(10), openTick(1, 10), headTick(11), closeTick(1, 10, 11))
    world.tick(orphanTick(11), headTick(11, 'b', ''), closeTick(1, 10, 11, 'b'), openTick(1, 10))
    expect(accepted(world).slice(-2)).toEqual([orphanTick(11), headTick(11, 'b')].map(short))
  })

  test('behavior: a block that waits in the gap can leave, too', () => {
    const world = createWorld()
    world.tick(
      headTick(10),
      headTick(12),
      headTick(13),
      orphanTick(12),
      headTick(12, 'b', ''),
      headTick(11),
      headTick(13, 'b'),
    )
    expect(accepted(world)).toEqual([headTick(10), headTick(11), headTick(12, 'b'), headTick(13, 'b')].map(short))
  })

  test('behavior: back to before the first block that is known', () => {
    const world = createWorld()
    world.tick(headTick(10), orphanTick(10), headTick(10, 'b'), headTick(11, 'b'))
    expect(accepted(world)).toHaveLength(4)
    expect(world.requests()).toEqual([])
  })
})

test('behavior: only headsKept blocks are remembered, and what is older is dropped as known', () => {
  const world = createWorld({ rules: rulesOf({}, { headsKept: 5 }) })
  for (let block = 10; block < 40; block++) world.tick(headTick(block))
  expect(world.driver.store(world.stores.chainHeads, 0).size).toBe(6)
  world.tick(headTick(20), headTick(20, 'b'))
  expect(world.ticksAccepted()).toHaveLength(30)
  expect(world.requests()).toEqual([])
})

test('behavior: closed epochs are forgotten with their blocks', () => {
  const world = createWorld({ rules: rulesOf({}, { headsKept: 10 }) })
  world.tick(...chainOf(80))
  expect(world.driver.store(world.stores.chainEpochs, 0).size).toBeLessThan(8)
})

test('behavior: a restart continues where it was', () => {
  const ticks = chainOf(14)
  const world = createWorld()
  world.tick(...ticks.slice(0, 7))
  world.driver.restart('tick-fanout', 0)
  world.tick(...ticks)
  expect(accepted(world)).toEqual(ticks.map(short))
  expect(world.ticksAccepted()[0]!.blockHash).toBe(hashOf(10))
})
