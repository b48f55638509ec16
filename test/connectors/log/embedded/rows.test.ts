import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  coversFrom,
  lastOffsetOf,
  newestTimestampOf,
  packRows,
  rowKey,
  unpackRow,
} from '../../../../connectors/log/embedded/rows.ts'
import type { LogRecord } from '../../../../streams/ports.ts'

const blob = fc.uint8Array({ maxLength: 64 })
const content = fc.record({
  gap: fc.nat(3),
  timestamp: fc.integer({ min: -1, max: 2 ** 43 }),
  key: fc.option(blob),
  value: fc.option(blob),
  headers: fc.array(fc.record({ key: fc.string(), value: blob }), { maxLength: 3 }),
})

describe('rows', () => {
  test('behavior: records come back as they were, from any position', () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 1 }), fc.nat(2 ** 40), fc.nat(100), (contents, base, from) => {
        const records = numbered(contents, base)
        const rows = [...packRows(7, 3, records, base, records.at(-1)!.offset + 2)]
        const back = rows.flatMap(({ key, value }) => unpackRow(key, value, base + from))
        expect(plain(back)).toEqual(plain(records.filter(({ offset }) => offset >= base + from)))
        expect(lastOffsetOf(rows.at(-1)!.key)).toBe(records.at(-1)!.offset + 1)
        expect(Math.max(...rows.map(({ value }) => newestTimestampOf(value)))).toBe(
          Math.max(...records.map(({ timestamp }) => timestamp)),
        )
      }),
    )
  })

  test('behavior: many records are cut into rows whose keys leave no gap', () => {
    const value = new Uint8Array(1_000)
    const records = Array.from({ length: 1_000 }, (_, at) => {
      return { offset: at * 2, timestamp: 1, key: null, value, headers: [] }
    })
    const rows = [...packRows(1, 0, records, 0, 2_000)]
    expect(rows.length).toBeGreaterThan(5)
    let next = 0
    for (const row of rows) {
      expect(coversFrom(row.value)).toBe(next)
      const offsets = unpackRow(row.key, row.value, 0).map(({ offset }) => offset)
      expect(offsets[0]).toBe(next)
      next = lastOffsetOf(row.key) + 1
    }
    expect(next).toBe(2_000)
  })

  test('behavior: keys sort by topic, partition and offset, and hold offsets beyond 32 bits', () => {
    const places = fc.tuple(fc.nat(2 ** 31), fc.nat(10_000), fc.maxSafeNat())
    fc.assert(
      fc.property(places, places, (a, b) => {
        const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
        expect(Math.sign(Buffer.compare(rowKey(...a), rowKey(...b)))).toBe(Math.sign(order))
        expect(lastOffsetOf(rowKey(...a))).toBe(a[2])
      }),
    )
  })

  test('error: any changed byte is noticed', () => {
    const [row] = packRows(
      1,
      0,
      numbered([{ gap: 0, timestamp: 5, key: null, value: Buffer.from('value'), headers: [] }], 0),
      0,
      1,
    )
    const isCorrupt = expect.objectContaining({ code: 'CORRUPT' })
    for (let at = 0; at < row!.value.length; at++)
      expect(() => unpackRow(row!.key, flipped(row!.value, at), 0)).toThrow(isCorrupt)
    for (let at = 0; at < row!.key.length; at++)
      expect(() => unpackRow(flipped(row!.key, at), row!.value, 0)).toThrow(isCorrupt)
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const damaged = Buffer.from(bytes)
  damaged[at]! ^= 1
  return damaged
}

type Content = Omit<LogRecord, 'offset'> & { readonly gap: number }

function numbered(contents: readonly Content[], base: number): LogRecord[] {
  let next = base
  return contents.map(({ gap, ...rest }) => {
    const offset = next + gap
    next = offset + 1
    return { offset, ...rest }
  })
}

function plain(records: readonly LogRecord[]) {
  const array = (bytes: Uint8Array | null) => bytes && Array.from(bytes)
  return records.map(({ offset, timestamp, key, value, headers }) => [
    offset,
    timestamp,
    array(key),
    array(value),
    headers.map((header) => [header.key, array(header.value)]),
  ])
}
