import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../../../connectors/log/kafka/byte-reader.ts'
import { ByteWriter } from '../../../../connectors/log/kafka/byte-writer.ts'

const both = [
  ['classic', false],
  ['flexible', true],
] as const

function written(flexible: boolean, write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(flexible, 1)
  write(writer)
  return Buffer.from(writer.finish())
}
const hex = (flexible: boolean, write: (writer: ByteWriter) => void) => written(flexible, write).toString('hex')

describe('writing', () => {
  test('default: integers are big-endian and signed', () => {
    expect(
      hex(false, (writer) => {
        writer.boolean(true)
        writer.int8(-2)
        writer.int16(-2)
        writer.int32(-2)
        writer.int64(-2)
        writer.int64(2 ** 40 + 1)
        writer.int64(-(2n ** 63n))
      }),
    ).toBe('01fefffefffffffefffffffffffffffe00000100000000018000000000000000')
  })

  test('behavior: lengths are of fixed size in classic versions and varints plus one in flexible ones', () => {
    const write = (writer: ByteWriter) => {
      writer.string('ab')
      writer.nullableString(null)
      writer.bytes(Buffer.from([7]))
      writer.nullableBytes(null)
      writer.array([1, 2], (item) => writer.int8(item))
      writer.nullArray()
      writer.endStructure()
    }
    expect(hex(false, write)).toBe('00026162ffff0000000107ffffffff000000020102ffffffff')
    expect(hex(true, write)).toBe('036162000207000301020000')
  })

  test('error: a number that is no safe integer and a string that is too long are refused', () => {
    const writer = new ByteWriter(false)
    expect(() => writer.int64(2 ** 53)).toThrow(RangeError)
    expect(() => writer.int64(0.5)).toThrow(RangeError)
    expect(() => writer.string('x'.repeat(32_768))).toThrow('at most 32,767')
  })

  test('behavior: the buffer grows and keeps what is in it', () => {
    const large = Buffer.alloc(5_000, 9)
    const bytes = written(false, (writer) => {
      for (let index = 0; index < 10; index++) {
        writer.int32(index)
        writer.raw(large)
      }
    })
    expect(bytes.length).toBe(10 * 5_004)
    expect(bytes.readInt32BE(9 * 5_004)).toBe(9)
    expect(bytes.subarray(-5_000)).toEqual(large)
  })
})

describe.each(both)('round trip, %s', (_, flexible) => {
  test('behavior: structures end where they are written, and an answer takes its throttle time', () => {
    const bytes = written(flexible, (writer) => {
      writer.int32(40)
      writer.structures(['a', 'b'], (item) => writer.string(item))
      writer.endStructure()
    })
    const reader = new ByteReader(bytes, flexible)
    expect(reader.answer(() => reader.structures(() => reader.string()))).toEqual(['a', 'b'])
    expect({ left: reader.remaining, throttleMs: reader.throttleMs }).toEqual({ left: 0, throttleMs: 40 })
  })

  test('behavior: every value comes back as it was', () => {
    const value = fc.record({
      small: fc.integer({ min: -128, max: 127 }),
      medium: fc.integer({ min: -32_768, max: 32_767 }),
      int: fc.integer(),
      long: fc.maxSafeInteger(),
      big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      unsigned: fc.nat({ max: 2 ** 31 - 1 }).map((low) => low * 2 + 1),
      text: fc.option(fc.string({ unit: 'grapheme' })),
      bytes: fc.option(fc.uint8Array({ maxLength: 300 })),
      items: fc.array(fc.string(), { maxLength: 200 }),
    })
    fc.assert(
      fc.property(value, (given) => {
        const bytes = written(flexible, (writer) => {
          writer.int8(given.small)
          writer.int16(given.medium)
          writer.int32(given.int)
          writer.int64(given.long)
          writer.int64(given.big)
          writer.uvarint(given.unsigned)
          writer.nullableString(given.text)
          writer.nullableBytes(given.bytes)
          writer.array(given.items, (item) => writer.string(item))
          writer.endStructure()
        })
        const reader = new ByteReader(bytes, flexible)
        const got = {
          small: reader.int8(),
          medium: reader.int16(),
          int: reader.int32(),
          long: reader.int64(),
          big: reader.bigint64(),
          unsigned: reader.uvarint(),
          text: reader.nullableString(),
          bytes: reader.nullableBytes(),
          items: reader.array((items) => items.string()),
        }
        reader.endStructure()
        expect({ ...got, bytes: got.bytes && Uint8Array.from(got.bytes) }).toEqual(given)
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test('error: bytes that end too early or state impossible lengths are corrupt, never a crash or a large allocation', () => {
    const reads: readonly ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.int16(),
      (reader) => reader.int64(),
      (reader) => reader.uvarint(),
      (reader) => reader.string(),
      (reader) => reader.bytes(),
      (reader) => reader.array((items) => items.bytes()),
      (reader) => reader.endStructure(),
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom(...reads)), (bytes, steps) => {
        const reader = new ByteReader(Buffer.from(bytes), flexible)
        try {
          for (const step of steps) step(reader)
        } catch (error) {
          expect(error).toMatchObject({ name: 'LogError', code: 'CORRUPT' })
        }
        expect(reader.offset).toBeLessThanOrEqual(bytes.length)
      }),
    )
  })
})

describe('reading', () => {
  test('behavior: bytes are views into the buffer', () => {
    const buffer = Buffer.from([0, 0, 0, 2, 5, 6])
    const view = new ByteReader(buffer, false).bytes()
    buffer[4] = 9
    expect([...view]).toEqual([9, 6])
  })

  test('behavior: unknown tagged fields are passed over, known ones are handed on', () => {
    const bytes = Buffer.from([2, 0, 1, 42, 3, 2, 9, 9, 77])
    const seen: number[][] = []
    const reader = new ByteReader(bytes, true)
    reader.endStructure((tag, value) => seen.push([tag, value.int8(), value.remaining]))
    expect(seen).toEqual([
      [0, 42, 0],
      [3, 9, 1],
    ])
    expect(reader.int8()).toBe(77)
  })

  test('error: an int64 that is no safe integer is corrupt, and can be read as a bigint', () => {
    const bytes = Buffer.from('7fffffffffffffff', 'hex')
    expect(() => new ByteReader(bytes, false).int64()).toThrow('beyond 2^53')
    expect(new ByteReader(bytes, false).bigint64()).toBe(2n ** 63n - 1n)
  })
})
