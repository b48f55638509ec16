import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import { DEAD_LETTER_BYTES_MAX, deadLetterOf } from '../../streams/dead-letter.ts'
import type { RecordTopic } from '../../streams/kafka-topic.ts'
import type { Burst, LogRecord } from '../../streams/ports.ts'
import { type Preparation, preparing } from '../../streams/preparation.ts'
import type { OutputTypes, Processor, ProcessorContext } from '../../streams/processor.ts'
import { ReadAhead, readAhead } from '../../streams/read-ahead.ts'
import { keyValueStore } from '../../streams/store.ts'
import { Task } from '../../streams/task.ts'
import { TaskError } from '../../streams/task-error.ts'
import type { Topology } from '../../streams/topology.ts'
import { type End, end, type Item, itemTopic, json, plainTopic, topicOf } from './fixture.ts'

const counts = keyValueStore<number>('counts', json<number>())
const NO_TABLE = () => {
  throw new Error('no table')
}

function openTask(topology: Topology, stage: number, partition = 0, countedTopics = topology.countedTopics): Task {
  return new Task(topology.stages[stage]!, partition, {
    appId: 'app',
    deadLetterTopic: topology.deadLetterTopic,
    countedTopics,
    globalTable: NO_TABLE,
  })
}

function recordsOf<K, V>(topic: RecordTopic<K, V>, from: number, entries: readonly (readonly [K, V])[]): LogRecord[] {
  return entries.map(([key, value], at) => ({
    offset: from + at,
    timestamp: 1000 + at,
    key: topic.key.encode(key),
    value: topic.value.encode(value),
    headers: [],
  }))
}

const written = (burst: Burst, topic: string) =>
  burst.records
    .filter((record) => record.topic === topic)
    .map(({ partition, key, value }) => [
      partition,
      Buffer.from(key!).toString(),
      value === null ? null : JSON.parse(Buffer.from(value).toString()),
    ])

/** Counts words; a word `fail` makes it throw. */
function wordCount(): { topology: Topology; words: RecordTopic<string, string> } {
  const words = plainTopic('words')
  const builder = createStreamsBuilder()
  builder.deadLetters('dead')
  builder
    .stream({ ...words, value: { ...words.value, decode: decodeStrictly } })
    .process<{ counts: readonly [string, number] }>(
      'count',
      ['counts'],
      (context) => {
        const store = context.store(counts)
        return {
          process(key, word) {
            if (word === 'fail') throw new Error('no such word')
            const count = (store.get(word) ?? 0) + 1
            store.put(word, count)
            context.outputs.counts.send(key, count)
            if (word === 'now') context.requestCommit()
            return undefined
          },
        }
      },
      counts,
    )
    .counts.to(topicOf('counted', json<number>()))
  return { topology: builder.build(), words }
}

const decodeStrictly = (bytes: Uint8Array): string => {
  const word = Buffer.from(bytes).toString()
  if (word.startsWith('?')) throw new RangeError(`${word} cannot be read`)
  return word
}

test('default: a burst is the outputs, one changelog record per key, the offsets, and those again in the changelog', () => {
  const { topology, words } = wordCount()
  const task = openTask(topology, 0)
  task.process(
    'words',
    recordsOf(words, 5, [
      ['k', 'a'],
      ['k', 'b'],
      ['k', 'a'],
    ]),
    0,
    3,
  )
  const burst = task.seal('app-count')
  expect(written(burst, 'counted')).toEqual([
    [0, 'k', 1],
    [0, 'k', 1],
    [0, 'k', 2],
  ])
  expect(written(burst, 'app-counts-changelog')).toEqual([
    [0, 'b', 1],
    [0, 'a', 2],
  ])
  expect(written(burst, 'app-count-engine-changelog')).toEqual([[0, 'offsets', { words: 8 }]])
  expect(burst.offsets).toEqual({
    group: 'app-count',
    commits: [{ topic: 'words', partition: 0, next: 8, metadata: '' }],
  })
  expect(burst.records.map(({ timestamp }) => timestamp)).toEqual([1000, 1001, 1002, 1002, 1002, 1002])
})

