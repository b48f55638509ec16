import { describe, expect, test } from 'vitest'
import { type FetchedPartition, type FetchOptions, type Log, LogError, type LogRecord } from '../../streams/ports.ts'
import { type RangeOptions, type RangePorts, readPieces, readRange } from '../../streams/read-range.ts'
import type { Unreadable } from '../../streams/read-record.ts'

const AT = { topic: 't', partition: 0, offset: 0 }
const record = (offset: number): LogRecord => ({ offset, timestamp: 1, key: null, value: null, headers: [] })
const failure = new LogError('NO_LEADER', 'nobody leads t/0', { retriable: true })

/** A log that answers as the test says, by the offset asked for. */
function logOf(answer: (offset: number, times: number) => Partial<FetchedPartition>) {
  const asked: number[] = []
  const options: FetchOptions[] = []
  const fetch: Log['fetch'] = async ([position], how) => {
    options.push(how)
    const times = asked.push(position!.offset)
    const nothing = { records: [], next: position!.offset, stable: 10, start: 0, outOfRange: false }
    return [{ topic: 't', partition: 0, ...nothing, ...answer(position!.offset, times) }]
  }
  return { ...({ fetch } as Partial<Log> as Log), asked, options }
}
/** Two records an answer. */
const sound = (offset: number) => ({ records: [record(offset), record(offset + 1)], next: offset + 2 })

function clockOf() {
  const slept: number[] = []
  return { slept, now: () => 0, sleep: async (ms: number) => void slept.push(ms) }
}

async function offsetsOf(ports: RangePorts, end: number, options?: RangeOptions, from = AT) {
  const offsets: number[] = []
  const pieces = readPieces(ports, from, end, options)
  let piece = await pieces.next()
  for (; !piece.done; piece = await pieces.next()) for (const { offset } of piece.value) offsets.push(offset)
  return { offsets, position: piece.value }
}

describe('readPieces', () => {
  test('default: every record up to the end, each once, and the position behind them', async () => {
    const log = logOf(sound)
    expect(await offsetsOf({ log }, 6)).toEqual({ offsets: [0, 1, 2, 3, 4, 5], position: 6 })
    expect(log.asked).toEqual([0, 2, 4])
    expect(log.options[0]).toEqual({ maxWaitMs: 0, maxBytesPerPartition: 4 * 1024 * 1024 })
  })

  test('args: a piece has at most so many bytes; nothing is asked of an empty range', async () => {
    const log = logOf(sound)
    await offsetsOf({ log }, 2, { pieceBytes: 7 })
    expect(log.options).toEqual([{ maxWaitMs: 0, maxBytesPerPartition: 7 }])
    expect(await offsetsOf({ log }, 3, {}, { ...AT, offset: 9 })).toEqual({ offsets: [], position: 9 })
    expect(log.asked).toHaveLength(1)
  })

  test('behavior: an answer that begins below, or goes beyond, gives what is asked for', async () => {
    const log = logOf(() => ({ records: [0, 1, 2, 3, 4, 5].map(record), next: 6 }))
    expect(await offsetsOf({ log }, 4, {}, { ...AT, offset: 2 })).toEqual({ offsets: [2, 3], position: 4 })
  })

  test('behavior: positions that jump over holes are followed, with no record and with the last one below the end', async () => {
    const log = logOf((offset) => (offset === 0 ? { next: 5 } : { records: [record(5)], next: 10 }))
    expect(await offsetsOf({ log }, 10)).toEqual({ offsets: [5], position: 10 })
  })

  test('behavior: the signal ends it', async () => {
    const stop = new AbortController()
    const log = logOf((offset) => {
      if (offset === 2) stop.abort()
      return sound(offset)
    })
    expect(await offsetsOf({ log, signal: stop.signal }, 10)).toEqual({ offsets: [0, 1, 2, 3], position: 4 })
    expect(log.options[0]).toMatchObject({ signal: stop.signal })
  })
})

