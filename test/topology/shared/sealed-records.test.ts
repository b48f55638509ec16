/** Ticks, results and intents that who may write them did not write: nothing comes of them, whatever they say. */
import { describe, expect, test } from 'vitest'
import { payoutKey } from '../../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorResult, EpochTick } from '../../../schemas/types.ts'
import type { LogRecord, RecordHeader } from '../../../streams/ports.ts'
import { SealGuard } from '../../../streams/seal-guard.ts'
import { Sealer, Sealers } from '../../../streams/seals.ts'
import { sealsOf } from '../../../topology/shared/seals.ts'
import { payoutOf, READY_TO_PAY, resultOf } from '../anchor/anchor-harness.ts'
import { markerSigner } from '../marker-keys.ts'
import {
  closeEpoch,
  closeTick,
  createWorld,
  headTick,
  MARKET,
  openTick,
  orphanTick,
  rulesOf,
  submissionOf,
  type World,
} from '../world.ts'

const [signer, stranger] = [markerSigner('deployment'), markerSigner('stranger')]
const SEALED = { markerKeys: [signer.publicKey], unsealedRecords: false }
const sealedWorld = (rules = rulesOf({}, SEALED)): World => createWorld({ rules, signer })
const opened = (world = sealedWorld()): World => {
  world.tick(headTick(10), openTick(1, 10), headTick(11))
  return world
}

/** As any client that may write the topic can. */
function forgeTick(world: World, tick: EpochTick, headers: readonly RecordHeader[] = []): void {
  const { name: topic, key, value } = world.topics.epochTicks
  const record = { topic, partition: 0, timestamp: 0, key: key.encode({ dataMarket: tick.dataMarket }) }
  world.driver.appendRaw({ ...record, value: value.encode(tick), headers })
  world.driver.run()
}
function forgeResult(world: World, key: AnchorKey, result: AnchorResult, headers: readonly RecordHeader[] = []): void {
  const { name: topic, ...serdes } = world.topics.anchorResults
  const record = { topic, partition: 0, timestamp: 0, key: serdes.key.encode(key) }
  world.driver.appendRaw({ ...record, value: serdes.value.encode(result), headers })
  world.driver.run()
}
const copy = (world: World, topic: string, { key, value, headers }: LogRecord): void => {
  world.driver.appendRaw({ topic, partition: 0, timestamp: 0, key, value, headers })
  world.driver.run()
}
const ticksOf = (world: World): readonly LogRecord[] => world.driver.readRaw(world.topics.epochTicks.name)

const said = ({ headers }: LogRecord, name: string): string =>
  Buffer.from(headers.find(({ key }) => key === `__streams.errors.${name}`)!.value).toString()
const refusals = (world: World) =>
  world.driver
    .readRaw(world.topics.deadLetters.name)
    .map((letter) => `${said(letter, 'topic')}: ${said(letter, 'reason')}: ${said(letter, 'message')}`)

/** Votes for epoch 1, and the next epochs, which open and close in their turn. */
function outcome(world: World): unknown {
  const sent = ['a', 'b', 'c'].map((projectId, at) =>
    world.submit(submissionOf({ projectId, slotId: at + 1, submissionId: `0000000${at}-0000-4000-8000-000000000000` })),
  )
  closeEpoch(world)
  world.tick(headTick(16), openTick(2, 16))
  const later = world.submit(submissionOf({ epochId: 2, submissionId: '00000009-0000-4000-8000-000000000000' }))
  world.tick(headTick(17), headTick(18), closeTick(2, 16, 18))
  return {
    reasons: [...sent, later].map((submission) => world.reasonOf(submission)),
    batches: world.batches().map(({ json }) => Buffer.from(json).toString()),
    ticks: world.ticksAccepted(),
    requests: world.requests(),
  }
}
const honest = outcome(opened())