test('default: after a commit there is nothing to commit; a skipped position is', () => {
  const { topology, words } = wordCount()
  const task = openTask(topology, 0)
  task.process('words', recordsOf(words, 0, [['k', 'a']]), 0, 1)
  expect(task.dirty).toBe(true)
  const burst = task.seal('g')
  task.applied(burst, new Map())
  expect(task.dirty).toBe(false)
  expect(task.seal('g').records).toHaveLength(1)
  task.skipTo('words', 9)
  expect(task.dirty).toBe(true)
  expect(task.seal('g').offsets!.commits[0]!.next).toBe(9)
})

test('behavior: a task that is dropped before its commit leaves nothing; the next one restores what was committed', () => {
  const { topology, words } = wordCount()
  const records = recordsOf(words, 0, [
    ['k', 'a'],
    ['k', 'a'],
    ['k', 'b'],
  ])
  const first = openTask(topology, 0)
  first.process('words', records, 0, 2)
  const committed = first.seal('g')
  first.process('words', records, 2, 3) // and never sealed

  const second = openTask(topology, 0)
  for (const store of second.changelogs)
    for (const [offset, { topic, key, value, timestamp }] of committed.records.entries())
      if (topic === store.changelog) store.restore({ offset, timestamp, key, value, headers: [] })
  expect(second.engine!.offsets).toEqual({ words: 2 })
  second.startAt('words', 2)
  second.process('words', records, 2, 3)
  expect(written(second.seal('g'), 'counted')).toEqual([[0, 'k', 1]])
})

test('behavior: what cannot be decoded goes to the dead letters as it came, in the same burst', () => {
  const { topology, words } = wordCount()
  const task = openTask(topology, 0)
  const records = recordsOf(words, 0, [
    ['k', '?x'],
    ['k', 'a'],
  ])
  records.push({ offset: 2, timestamp: 7, key: Buffer.from('k'), value: null, headers: [] })
  task.process('words', records, 0, 3)
  const burst = task.seal('g')
  const dead = burst.records.filter(({ topic }) => topic === 'dead')
  expect(dead.map(({ value }) => value && Buffer.from(value).toString())).toEqual(['?x', null])
  expect(dead[0]!.headers!.map(({ key, value }) => [key, Buffer.from(value).toString()])).toEqual([
    ['__streams.errors.exception', 'RangeError'],
    ['__streams.errors.message', '?x cannot be read'],
    ['__streams.errors.reason', 'undecodable'],
    ['__streams.errors.topic', 'words'],
    ['__streams.errors.partition', '0'],
    ['__streams.errors.offset', '0'],
    ['__streams.errors.timestamp', '1000'],
  ])
  expect(written(burst, 'counted')).toEqual([[0, 'k', 1]])
  expect(burst.offsets!.commits[0]!.next).toBe(3)
})

test('behavior: of a large record the beginning goes to the dead letters, below what any broker takes', () => {
  const MIB = 1024 * 1024
  const record = {
    offset: 7,
    timestamp: 1,
    key: Buffer.alloc(9 * MIB, 'k'),
    value: Buffer.alloc(7 * MIB, 'v'),
    headers: [{ key: 'own', value: Buffer.alloc(16) }],
  }
  const origin = { topic: 'in', partition: 0, offset: 7 }
  const { key, value, headers } = deadLetterOf('dead', record, { origin, error: new Error('x'), timestamp: 1 })
  expect([key!.length, value!.length]).toEqual([DEAD_LETTER_BYTES_MAX / 2, DEAD_LETTER_BYTES_MAX / 2])
  expect(headers![0]).toEqual({ key: '__streams.errors.size', value: Buffer.from(String(16 * MIB + 19)) })
  expect(headers!.map(({ key: name }) => name)).not.toContain('own')
})

test('error: without a dead letter topic what cannot be decoded stops the task', () => {
  const builder = createStreamsBuilder()
  const words = plainTopic('words')
  builder
    .stream({ ...words, value: { ...words.value, decode: decodeStrictly } })
    .process('p', [], () => ({ process: () => undefined }))
  const task = openTask(builder.build(), 0)
  expect(() => task.process('words', recordsOf(words, 0, [['k', '?']]), 0, 1)).toThrow(TaskError)
})