describe('a log that gets no further', () => {
  test('error: without a clock it fails at once, with what the log says of it', async () => {
    const log = logOf((offset) => (offset === 2 ? {} : sound(offset)))
    await expect(offsetsOf({ log }, 10)).rejects.toMatchObject({
      ...{ code: 'OFFSET_NOT_AVAILABLE', retriable: true, message: 'offset 2 of t/0 is not to be had yet' },
    })
    expect(log.asked).toEqual([0, 2])
    await expect(offsetsOf({ log: logOf(() => ({ failure })) }, 10)).rejects.toBe(failure)
  })

  test('error: with a clock it fails after 60 tries in a row, with waits that grow between them', async () => {
    const [log, clock] = [logOf(() => ({})), clockOf()]
    await expect(offsetsOf({ log, clock }, 10)).rejects.toMatchObject({ code: 'OFFSET_NOT_AVAILABLE' })
    expect(log.asked).toHaveLength(61)
    expect(clock.slept.slice(0, 3)).toEqual([10, 20, 40])
    expect(clock.slept.at(-1)).toBe(2_000)
  })

  test('behavior: with a clock it goes on when the log does, and counts anew', async () => {
    const clock = clockOf()
    const log = logOf((offset, times) => (times % 40 === 0 ? sound(offset) : {}))
    expect((await offsetsOf({ log, clock }, 6)).offsets).toEqual([0, 1, 2, 3, 4, 5])
    expect(clock.slept).toHaveLength(3 * 39)
  })

  test('behavior: the signal ends its waits', async () => {
    const stop = new AbortController()
    const clock = { now: () => 0, sleep: async () => stop.abort() }
    expect((await offsetsOf({ log: logOf(() => ({})), clock, signal: stop.signal }, 10)).position).toBe(0)
  })
})

describe('what is damaged', () => {
  const broken = (offset: number) =>
    offset === 2 ? { failure, damaged: { next: 4 } } : { ...sound(offset), next: offset + 2 }

  test('behavior: who only looks on is told, and passes over it', async () => {
    const told: Unreadable[] = []
    const ports = { log: logOf(broken), tell: (one: Unreadable) => void told.push(one) }
    expect((await offsetsOf(ports, 8)).offsets).toEqual([0, 1, 4, 5, 6, 7])
    expect(told).toMatchObject([{ offset: 2, reason: 'damaged', why: 'nobody leads t/0' }])
  })

  test('error: who may miss nothing fails without a clock', async () => {
    await expect(offsetsOf({ log: logOf(broken) }, 8)).rejects.toMatchObject({
      ...{ code: 'OFFSET_NOT_AVAILABLE', message: failure.message, cause: failure },
    })
  })

  test('behavior: who may miss nothing waits for another replica, longer than for anything else', async () => {
    const clock = clockOf()
    const log = logOf((offset, times) => (times < 200 ? broken(offset) : sound(offset)))
    expect((await offsetsOf({ log, clock }, 8)).offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(clock.slept.length).toBeGreaterThan(100)
  })
})

describe('what was deleted meanwhile', () => {
  const begun = (start: number) => (offset: number) => (offset < start ? { outOfRange: true, start } : sound(offset))

  test('error: it ends the reading, and the caller may begin anew', async () => {
    await expect(offsetsOf({ log: logOf(begun(4)) }, 8)).rejects.toMatchObject({
      code: 'OUT_OF_RANGE',
      retriable: true,
    })
  })

  test('args: a reader that passes over it goes on where the log begins', async () => {
    const passesDeleted = true
    expect((await offsetsOf({ log: logOf(begun(4)) }, 8, { passesDeleted })).offsets).toEqual([4, 5, 6, 7])
    expect(await offsetsOf({ log: logOf(begun(12)) }, 8, { passesDeleted })).toEqual({ offsets: [], position: 12 })
  })

  test('error: a log that ends before the position is no deletion', async () => {
    const log = logOf(() => ({ outOfRange: true, start: 0 }))
    await expect(offsetsOf({ log }, 8, { passesDeleted: true }, { ...AT, offset: 5 })).rejects.toMatchObject({
      code: 'OUT_OF_RANGE',
    })
  })
})

test('default: readRange gives each record, and how many there were', async () => {
  const offsets: number[] = []
  const ports = { log: logOf(sound), clock: clockOf() }
  expect(await readRange(ports, AT, 5, ({ offset }) => offsets.push(offset))).toBe(5)
  expect(offsets).toEqual([0, 1, 2, 3, 4])
})
