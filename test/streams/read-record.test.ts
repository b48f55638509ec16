/** Whatever lies in a topic, a reader gets the records that are of it and is told of the others. */
import { describe, expect, test, vi } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { deadLetterOf } from '../../streams/dead-letter.ts'
import type { LogRecord, OutgoingRecord } from '../../streams/ports.ts'
import {
  positionBehind,
  readRecords,
  reasonOf,
  TIMESTAMP_MAX_MS,
  type Unreadable,
  UnreadableError,
} from '../../streams/read-record.ts'
import { restoreRecord } from '../../streams/restore.ts'
import { createStateStore } from '../../streams/state.ts'
import { keyValueStore, scopedStore } from '../../streams/store.ts'
import { TableReader } from '../../streams/table-reader.ts'
import { plainTopic, text } from './fixture.ts'

const strict = {
  encode: text.encode,
  decode(bytes: Uint8Array): string {
    if (bytes[0] === 0x3f) throw Object.assign(new Error('no text of ours'), { isForeign: true })
    if (bytes[0] === 0x21) throw new Error('of another release')
    return text.decode(bytes)
  },
}
const topic = { ...plainTopic('t'), value: strict }
const table = { ...topic, cleanup: 'compact' as const }
const at = (offset: number, more: Partial<LogRecord> = {}): LogRecord => ({
  offset,
  timestamp: 5,
  key: Buffer.from('k'),
  value: Buffer.from(`${offset}`),
  headers: [],
  ...more,
})
const fault = { reason: 'oversize', message: 'too large', sizeBytes: 9e7 } as const

const FOREIGN: readonly LogRecord[] = [
  at(1, { key: null }),
  at(2, { value: Buffer.from('?') }),
  at(3, { value: Buffer.from('!') }),
  at(4, { timestamp: 1_795_984_250_000_000_000 }),
  at(5, { timestamp: 1_795_984_250_000_000 }),
  at(6, { timestamp: -1 }),
  at(7, { timestamp: Number.NaN }),
  at(8, { fault }),
  at(9, { key: Buffer.of(), value: Buffer.of(0x3f) }),
]
const REASONS = [
  'null-key',
  'undecodable',
  'undecodable',
  'timestamp',
  'timestamp',
  'timestamp',
  'timestamp',
  'oversize',
  'undecodable',
]

test('default: those of the topic are read, each of the others is told with its place', () => {
  const told: Unreadable[] = []
  const records = [at(0), ...FOREIGN, at(10, { timestamp: TIMESTAMP_MAX_MS })]
  const read = [...readRecords(topic, 3, records, (one) => void told.push(one))]
  expect(read.map(({ offset, key, value }) => [offset, key, value])).toEqual([
    [0, 'k', '0'],
    [10, 'k', '10'],
  ])
  expect(told.map(({ reason }) => reason)).toEqual(REASONS)
  expect(told[1]).toEqual({ topic: 't', partition: 3, offset: 2, reason: 'undecodable', why: 'no text of ours' })
})

test('behavior: a null value is a tombstone in a compacted topic alone', () => {
  const told: Unreadable[] = []
  const read = (of: typeof topic | typeof table) =>
    [...readRecords(of, 0, [at(0, { value: null })], (one) => void told.push(one))].map(({ value }) => value)
  expect(read(table)).toEqual([null])
  expect(read(topic)).toEqual([])
  expect(told).toMatchObject([{ reason: 'null-value' }])
})

test('behavior: a table holds what is of its topic, when it is loaded and when it is followed', async () => {
  const log = createMemoryLog()
  await log.createTopics([{ name: 't', partitions: 1, cleanup: 'compact' }])
  const appender = await log.appender()
  const stop = new AbortController()
  const told: number[] = []
  const reader = new TableReader(
    { log, clock: systemClock, signal: stop.signal },
    table as never,
    ({ offset }) => void told.push(offset),
  )
  const append = (...records: readonly LogRecord[]) =>
    appender.append(records.map((record): OutgoingRecord => ({ ...record, topic: 't', partition: 0 })))
  const written = FOREIGN.filter((record) => record.fault === undefined && Number.isSafeInteger(record.timestamp))
  await append(at(0), ...written)
  await reader.load()
  const following = reader.follow()
  await append(...written, at(0, { value: Buffer.from('new') }))
  await reader.reached(2 * written.length + 2)
  expect(reader.get('k')).toBe('new')
  expect(told).toEqual([...Array(2 * written.length + 1).keys()].filter((offset) => offset !== 0))
  await log.deleteRecords([{ topic: 't', partition: 0, offset: 3 }])
  stop.abort()
  await following
  await log.close()
})

