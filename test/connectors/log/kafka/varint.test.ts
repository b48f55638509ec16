import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VarintCursor, varintSize, writeInt64, writeVarint } from '../../../../connectors/log/kafka/varint.ts'

const hexOf = (value: number): string => {
  const buffer = Buffer.alloc(10)
  return buffer.toString('hex', 0, writeVarint(buffer, 0, value))
}

test.each([
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [2 ** 31 - 1, 'feffffff0f'],
  [-(2 ** 31), 'ffffffff0f'],
  [2 ** 31, '8080808010'],
  [1_704_067_200_000, '80d08fa59863'],
])('default: %i is written as %s', (value, hex) => {
  expect(hexOf(value)).toBe(hex)
})

test('behavior: every number up to 2^52 comes back, takes the bytes foretold, and the next begins behind it', () => {
  const number = fc.oneof(
    fc.integer(),
    fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
    fc.integer({ min: -70, max: 70 }),
  )
  fc.assert(
    fc.property(number, number, (first, second) => {
      const buffer = Buffer.alloc(20)
      const end = writeVarint(buffer, writeVarint(buffer, 0, first), second)
      expect(end).toBe(varintSize(first) + varintSize(second))
      const cursor = new VarintCursor(buffer, 0)
      expect([cursor.next(), cursor.next(), cursor.at]).toEqual([first, second, end])
    }),
  )
})

test('behavior: an int64 is written as it is read', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const buffer = Buffer.alloc(8)
      writeInt64(buffer, 0, value)
      expect(Number(buffer.readBigInt64BE(0))).toBe(value)
    }),
  )
})

test.each([
  ['nothing', ''],
  ['one that goes on at the end', '80'],
  ['one that goes on at the end, long', 'ffffffffff'],
  ['more than ten bytes', '8080808080808080808001'],
  ['a number beyond 2^53', 'ffffffffffffffffff01'],
])('error: %s is corrupt', (_, hex) => {
  const cursor = new VarintCursor(Buffer.from(hex, 'hex'), 0)
  expect(() => cursor.next()).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
})