test('error: a processor that throws stops the task, and the error says where', () => {
  const { topology, words } = wordCount()
  const task = openTask(topology, 0)
  const records = recordsOf(words, 40, [
    ['k', 'a'],
    ['k', 'fail'],
  ])
  expect(() => task.process('words', records, 0, 2)).toThrow('stage count, task 0, at words/0 offset 41: no such word')
  expect(task.positionOf('words')).toBe(41)
})

test('default: a processor may ask for a commit', () => {
  const { topology, words } = wordCount()
  const task = openTask(topology, 0)
  task.process('words', recordsOf(words, 0, [['k', 'a']]), 0, 1)
  expect(task.commitRequested).toBe(false)
  task.process('words', recordsOf(words, 1, [['k', 'now']]), 0, 1)
  expect(task.commitRequested).toBe(true)
  task.seal('g')
  expect(task.commitRequested).toBe(false)
})

type Seen = (string | number)[]
type Inspect = (context: ProcessorContext<OutputTypes>) => void

/** Two stages: `send` forwards items from 1 partition to `middle`, and `receive` notes what it gets. */
function relay(seen: Seen, { middle = 2, inspect = (() => {}) as Inspect } = {}) {
  const input = itemTopic('input', 2)
  const between = itemTopic('between', middle)
  const builder = createStreamsBuilder()
  builder
    .stream(input)
    .process<{ out: readonly [string, number, End] }>('send', ['out'], ({ outputs }) => ({
      process: (key, value) => void outputs.out.send(key, value) as undefined,
      onMarker: (marker) => void outputs.out.sendMarker(marker) as undefined,
    }))
    .out.repartition(between)
    .process(
      'receive',
      [],
      (context): Processor<string, number, End> => ({
        process: (_key, value) => void seen.push(value) as undefined,
        onMarker({ round }) {
          inspect(context)
          seen.push(round)
          return undefined
        },
      }),
    )
  return { topology: builder.build(), input, between }
}

const crcOf = (values: readonly number[]) =>
  values.reduce((sum, value) => (sum ^ crc32(Buffer.from(JSON.stringify(value)))) >>> 0, 0)

test('default: a forwarded marker reaches every partition with the sender and what it sent there', () => {
  const { topology, input } = relay([])
  const sender = openTask(topology, 0, 1)
  sender.process(
    'input',
    recordsOf(input, 0, [
      ['r/a', 1],
      ['r/b', 2],
      ['r/c', 3],
      ['q/a', 9],
      ['', end('r')],
    ]),
    0,
    5,
  )
  expect(sender.commitRequested).toBe(true)
  const sent = written(sender.seal('g'), 'between')
  const markers = sent.filter(([, , value]) => typeof value === 'object')
  expect(markers).toHaveLength(2)
  for (const partition of [0, 1]) {
    const here = sent.filter(([p, key, value]) => p === partition && typeof value === 'number' && key.startsWith('r'))
    const values = here.map(([, , value]) => value as number)
    const marker = markers.find(([p]) => p === partition)![2]
    expect(marker).toEqual({ round: 'r', from: 1, of: 2, count: values.length, checksum: crcOf(values) })
  }
})

test('behavior: what was counted survives a restart of the sender', () => {
  const { topology, input } = relay([], { middle: 1 })
  const first = openTask(topology, 0)
  first.process('input', recordsOf(input, 0, [['r/a', 1]]), 0, 1)
  const burst = first.seal('g')
  const second = openTask(topology, 0)
  for (const [offset, { topic, key, value, timestamp }] of burst.records.entries())
    if (topic === second.engine!.changelog) second.engine!.restore({ offset, timestamp, key, value, headers: [] })
  second.startAt('input', 1)
  second.process(
    'input',
    recordsOf(input, 1, [
      ['r/b', 2],
      ['', end('r')],
    ]),
    0,
    2,
  )
  expect(written(second.seal('g'), 'between').at(-1)![2]).toMatchObject({ count: 2, checksum: crcOf([1, 2]) })
})