describe('state out of a changelog', () => {
  test.each([
    ['a plain store', keyValueStore('s', strict), Buffer.from('k')],
    ['a scoped store', scopedStore('s', strict), Buffer.from('Es\0k')],
  ] as const)(
    'behavior: of %s what no release wrote is left out; what another one may have written stops it',
    (_, builder, key) => {
      const store = createStateStore(builder as never, 'changelog')
      const told: string[] = []
      const restore = (record: LogRecord) => restoreRecord(store, 0, record, ({ reason }) => void told.push(reason))
      restore(at(0, { key }))
      for (const record of FOREIGN.slice(0, 2)) restore({ ...record, key: record.key && key })
      restore(at(7, { key, fault }))
      expect(told).toEqual(['null-key', 'undecodable', 'oversize'])
      expect(store.rowCount).toBe(1)
      expect(() => restore(at(8, { key, value: Buffer.from('!') }))).toThrow(
        'changelog/0 offset 8 cannot be read, and the state without it would be another: of another release',
      )
    },
  )

  test('behavior: a key that no scoped store writes is left out', () => {
    const store = createStateStore(scopedStore('s', strict) as never, 'changelog')
    const told: string[] = []
    for (const key of ['', 'text', 'E', 'Xs\0k'])
      restoreRecord(store, 0, at(0, { key: Buffer.from(key) }), ({ reason }) => void told.push(reason))
    expect(told).toEqual(Array(4).fill('undecodable'))
  })
})

test('behavior: who only looks on goes on behind what is gone or damaged', () => {
  const told: Unreadable[] = []
  const answer = { topic: 't', partition: 1, records: [], next: 7, start: 9, stable: 20 }
  const behind = (more: object) =>
    positionBehind({ ...answer, outOfRange: false, ...more }, (one) => void told.push(one))
  expect([behind({}), behind({ outOfRange: true }), behind({ damaged: { next: 12 } })]).toEqual([7, 9, 12])
  expect(told).toMatchObject([{ topic: 't', partition: 1, offset: 7, reason: 'damaged' }])
})

test('behavior: a dead letter has a time of ours, and says the time of its record', () => {
  const error = new UnreadableError('timestamp', 'no time')
  const origin = { topic: 't', partition: 0, offset: 4 }
  const { timestamp, headers } = deadLetterOf('dead', FOREIGN[3]!, { origin, error, timestamp: 17 })
  const said = Object.fromEntries(headers!.map(({ key, value }) => [key, value.toString()]))
  expect(timestamp).toBe(17)
  expect(said['__streams.errors.timestamp']).toBe('1795984250000000000')
  expect([said['__streams.errors.reason'], reasonOf(error)]).toEqual(['timestamp', 'timestamp'])
})

test('behavior: that a topic ends before an offset that is waited for is told once, and waited for', async () => {
  const log = createMemoryLog()
  await log.createTopics([{ name: 't', partitions: 1, cleanup: 'compact' }])
  const appender = await log.appender()
  const stop = new AbortController()
  const told: Unreadable[] = []
  let now = 0
  const clock = { now: () => now, sleep: systemClock.sleep }
  const reader = new TableReader({ log, clock, signal: stop.signal }, table as never, (one) => void told.push(one))
  const write = () =>
    appender.append([{ topic: 't', partition: 0, timestamp: 0, key: Buffer.of(1), value: Buffer.of(2) }])
  await reader.load()
  const following = reader.follow()
  const reached = reader.reached(3)
  await write()
  await reader.reached(1)
  expect(told).toEqual([])
  now = 30_000
  await write()
  await reader.reached(2)
  await vi.waitFor(() => expect(told).toHaveLength(1))
  expect(told).toMatchObject([
    { topic: 't', offset: 3, reason: 'damaged', why: expect.stringContaining('see offset 2 at most') },
  ])
  await write()
  await reached
  expect(told).toHaveLength(1)
  stop.abort()
  await following.catch(() => {})
  await log.close()
})
