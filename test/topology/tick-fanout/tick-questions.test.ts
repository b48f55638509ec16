/** Ticks that hang on what is not there: each is asked for once at most, and never when nobody can send it. */
import { describe, expect, test } from 'vitest'
import type { EpochTick } from '../../../schemas/types.ts'
import { QUESTIONS_MAX, WORDS_MAX } from '../../../topology/tick-fanout/tick-questions.ts'
import { closeTick, createWorld, headTick, MARKET, openTick, orphanTick, rulesOf, type World } from '../world.ts'

/** Rounds of question and answer; more of them are a loop. */
const ROUNDS_MAX = 20

/** Pipes ticks, and answers each request as the clock does: with all that the log has of these blocks. @returns rounds of answers */
function withClock(world: World, logged: readonly EpochTick[], ...ticks: EpochTick[]): number {
  let answered = world.requests().length
  world.tick(...ticks)
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
    const asked = world.requests().slice(answered)
    answered += asked.length
    const isAsked = ({ blockNumber: block }: EpochTick) =>
      asked.some(({ fromBlock, toBlock }) => fromBlock <= block && block <= toBlock)
    const answer = logged.filter(isAsked)
    if (answer.length === 0) return rounds
    world.tick(...answer)
  }
  return ROUNDS_MAX
}

const heads = (from: number, to: number): EpochTick[] =>
  Array.from({ length: to - from + 1 }, (_, i) => headTick(from + i))
/** Requests that ask for something, and those that only tell. */
const questions = (world: World) => world.requests().filter(({ fromBlock, toBlock }) => fromBlock <= toBlock)
const words = (world: World) => world.requests().filter(({ fromBlock, toBlock }) => fromBlock > toBlock)

describe('a log that begins in the midst of an epoch', () => {
  const logged = [headTick(8), openTick(1, 8), ...heads(9, 13), closeTick(1, 8, 13), ...heads(14, 16)]

  test('behavior: its OPEN and CLOSE are told, and nobody is asked for what lies before the first block', () => {
    const world = createWorld()
    const rounds = withClock(world, logged, ...logged.filter(({ blockNumber }) => blockNumber >= 10))
    expect(rounds).toBe(0)
    expect(questions(world)).toEqual([])
    expect(words(world).map(({ reason }) => reason)).toEqual([
      'CLOSE 13 refused: epoch 1 of 0x0c2e22fe7526faef28e7a58c84f8723defce200c is not open, and its release in block 8 lies before the first block here',
    ])
  })

  test('behavior: ticks of earlier blocks that come again make no question, however they alternate', () => {
    const world = createWorld()
    world.tick(...heads(10, 13))
    for (let i = 0; i < 10; i++) world.tick(openTick(1, 8), closeTick(1, 8, 13), headTick(14 + i))
    expect(questions(world)).toEqual([])
    expect(words(world)).toHaveLength(2)
    expect(world.ticksAccepted().map(({ kind }) => kind)).not.toContain('OPEN')
  })

  test('behavior: after a restart the same is told no more', () => {
    const world = createWorld()
    world.tick(...heads(10, 13), openTick(1, 8), closeTick(1, 8, 13))
    world.driver.restart('tick-fanout', 0)
    world.tick(openTick(1, 8), closeTick(1, 8, 13))
    expect(world.requests()).toHaveLength(2)
  })

  test('behavior: the next epoch opens and closes', () => {
    const world = createWorld()
    const later = [openTick(2, 16), ...heads(17, 21), closeTick(2, 16, 21)]
    withClock(world, [...logged, ...later], ...logged.slice(3), ...later)
    expect(world.ticksAccepted().filter(({ epochId }) => epochId === 2)).toHaveLength(2)
  })

  test('error: an OPEN before any block is no beginning', () => {
    const world = createWorld()
    world.tick(openTick(1, 8), ...heads(10, 11))
    expect(questions(world)).toEqual([])
    expect(words(world)).toMatchObject([
      { fromBlock: 0, toBlock: -1, reason: 'OPEN 8 refused: block 8 lies before the first block here' },
    ])
    expect(world.ticksAccepted()).toHaveLength(2)
  })
})

