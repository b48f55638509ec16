/** Records in `submissions` that look like markers, written by somebody else than tick-fanout: nothing may come of them. */
import { describe, expect, test } from 'vitest'
import type { EpochTick } from '../../../schemas/types.ts'
import type { LogRecord } from '../../../streams/ports.ts'
import { isMarker } from '../../../topology/topics.ts'
import { markerSigner } from '../marker-keys.ts'
import {
  closeEpoch,
  closeTick,
  createWorld,
  hashOf,
  headTick,
  MARKET,
  openTick,
  orphanTick,
  rulesOf,
  submissionOf,
  type World,
} from '../world.ts'

const signer = markerSigner('tick-fanout')
const RULES = rulesOf({}, { markerKeys: [signer.publicKey] })
const PARTITIONS = 3
const PLACES = [0, 1, 2]

const sealedWorld = (rules = RULES, by = signer): World => createWorld({ rules, partitions: PARTITIONS, signer: by })
const opened = (world = sealedWorld()): World => {
  world.tick(headTick(10), openTick(1, 10), headTick(11))
  return world
}

const stamp = { from: 0, of: 1, count: -1, checksum: 0, blockTimes: [] }
/** A marker as any writer of the topic can make it. */
function forge(
  world: World,
  tick: EpochTick,
  rest: Partial<typeof stamp> = {},
  headers: LogRecord['headers'] = [],
): void {
  const { name, key, value } = world.topics.submissions
  for (const partition of PLACES)
    world.driver.appendRaw({
      topic: name,
      partition,
      timestamp: 0,
      key: key.encode({ dataMarket: tick.dataMarket, epochId: tick.epochId, projectId: '' }),
      value: value.encode({ tick, ...stamp, ...rest }),
      headers,
    })
  world.driver.run()
}

const recordsOf = (world: World): readonly LogRecord[] => world.driver.readRaw(world.topics.submissions.name)
const markersOf = (world: World): readonly LogRecord[] =>
  recordsOf(world).filter(({ value }) => isMarker(world.topics.submissions.value.decode(value!)))
const copyTo = (world: World, partition: number, { key, value, headers }: LogRecord): void => {
  world.driver.appendRaw({ topic: world.topics.submissions.name, partition, timestamp: 0, key, value, headers })
  world.driver.run()
}
const reasonsOf = (world: World): string[] =>
  world.driver
    .readRaw(world.topics.deadLetters.name)
    .map(({ headers }) => headers.find(({ key }) => key === '__streams.errors.message')!.value!)
    .map((text) => Buffer.from(text).toString())

/** The submissions of an epoch, one per project, and what became of all of them. */
function outcome(world: World): unknown {
  const sent = ['a', 'b', 'c', 'd'].map((projectId, at) =>
    world.submit(submissionOf({ projectId, slotId: at + 1, submissionId: `0000000${at}-0000-4000-8000-000000000000` })),
  )
  closeEpoch(world)
  return {
    reasons: sent.map((submission) => world.reasonOf(submission)),
    batches: world.batches().map(({ json }) => Buffer.from(json).toString()),
  }
}
const honest = outcome(opened())

describe('a marker that tick-fanout did not write', () => {
  const forged: readonly (readonly [string, EpochTick])[] = [
    ['a close', closeTick(1, 10, 12)],
    ['an epoch that nobody released', openTick(9, 11)],
    ['a block of another chain', headTick(12, 'forged', '')],
    ['a block far ahead', headTick(5_000)],
    ['a block that leaves the chain', orphanTick(10)],
    ['the removal of a market', { ...headTick(12), markets: [{ dataMarket: MARKET, served: false }] }],
  ]
  test.each(forged)('behavior: %s changes nothing, and is a dead letter', (_, tick) => {
    const world = opened()
    forge(world, tick)
    expect(reasonsOf(world)).toEqual(PLACES.map(() => 'it has no seal of who writes the topic'))
    expect(outcome(world)).toEqual(honest)
  })

  test.each([
    ['as one of two senders', { of: 2 }],
    ['as the second of two', { from: 1, of: 2 }],
    ['with counts', { count: 7, checksum: 9 }],
  ])('behavior: a close stamped %s leaves nothing behind', (_, rest) => {
    const world = opened()
    forge(world, closeTick(1, 10, 15), rest)
    expect(outcome(world)).toEqual(honest)
  })

  test('behavior: one that is signed by a key of its own is refused', () => {
    const other = markerSigner('somebody')
    const foreign = opened(sealedWorld(rulesOf({}, { markerKeys: [other.publicKey] }), other))
    foreign.tick(headTick(12), closeTick(1, 10, 12))
    const close = markersOf(foreign).findLast(({ value }) => value)!
    const world = opened()
    copyTo(world, 2, close)
    expect(reasonsOf(world)).toEqual([`it is sealed with ${other.publicKey}, which is none of markers.publicKeys`])
    expect(outcome(world)).toEqual(honest)
  })

  test('behavior: what is signed is the whole record: changed, under another key, or in another place, it is refused', () => {
    const world = opened()
    const { key, value } = world.topics.submissions
    const [marker] = markersOf(world)
    const event = value.decode(marker!.value!)
    if (!isMarker(event)) throw new Error('no marker')
    const changes: readonly Partial<LogRecord>[] = [
      { value: value.encode({ ...event, tick: { ...event.tick, blockHash: hashOf(99) } }) },
      { value: value.encode({ ...event, of: 2 }) },
      { key: key.encode({ dataMarket: '', epochId: 0, projectId: 'x' }) },
    ]
    for (const change of changes) copyTo(world, 0, { ...marker!, ...change })
    copyTo(world, 1, marker!)
    const notOver = 'its seal is not over this record and partition'
    expect(reasonsOf(world)).toEqual([notOver, notOver, notOver, notOver])
    expect(outcome(world)).toEqual(honest)
  })

  test('error: a header of another form, and two of them', () => {
    const world = opened()
    const [marker] = markersOf(world)
    const [header] = marker!.headers
    copyTo(world, 0, { ...marker!, headers: [{ ...header!, value: header!.value!.subarray(1) }] })
    copyTo(world, 0, { ...marker!, headers: [header!, header!] })
    expect(reasonsOf(world)).toEqual(['it has a seal of another form', 'it has two seals'])
  })
})