describe('a tick that the clock did not write', () => {
  const FORGED: readonly (readonly [string, EpochTick])[] = [
    ['the release of an epoch far ahead', openTick(41, 11)],
    ['the close of an open epoch', closeTick(1, 10, 11)],
    ['a block far ahead', headTick(1_000_000_000)],
    ['a block that leaves the chain', orphanTick(11)],
    ['slots that never come', { ...headTick(12), slotsOffset: 10 ** 12 }],
    ['the removal of a market', { ...headTick(12), markets: [{ dataMarket: MARKET, served: false }] }],
  ]
  test.each(FORGED)('behavior: %s changes nothing, and is a dead letter', (_, tick) => {
    const world = opened()
    forgeTick(world, tick)
    expect(refusals(world)).toEqual(['epoch-ticks: forged: it has no seal of who writes the topic'])
    expect(outcome(world)).toEqual(honest)
  })

  test('behavior: not the first one in the log either', () => {
    const world = sealedWorld()
    forgeTick(world, headTick(1_000_000_000))
    expect(refusals(world)).toHaveLength(1)
    expect(outcome(opened(world))).toEqual(honest)
  })

  test('behavior: nor one with a seal of another key, of another tick, or with two', () => {
    const world = opened()
    const tick = openTick(41, 11)
    const { name: topic, key, value } = world.topics.epochTicks
    const record = { topic, partition: 0, key: key.encode({ dataMarket: MARKET }), value: value.encode(tick) }
    const own = sealsOf([stranger.publicKey], false, stranger).seal(record, { offset: 900, index: 0 })
    const [borrowed] = ticksOf(world).at(-1)!.headers
    forgeTick(world, tick, [own])
    forgeTick(world, tick, [borrowed!])
    forgeTick(world, tick, [borrowed!, own])
    expect(refusals(world)).toEqual([
      `epoch-ticks: forged: it is sealed with ${stranger.publicKey}, which is none of markers.publicKeys`,
      'epoch-ticks: forged: its seal is not over this record and partition',
      'epoch-ticks: forged: it has two seals',
    ])
    expect(outcome(world)).toEqual(honest)
  })

  test('behavior: a copy of any tick of the clock is void, after a restart of the stage too', () => {
    const world = opened()
    world.tick(headTick(12, 'b'), orphanTick(12, 'b'))
    const all = [...ticksOf(world)]
    for (const tick of all) copy(world, world.topics.epochTicks.name, tick)
    world.driver.restart('tick-fanout', 0)
    for (const tick of all) copy(world, world.topics.epochTicks.name, tick)
    expect(refusals(world)).toHaveLength(2 * all.length)
    expect(new Set(refusals(world).map((text) => text.split(':')[2]))).toEqual(
      new Set([' it is there for the second time']),
    )
    const { reasons, batches } = outcome(world) as { reasons: unknown; batches: unknown }
    expect({ reasons, batches }).toMatchObject({
      reasons: (honest as { reasons: unknown }).reasons,
      batches: (honest as { batches: unknown }).batches,
    })
  })

  test('behavior: what the clock sends again has a new seal, and is taken', () => {
    const world = opened()
    world.tick(headTick(10), openTick(1, 10))
    expect(refusals(world)).toEqual([])
    expect(outcome(world)).toEqual(honest)
  })
})

describe('a log that was begun without seals', () => {
  test('behavior: its ticks count until the first sealed one, and no longer', () => {
    const world = sealedWorld(rulesOf({}, { ...SEALED, unsealedRecords: true }))
    for (const tick of [headTick(10), openTick(1, 10), headTick(11)]) forgeTick(world, tick)
    expect(refusals(world)).toEqual([])
    world.tick(headTick(12))
    forgeTick(world, openTick(41, 12))
    expect(refusals(world)).toEqual(['epoch-ticks: forged: it has no seal of who writes the topic'])
    world.driver.restart('tick-fanout', 0)
    forgeTick(world, openTick(42, 12))
    expect(refusals(world)).toHaveLength(2)
    const { reasons, batches } = honest as { reasons: unknown; batches: unknown }
    expect(outcome(world)).toMatchObject({ reasons, batches })
  })

  test('default: without a key every tick counts', () => {
    const world = createWorld()
    forgeTick(world, headTick(10))
    forgeTick(world, openTick(41, 10))
    expect(world.ticksAccepted()).toHaveLength(2)
  })
})