const stamped = (round: string, from: number, values: readonly number[], of = 2): End => ({
  round,
  from,
  of,
  count: values.length,
  checksum: crcOf(values),
})

test('default: a marker is delivered once, when all senders have sent it', () => {
  const seen: Seen = []
  const origins: number[] = []
  const { topology, between } = relay(seen, { inspect: ({ origin }) => void origins.push(origin.offset) })
  const task = openTask(topology, 1)
  const records = recordsOf(between, 0, [
    ['r/a', 1],
    ['', stamped('r', 0, [1, 2])],
    ['', stamped('r', 0, [1, 2])], // again from the same sender
    ['s/a', 7],
    ['r/b', 2],
    ['r/c', 3],
    ['', stamped('r', 1, [3])],
  ])
  task.process('between', records, 0, 6)
  expect(seen).toEqual([1, 7, 2, 3])
  expect(task.commitRequested).toBe(false)
  task.process('between', records, 6, 7)
  expect(seen).toEqual([1, 7, 2, 3, 'r'])
  expect(origins).toEqual([6])
  expect(task.commitRequested).toBe(true)
})

test('behavior: a half aligned marker and its counts survive a restart', () => {
  const seen: Seen = []
  const { topology, between } = relay(seen)
  const records = recordsOf(between, 0, [
    ['r/a', 1],
    ['', stamped('r', 1, [])],
    ['r/b', 2],
    ['', stamped('r', 0, [1, 2])],
  ])
  const first = openTask(topology, 1)
  first.process('between', records, 0, 2)
  const burst = first.seal('g')
  const second = openTask(topology, 1)
  for (const [offset, { key, value, timestamp }] of burst.records.entries())
    second.engine!.restore({ offset, timestamp, key, value, headers: [] })
  second.startAt('between', 2)
  second.process('between', records, 2, 4)
  expect(seen).toEqual([1, 2, 'r'])
  const tombstones = second.seal('g').records.filter(({ value }) => value === null)
  expect(tombstones.map(({ key }) => Buffer.from(key!).toString())).toEqual([
    'marker/between/2/r',
    'received/between/r',
  ])
})

test.each([
  ['one record less', [1]],
  ['one record more', [1, 2, 3]],
  ['another record', [1, 9]],
])('error: %s than the senders say stops the task', (_name, arrived) => {
  const { topology, between } = relay([])
  const task = openTask(topology, 1)
  const data = arrived.map((value) => ['r/a', value] as const)
  const records = recordsOf<string, Item>(between, 0, [...data, ['', stamped('r', 0, [1, 2], 1)]])
  expect(() => task.process('between', records, 0, records.length)).toThrow('the senders of between say they sent 2')
})

test('behavior: a marker that closes no scope checks nothing and asks for no commit', () => {
  const seen: Seen = []
  const { topology, between } = relay(seen)
  const task = openTask(topology, 1)
  task.process(
    'between',
    recordsOf<string, Item>(between, 0, [
      ['r/a', 1],
      ['', stamped('-head', 0, [], 1)],
    ]),
    0,
    2,
  )
  expect(seen).toEqual([1, '-head'])
  expect(task.commitRequested).toBe(false)
})

test('behavior: where others write the data nothing is checked', () => {
  const seen: Seen = []
  const { topology, between } = relay(seen)
  const task = openTask(topology, 1, 0, new Set())
  task.process(
    'between',
    recordsOf<string, Item>(between, 0, [
      ['r/a', 1],
      ['', end('r')],
    ]),
    0,
    2,
  )
  expect(seen).toEqual([1, 'r'])
})

test('error: a marker sent as data stops the task', () => {
  const builder = createStreamsBuilder()
  builder
    .stream(plainTopic('a'))
    .process<{ out: readonly [string, number, End] }>('p', ['out'], ({ outputs }) => ({
      process: (key) => void outputs.out.send(key, end('r') as unknown as number) as undefined,
    }))
    .out.to(itemTopic('b'))
  const task = openTask(builder.build(), 0)
  expect(() => task.process('a', recordsOf(plainTopic('a'), 0, [['k', 'v']]), 0, 1)).toThrow('use sendMarker')
})

