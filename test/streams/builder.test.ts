import { expect, test } from 'vitest'
import type { StreamsBuilder } from '../../streams/builder.ts'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import type { ProcessorSupplier } from '../../streams/processor.ts'
import { keyValueStore, scopedStore } from '../../streams/store.ts'
import { TopologyError } from '../../streams/topology.ts'
import { itemTopic, json, plainTopic } from './fixture.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

type Out = { out: readonly [string, string] }
const nothing: ProcessorSupplier<string, string, Out> = () => ({ process: () => undefined })
const store = keyValueStore<string>('seen', json<string>())

const GOLDEN = `Topology
  Stage fan-out (1 tasks)
    Source ends (1) --> fan-out
    Processor fan-out
      ends --> every partition of numbers (2)
  Stage forward (2 tasks)
    Source numbers (2) --> forward
    Processor forward
      out --> by-name (3)
  Stage sum (3 tasks)
    Source by-name (3) --> sum
    Processor sum [stores: sums (scoped)]
      sums --> sums-out (1)
  Dead letters dead
`

test('default: describe() is stable text and its hash the fingerprint', () => {
  const topology = sumsTopology(sumsTopics())
  expect(topology.describe()).toBe(GOLDEN)
  expect(topology.fingerprint).toBe(sumsTopology(sumsTopics()).fingerprint)
  expect(topology.fingerprint).toMatch(/^[0-9a-f]{64}$/)
  expect(topology.fingerprint).not.toBe(sumsTopology(sumsTopics({ middle: 4 })).fingerprint)
})

test('default: a topology knows its topics, and the changelogs with a partition per task', () => {
  const topology = sumsTopology(sumsTopics({ input: 2, middle: 3 }))
  expect(topology.topics.map(({ name }) => name)).toEqual(['ends', 'numbers', 'by-name', 'sums-out'])
  expect([...topology.repartitionTopics]).toEqual(['by-name'])
  expect([...topology.countedTopics]).toEqual(['by-name'])
  expect(topology.internalTopics('app')).toEqual([
    { name: 'app-forward-engine-changelog', partitions: 2, cleanup: 'compact' },
    { name: 'app-sums-changelog', partitions: 3, cleanup: 'delete' },
    { name: 'app-sum-engine-changelog', partitions: 3, cleanup: 'compact' },
  ])
})

test('behavior: a stage without stores and markers has no changelog', () => {
  const builder = createStreamsBuilder()
  builder.stream(plainTopic('a')).process<Out>('copy', ['out'], nothing).out.to(plainTopic('b'))
  expect(builder.build().internalTopics('app')).toEqual([])
})

test('behavior: merged sources are one stage; a store passed to two processors of it is one store', () => {
  const builder = createStreamsBuilder()
  const both = builder.stream(plainTopic('a')).merge(builder.stream(plainTopic('b')))
  both.process<Out>('first', ['out'], nothing, store).out.process('second', [], nothing, store)
  const topology = builder.build()
  expect(topology.describe()).toBe(`Topology
  Stage first (1 tasks)
    Source a (1), b (1) --> first
    Processor first [stores: seen (key-value)]
      out --> second
    Processor second [stores: seen (key-value)]
`)
  expect(topology.stages[0]!.stores).toEqual([store])
})

test('behavior: a repartition topic with a retention of its own is not purged', () => {
  const builder = createStreamsBuilder()
  const kept = { ...plainTopic('kept'), retentionMs: 1000 }
  builder
    .stream(plainTopic('a'))
    .process<Out>('one', ['out'], nothing)
    .out.repartition(kept)
    .process('two', [], nothing)
  expect([...builder.build().repartitionTopics]).toEqual([])
})

const BAD: Record<string, (builder: StreamsBuilder) => unknown> = {
  'nothing processes a': (b) => b.stream(plainTopic('a')),
  '"" is no name for a processor': (b) => b.stream(plainTopic('a')).process('', [], nothing),
  '"a b" is no name for a topic': (b) => b.stream(plainTopic('a b')).process('p', [], nothing),
  'processor p is in stage p and again in stage p': (b) => {
    b.stream(plainTopic('a')).process('p', [], nothing)
    b.stream(plainTopic('b')).process('p', [], nothing)
  },
  'store seen is in stage p and again in stage q': (b) => {
    b.stream(plainTopic('a')).process('p', [], nothing, store)
    b.stream(plainTopic('b')).process('q', [], nothing, store)
  },
  'store seen is in stage p and again in stage p': (b) =>
    b.stream(plainTopic('a')).process('p', [], nothing, store, scopedStore<string>('seen', json<string>())),
  'topic b is given 1 and 2 partitions': (b) => {
    b.stream(plainTopic('a')).process<Out>('p', ['out'], nothing).out.to(plainTopic('b', 1))
    b.stream(plainTopic('b', 2)).process('q', [], nothing)
  },
  'the sources of stage p have different partition counts': (b) =>
    b
      .stream(plainTopic('a', 1))
      .merge(b.stream(plainTopic('b', 2)))
      .process('p', [], nothing),
  'stage p reads a topic twice': (b) =>
    b
      .stream(plainTopic('a'))
      .merge(b.stream(plainTopic('a')))
      .process('p', [], nothing),
  'merge joins two sources, before any processor': (b) =>
    b
      .stream(plainTopic('a'))
      .process<Out>('p', ['out'], nothing)
      .out.merge(b.stream(plainTopic('b'))),
  'of which the second has no processor yet': (b) => {
    const a = b.stream(plainTopic('a'))
    a.merge(a)
  },
  'stage p merges two topics with markers': (b) =>
    b
      .stream(itemTopic('a'))
      .merge(b.stream(itemTopic('b')))
      .process('p', [], () => ({ process: () => undefined })),
  'broadcasts to b, which has no marker protocol': (b) =>
    b.stream(plainTopic('a')).process<Out>('p', ['out'], nothing).out.broadcast(plainTopic('b')),
  'n has markers and is written by p and again by q': (b) => {
    for (const name of ['p', 'q'])
      b.stream(itemTopic(`of-${name}`))
        .process<{ out: readonly [string, number] }>(name, ['out'], () => ({ process: () => undefined }))
        .out.to(itemTopic('n') as never)
  },
  'r is purged behind its reader but read by two and three': (b) => {
    b.stream(plainTopic('a'))
      .process<Out>('one', ['out'], nothing)
      .out.repartition(plainTopic('r'))
      .process('two', [], nothing)
    b.stream(plainTopic('r')).process('three', [], nothing)
  },
  'global table t is not compacted': (b) => b.globalTable(plainTopic('t')),
}

test.each(Object.entries(BAD))('error: %s', (message, build) => {
  const attempt = () => {
    const builder = createStreamsBuilder()
    build(builder)
    builder.build()
  }
  expect(attempt).toThrow(TopologyError)
  expect(attempt).toThrow(message)
})