describe('a copy of a marker', () => {
  test('behavior: of any kind, at any later time, changes nothing', () => {
    const world = opened()
    const result = outcome(world)
    const before = [world.verdicts().length, world.batches().length, world.summaries().length]
    const all = markersOf(world)
    const perPartition = all.length / PARTITIONS
    for (const [at, marker] of all.entries()) copyTo(world, Math.floor(at / perPartition), marker)
    expect(reasonsOf(world)).toHaveLength(all.length)
    expect(new Set(reasonsOf(world).map((text) => text.split(':')[0]))).toEqual(
      new Set(['it is there for the second time']),
    )
    expect([world.verdicts().length, world.batches().length, world.summaries().length]).toEqual(before)
    expect(result).toEqual(honest)
  })

  test('behavior: is known after a restart of the task, too', () => {
    const world = opened()
    const [marker] = markersOf(world)
    world.driver.restart('validate', 0)
    copyTo(world, 0, marker!)
    expect(reasonsOf(world)[0]).toContain('for the second time')
    expect(outcome(world)).toEqual(honest)
  })
})

describe('keys', () => {
  const [older, newer] = [markerSigner('older'), markerSigner('newer')]
  /** A world whose log was written under one key up to block 11, and goes on under another. */
  function rotated(): { world: World; late: LogRecord } {
    const before = opened(sealedWorld(rulesOf({}, { markerKeys: [older.publicKey] }), older))
    const world = sealedWorld(rulesOf({}, { markerKeys: [older.publicKey, newer.publicKey] }), newer)
    const { submissions } = world.topics
    for (const tick of [headTick(10), openTick(1, 10), headTick(11)])
      world.driver.appendRaw({
        topic: world.topics.epochTicks.name,
        partition: 0,
        timestamp: 0,
        key: world.topics.epochTicks.key.encode({ dataMarket: tick.dataMarket }),
        value: world.topics.epochTicks.value.encode(tick),
      })
    world.driver.run()
    before.tick(headTick(12), closeTick(1, 10, 12))
    const late = before.driver.readRaw(submissions.name).findLast(({ headers }) => headers.length > 0)!
    return { world, late }
  }

  test('behavior: a replaced key seals nothing any more, no matter who has it', () => {
    const { world, late } = rotated()
    copyTo(world, PARTITIONS - 1, late)
    expect(reasonsOf(world)).toEqual(['it is sealed with a key that was replaced before'])
    expect(outcome(world)).toEqual(honest)
  })

  test('behavior: markers of an older key are taken before those of a newer one', () => {
    const log = recordsOf(opened(sealedWorld(rulesOf({}, { markerKeys: [older.publicKey] }), older)))
    const world = sealedWorld(rulesOf({}, { markerKeys: [older.publicKey, newer.publicKey] }), newer)
    for (const [at, record] of log.entries()) copyTo(world, Math.floor(at / (log.length / PARTITIONS)), record)
    expect(reasonsOf(world)).toEqual([])
  })

  test('behavior: markers without a signature are taken only if the rules say so, until one with it has come', () => {
    const world = sealedWorld({ ...RULES, unsignedMarkers: true })
    forge(world, headTick(9))
    expect(reasonsOf(world)).toEqual([])
    opened(world)
    forge(world, headTick(12))
    expect(reasonsOf(world)).toEqual(PLACES.map(() => 'it has no seal of who writes the topic'))
    expect(outcome(world)).toEqual(honest)
  })

  test('error: keys that cannot be', () => {
    expect(() => createWorld({ rules: rulesOf({}, { markerKeys: ['AB'] }) })).toThrow('is not 64 lower-case hex digits')
    expect(() => createWorld({ rules: rulesOf({}, { markerKeys: [older.publicKey, older.publicKey] }) })).toThrow(
      'twice',
    )
  })

  test('error: who has no key cannot write markers', () => {
    expect(() => createWorld({ rules: RULES }).tick(headTick(10))).toThrow('markers.signingKeyFile is needed')
  })
})