describe('a question is asked once', () => {
  const strange = (n: number) => openTick(n, 11, `fork ${n}`)

  test('behavior: two that alternate are one question each', () => {
    const world = createWorld()
    world.tick(...heads(10, 13))
    for (let i = 0; i < 5; i++) world.tick(strange(1), strange(2))
    expect(questions(world)).toHaveLength(2)
  })

  test('behavior: also while blocks come in between, and after a restart', () => {
    const world = createWorld()
    world.tick(...heads(10, 13), strange(1))
    for (let i = 0; i < 5; i++) world.tick(headTick(14 + i), strange(1))
    world.driver.restart('tick-fanout', 0)
    world.tick(strange(1))
    expect(questions(world)).toHaveLength(1)
  })

  test('behavior: it is forgotten with its block, and when its block leaves the chain', () => {
    const world = createWorld({ rules: rulesOf({}, { headsKept: 5 }) })
    world.tick(...heads(10, 13), strange(1), orphanTick(11), headTick(11, 'b', ''), strange(1))
    expect(questions(world)).toHaveLength(2)
    for (let block = 12; block < 30; block++) world.tick(headTick(block, 'b'))
    const rows = [...world.driver.store(world.stores.chainHeads, 0).entries()].map(([key]) => key)
    expect(rows).toHaveLength(6)
  })

  test('behavior: an answered one is remembered no more', () => {
    const world = createWorld()
    const logged = [...heads(10, 13), openTick(1, 10)]
    expect(withClock(world, logged, ...heads(10, 13), closeTick(1, 10, 13))).toBe(1)
    expect(questions(world)).toMatchObject([{ fromBlock: 10, toBlock: 13 }])
    expect(world.driver.store(world.stores.chainHeads, 0).get('questions')).toBeDefined()
    world.tick(closeTick(1, 10, 13))
    expect(world.driver.store(world.stores.chainHeads, 0).get('questions')).toBeUndefined()
    expect(
      world
        .ticksAccepted()
        .map(({ kind }) => kind)
        .slice(-2),
    ).toEqual(['OPEN', 'CLOSE'])
  })

  test('behavior: a tick of a block that is kept no more is no news', () => {
    const world = createWorld({ rules: rulesOf({}, { headsKept: 5 }) })
    world.tick(...heads(10, 30), openTick(1, 12), closeTick(1, 12, 16))
    expect(world.requests()).toEqual([])
  })

  test('behavior: of more than can be remembered none is asked, so that no number of them makes a loop', () => {
    const world = createWorld({ commitEvery: 1_000 })
    world.tick(...heads(10, 13))
    for (let round = 0; round < 3; round++)
      for (let n = 1; n <= QUESTIONS_MAX + 5; n++)
        world.driver.append(world.topics.epochTicks, { dataMarket: MARKET }, strange(n))
    world.driver.run()
    expect(questions(world)).toHaveLength(QUESTIONS_MAX)
  })
})

test('behavior: the words that are remembered have a bound, and the oldest give way', () => {
  const world = createWorld({ commitEvery: 1_000 })
  world.tick(...heads(10, 13))
  const strange = (n: number) => ({ ...openTick(n, 8), blockHash: 'x'.repeat(10_000) })
  for (let n = 1; n <= 3 * WORDS_MAX; n++)
    world.driver.append(world.topics.epochTicks, { dataMarket: MARKET }, strange(n))
  world.driver.run()
  expect(words(world)).toHaveLength(3 * WORDS_MAX)
  const row = () => world.driver.store(world.stores.chainHeads, 0).get('words')!.hash
  expect(JSON.parse(row())).toHaveLength(WORDS_MAX)
  expect(row().length).toBeLessThan(200 * WORDS_MAX)
  world.tick(strange(3 * WORDS_MAX))
  expect(words(world)).toHaveLength(3 * WORDS_MAX)
})
