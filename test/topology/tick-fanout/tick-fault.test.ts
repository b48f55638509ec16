/** Ticks that cannot be true: none becomes a signed marker, none makes the clock send anything, and each is told. */
import { describe, expect, test } from 'vitest'
import type { EpochTick } from '../../../schemas/types.ts'
import { faultOf } from '../../../topology/tick-fanout/tick-fault.ts'
import { closeTick, createWorld, headTick, MARKET, OTHER_MARKET, openTick, orphanTick, type World } from '../world.ts'

const begun = (): World => {
  const world = createWorld()
  world.tick(headTick(10), headTick(11))
  return world
}
const put = (world: World, tick: EpochTick, dataMarket = tick.dataMarket) =>
  world.driver.pipe(world.topics.epochTicks, { dataMarket }, tick)

const LONG = 'x'.repeat(10_000)
const FAULTS: readonly (readonly [string, EpochTick, RegExp])[] = [
  ['a block below 0', { ...openTick(1, 11), blockNumber: -4 }, /^OPEN -4 refused: its blockNumber is -4$/],
  ['a HEAD below 0', { ...headTick(12), blockNumber: -1 }, /its blockNumber is -1/],
  ['a window below 0', { ...openTick(1, 11), submissionWindow: -1 }, /its submissionWindow is -1/],
  ['an epoch below 0', openTick(-1, 11), /its epochId is -1/],
  ['an offset below 0', { ...headTick(12), slotsOffset: -1 }, /its slotsOffset is -1/],
  ['a market that is none', openTick(1, 11, '', 'market'), /its market is "market", which is no address/],
  ['no market', openTick(1, 11, '', ''), /its market is "", which is no address/],
  ['a market of capitals', openTick(1, 11, '', `0x${'A'.repeat(40)}`), /which is no address/],
  ['a release that comes later', { ...openTick(1, 11), releaseBlock: 12 }, /in block 12, which comes later/],
  ['an epoch that ends first', { ...openTick(1, 11), begin: 9, end: 8 }, /ends with block 8, before it begins with 9/],
  ['a skip that comes later', { ...openTick(4, 11), skippedFrom: 5 }, /epoch 5 was skipped or refused before it/],
  ['a refusal that comes later', { ...openTick(4, 11), refusedFrom: 5 }, /epoch 5 was skipped or refused before it/],
  ['a HEAD of an epoch', { ...headTick(12), dataMarket: MARKET, epochId: 3 }, /it is of no epoch, and names 3 of "0x/],
  ['a HEAD with an epoch alone', { ...headTick(12), epochId: 3 }, /it is of no epoch/],
  ['an ORPHAN of an epoch', { ...orphanTick(11), epochId: 3 }, /it is of no epoch/],
  ['a hash that is none', { ...openTick(1, 11), blockHash: LONG }, /its block hash is "x{80}", which is none/],
  ['no hash', { ...headTick(12), blockHash: '' }, /its block hash is "", which is none/],
  ['a parent that is none', { ...headTick(12), parentHash: LONG }, /its parent hash is "x{80}", which is none/],
]

describe('a tick that cannot be true', () => {
  test.each(FAULTS)('error: %s is kept out, told once, and nothing is asked', (_, tick, words) => {
    const world = begun()
    for (let i = 0; i < 3; i++) put(world, tick)
    expect(world.ticksAccepted()).toHaveLength(2)
    expect(world.requests()).toMatchObject([{ fromBlock: 0, toBlock: -1 }])
    expect(world.requests()[0]!.reason).toMatch(words)
  })

  test('error: a key of another market', () => {
    const world = begun()
    put(world, openTick(1, 11), OTHER_MARKET)
    put(world, openTick(2, 11), LONG)
    expect(world.ticksAccepted()).toHaveLength(2)
    expect(world.requests().map(({ reason }) => reason)).toMatchObject([
      `OPEN 11 refused: its key is of market "${OTHER_MARKET}", it is of "${MARKET}"`,
      `OPEN 11 refused: its key is of market "${'x'.repeat(80)}", it is of "${MARKET}"`,
    ])
  })

  test('behavior: it does not wait above a gap either', () => {
    const world = begun()
    put(world, { ...openTick(1, 20), releaseBlock: 21 })
    expect(world.driver.store(world.stores.tickGap, 0).size).toBe(0)
    expect(world.requests()).toMatchObject([{ fromBlock: 0, toBlock: -1 }])
  })

  test('behavior: the true one that follows is taken', () => {
    const world = begun()
    put(world, { ...openTick(1, 11), submissionWindow: -1 })
    put(world, openTick(1, 11))
    expect(world.ticksAccepted().map(({ kind }) => kind)).toEqual(['HEAD', 'HEAD', 'OPEN'])
  })
})

test.each([
  ['HEAD', headTick(0)],
  ['HEAD on a parent that is not known', { ...headTick(12), parentHash: '' }],
  ['OPEN', { ...openTick(4, 12), skippedFrom: 2, refusedFrom: 3, begin: 7, end: 7 }],
  ['OPEN found late', { ...openTick(4, 12), releaseBlock: 10 }],
  ['OPEN with a window of 0', { ...openTick(4, 12), submissionWindow: 0 }],
  ['CLOSE', closeTick(4, 10, 12)],
  ['ORPHAN', orphanTick(12)],
  ['ORPHAN of a block that is not known', { ...orphanTick(12), blockHash: '', parentHash: '' }],
  ['tick of an older clock', { ...headTick(12), contractBlock: -1 }],
])('default: a true %s has no fault', (_, tick) => {
  expect(faultOf({ dataMarket: tick.dataMarket }, tick)).toBeUndefined()
})