test('error: a store that was not passed to the processor', () => {
  const builder = createStreamsBuilder()
  builder.stream(plainTopic('a')).process('p', [], (context) => {
    context.store(counts)
    return { process: () => undefined }
  })
  const topology = builder.build()
  expect(() => openTask(topology, 0)).toThrow('stage p has no store counts')
})

test('behavior: the context tells where the record in hand lies, and that may be kept', () => {
  const kept: unknown[] = []
  const builder = createStreamsBuilder()
  builder.stream(plainTopic('a', 3)).process('p', [], (context) => ({
    process(key) {
      kept.push({ origin: context.origin, owns: context.owns(Buffer.from(key)) })
      return undefined
    },
  }))
  const task = openTask(builder.build(), 0, 2)
  const records = recordsOf(plainTopic('a'), 8, [
    ['21', 'v'],
    ['w', 'v'],
  ])
  task.process('a', records, 0, 2)
  expect(kept).toEqual([
    { origin: { topic: 'a', partition: 2, offset: 8 }, owns: false },
    { origin: { topic: 'a', partition: 2, offset: 9 }, owns: expect.any(Boolean) },
  ])
})

describe('records that were read ahead', () => {
  const lengths: Preparation<string, number> = { name: 'lengths' }
  /** Decodes as its topic does, and counts how often. */
  function counting() {
    const topic = plainTopic('a')
    let decoded = 0
    const decode = (bytes: Uint8Array): string => {
      decoded++
      return decodeStrictly(bytes)
    }
    return { topic: { ...topic, value: { ...topic.value, decode } }, decoded: () => decoded }
  }

  test('default: the first processor gets what was prepared, and nothing is decoded again', () => {
    const { topic, decoded } = counting()
    const seen: unknown[] = []
    const builder = createStreamsBuilder()
    builder.deadLetters('dead')
    const first = builder
      .stream(topic, lengths)
      .process<{ on: readonly [string, string] }>('first', ['on'], ({ outputs }) => ({
        process(key, value, length) {
          seen.push([key, value, length])
          outputs.on.send(key, value)
          return undefined
        },
      }))
    first.on.process('second', [], () => ({
      process: (_key, value, prepared) => void seen.push([value, prepared]) as undefined,
    }))
    const task = openTask(builder.build(), 0)
    const records = recordsOf(plainTopic('a'), 0, [
      ['k', 'one'],
      ['k', '?'],
      ['k', 'three'],
    ])
    const ahead = new ReadAhead(topic, records)
    expect(ahead.values).toEqual(['one', undefined, 'three'])
    ahead.prepared = [3, undefined, 5]
    expect(decoded()).toBe(3)
    task.process('a', records, 0, 3, ahead)
    expect(decoded()).toBe(3)
    expect(seen).toEqual([
      ['k', 'one', 3],
      ['one', undefined],
      ['k', 'three', 5],
      ['three', undefined],
    ])
    expect(task.seal('g').records.map(({ topic, value }) => [topic, Buffer.from(value!).toString()])).toEqual([
      ['dead', '?'],
    ])
  })

  test('behavior: a process decodes ahead only where it does what the stage wants prepared', async () => {
    const { topic } = counting()
    const builder = createStreamsBuilder()
    builder.stream(topic, lengths).process('p', [], () => ({ process: () => undefined }))
    builder.stream(plainTopic('b')).process('q', [], () => ({ process: () => undefined }))
    const [wanting, other] = builder.build().stages
    const batch = { records: recordsOf(plainTopic('a'), 0, [['k', 'word']]), partition: 0 }
    const prepare = preparing(lengths, async (values) => values.map((value) => value?.length))
    const [ahead, prepared] = readAhead(wanting!, 'a', batch, [prepare])!
    expect(ahead.values).toEqual(['word'])
    expect(await prepared).toEqual([4])
    expect(readAhead(wanting!, 'a', batch, [])).toBeUndefined()
    expect(readAhead(other!, 'b', batch, [prepare])).toBeUndefined()
  })
})