describe('intents and results', () => {
  const key = payoutKey(MARKET, 7, 0)
  const ready = (attempt: number): AnchorResult =>
    resultOf({ step: 'PREPARE', attempt, outcome: 'READY', ...READY_TO_PAY })
  const asked = (): World => {
    const world = sealedWorld()
    world.driver.pipe(world.topics.payouts, { dataMarket: MARKET }, payoutOf(7, 0))
    return world
  }
  const steps = ({ driver, topics }: World) => driver.read(topics.anchorIntents).map(({ value }) => value.step)

  test('behavior: the stage seals each intent behind the one before it, across restarts', () => {
    const world = asked()
    const { driver, topics } = world
    const { attempt } = driver.read(topics.anchorIntents)[0]!.value
    driver.restart('anchor', 0)
    driver.pipe(topics.anchorResults, key, ready(attempt))
    expect(steps(world)).toEqual(['PREPARE', 'SIGN'])
    const seals = topics.anchorIntents.seals!
    const places = driver.readRaw(topics.anchorIntents.name).map(({ key, value, headers }) => {
      const { offset, index } = seals.read(
        { topic: topics.anchorIntents.name, partition: 0, key: key!, value: value! },
        headers,
      )!
      return [offset, index]
    })
    expect(places).toEqual([
      [0, 0],
      [1, 0],
    ])
  })

  test('behavior: a result that anchor-effects did not write changes nothing', () => {
    const world = asked()
    const { attempt } = world.driver.read(world.topics.anchorIntents)[0]!.value
    forgeResult(world, key, ready(attempt))
    forgeResult(world, key, resultOf({ step: 'PREPARE', attempt, outcome: 'FAILED' }))
    expect(steps(world)).toEqual(['PREPARE'])
    expect(refusals(world)).toEqual(
      Array.from({ length: 2 }, () => 'anchor-results: forged: it has no seal of who writes the topic'),
    )
    world.driver.pipe(world.topics.anchorResults, key, ready(attempt))
    expect(steps(world)).toEqual(['PREPARE', 'SIGN'])
    const sealed = world.driver.readRaw(world.topics.anchorResults.name).at(-1)!
    copy(world, world.topics.anchorResults.name, sealed)
    expect(refusals(world).at(-1)).toContain('for the second time')
  })

  test('error: who has no key cannot write them', () => {
    const rules = rulesOf({}, SEALED)
    const world = createWorld({ rules })
    expect(() => world.driver.pipe(world.topics.payouts, { dataMarket: MARKET }, payoutOf(7, 0))).toThrow(
      'markers.signingKeyFile is needed to write payouts',
    )
  })
})

test('behavior: what two writers seal, one after the other, is in the order of the log', () => {
  const seals = sealsOf([signer.publicKey], false, signer)
  const record = { topic: 't', partition: 0, timestamp: 0, key: Buffer.of(1), value: Buffer.of(2), headers: [] }
  const [first, second] = [new Sealer(seals, 4), new Sealer(seals, 7)]
  const made = [first, first, second, second].map((sealer) => sealer.seal(record))
  expect(made.map(({ headers = [] }) => seals.read(record, headers))).toMatchObject([
    { offset: 4, index: 0 },
    { offset: 4, index: 1 },
    { offset: 7, index: 0 },
    { offset: 7, index: 1 },
  ])
})

test('behavior: a burst that is sent again has new seals, so that a record of the aborted one voids nothing', () => {
  const seals = sealsOf([signer.publicKey], false, signer)
  const sealers = new Sealers(0)
  sealers.begin({ topic: 't', partition: 0, seals }, 4)
  const record = { topic: 't', partition: 0, timestamp: 0, key: Buffer.of(1), value: Buffer.of(2) }
  const burst = [record, record, { ...record, topic: 'other' }]
  const [aborted, committed] = [sealers.seal(burst), sealers.seal(burst)]
  expect(committed[2]).toEqual(burst[2])
  const guard = new SealGuard('t', 0, seals)
  for (const one of [aborted[1]!, committed[0]!, committed[1]!])
    guard.take({ ...one, offset: 0, headers: one.headers ?? [] })
  expect(() => guard.take({ ...aborted[0]!, offset: 0, headers: aborted[0]!.headers ?? [] })).toThrow('second time')
})
