import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import { type DriverOptions, TopologyTestDriver } from '../../streams/test-driver.ts'
import { isEnd, plainTopic } from './fixture.ts'
import { type SumsOptions, sumStore, sumsTopics, sumsTopology } from './sums.ts'

interface Entry {
  readonly round: string
  readonly name: string
  readonly value: number
}

/** Pipes the entries, then the ends of all rounds, and returns the sums as text. */
function run(
  entries: readonly Entry[],
  options: DriverOptions & SumsOptions,
  crashes: readonly number[] = [],
): string[] {
  const topics = sumsTopics(options)
  const driver = new TopologyTestDriver(sumsTopology(topics), options)
  for (const [at, { round, name, value }] of entries.entries()) {
    driver.append(topics.numbers, `${round}/${name}`, value)
    if (crashes.includes(at)) {
      driver.run()
      driver.restart('forward', 0)
      for (let partition = 0; partition < topics.byName.partitions; partition++) driver.restart('sum', partition)
    }
  }
  for (const round of new Set(entries.map((entry) => entry.round))) driver.append(topics.ends, 'x', round)
  driver.run()
  for (let partition = 0; partition < topics.byName.partitions; partition++)
    expect([...driver.store(sumStore, partition).scopes()]).toEqual([])
  return driver
    .read(topics.sums)
    .map(({ value }) => JSON.stringify(value))
    .sort()
}

function expected(entries: readonly Entry[]): string[] {
  const sums = new Map<string, { round: string; name: string; sum: number }>()
  for (const { round, name, value } of entries) {
    const before = sums.get(`${round}/${name}`)?.sum ?? 0
    sums.set(`${round}/${name}`, { round, name, sum: before + value })
  }
  return [...sums.values()].map((sum) => JSON.stringify(sum)).sort()
}

test('default: records flow through stages, repartition topics and partitions until all is quiet', () => {
  const topics = sumsTopics()
  const driver = new TopologyTestDriver(sumsTopology(topics))
  driver.pipe(topics.numbers, 'r/a', 1)
  driver.pipe(topics.numbers, 'r/a', 2, { timestamp: 9, partition: 1 })
  expect(driver.read(topics.sums)).toEqual([])
  const partition = driver.read(topics.byName)[0]!.partition
  expect(driver.store(sumStore, partition).get('r', 'a')).toBe(3)
  driver.pipe(topics.ends, 'x', 'r', { timestamp: 10 })
  expect(driver.read(topics.sums)).toEqual([
    { key: 'r/a', value: { round: 'r', name: 'a', sum: 3 }, timestamp: 10, partition: 0, offset: 0 },
  ])
  expect(driver.read(topics.byName).filter(({ value }) => isEnd(value))).toHaveLength(2 * 3)
})

test('default: bytes that cannot be decoded come out as dead letters', () => {
  const topics = sumsTopics()
  const driver = new TopologyTestDriver(sumsTopology(topics))
  driver.appendRaw({ topic: 'numbers', partition: 0, timestamp: 1, key: Buffer.from('r/a'), value: Buffer.from('{') })
  driver.run()
  expect(driver.readRaw('dead').map(({ value }) => Buffer.from(value!).toString())).toEqual(['{'])
})

test('default: a global table shows what was piped into its topic', () => {
  const table = { ...plainTopic('table'), cleanup: 'compact' as const }
  const looked: (string | undefined)[] = []
  const builder = createStreamsBuilder()
  builder.globalTable(table)
  builder.stream(plainTopic('a')).process('look', [], (context) => {
    const rows = context.globalTable(table)
    return { process: (key) => void looked.push(rows.get(key)) as undefined }
  })
  const driver = new TopologyTestDriver(builder.build())
  driver.pipe(plainTopic('a'), 'k', '')
  driver.pipe(table, 'k', 'row')
  driver.pipe(plainTopic('a'), 'k', '')
  expect(looked).toEqual([undefined, 'row'])
})

describe('tombstones', () => {
  const forgetful = (table: KafkaTopic<string, string>) => {
    const builder = createStreamsBuilder()
    const stream = builder.stream(plainTopic('a'))
    const { rows } = stream.process<{ rows: readonly [string, string] }>('keep', ['rows'], ({ outputs }) => ({
      process(key, value) {
        if (value === '') outputs.rows.sendTombstone(key)
        else outputs.rows.send(key, value)
        return undefined
      },
    }))
    rows.to(table)
    return new TopologyTestDriver(builder.build())
  }

  test('default: one takes the row of its key out of a compacted topic', () => {
    const table = { ...plainTopic('table'), cleanup: 'compact' as const, partitions: 3 }
    const driver = forgetful(table)
    for (const [key, value] of [
      ['k', 'old'],
      ['l', 'row'],
      ['k', ''],
    ] as const)
      driver.pipe(plainTopic('a'), key, value)
    expect(driver.rows(table)).toEqual([{ key: 'l', value: 'row' }])
    expect(driver.read(table)).toHaveLength(2)
  })

  test('error: another topic has none', () => {
    const driver = forgetful(plainTopic('table'))
    expect(() => driver.pipe(plainTopic('a'), 'k', '')).toThrow('table is not compacted')
  })
})

test('error: a store that no task has', () => {
  const topics = sumsTopics()
  const driver = new TopologyTestDriver(sumsTopology(topics))
  expect(() => driver.store(sumStore, 99)).toThrow('no task 99 has a store sums')
})

const entry = fc.record({
  round: fc.constantFrom('1', '2', '3'),
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.integer({ min: -5, max: 5 }),
})

test('behavior: any partition counts, commit sizes, interleavings and crashes give the same sums', () => {
  const options = fc.record({
    input: fc.integer({ min: 1, max: 4 }),
    middle: fc.integer({ min: 1, max: 5 }),
    commitEvery: fc.integer({ min: 1, max: 7 }),
  })
  const plan = fc.record({
    picks: fc.array(fc.nat(1000), { minLength: 1 }),
    crashes: fc.array(fc.nat(30), { maxLength: 3 }),
  })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), options, plan, (entries, settings, { picks, crashes }) => {
      let at = 0
      const schedule = (runnable: number) => picks[at++ % picks.length]! % runnable
      expect(run(entries, { ...settings, schedule }, crashes)).toEqual(expected(entries))
    }),
    { numRuns: 200 },
  )
})
