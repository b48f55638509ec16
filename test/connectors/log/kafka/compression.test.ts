import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { compressSync as compressSnappy } from 'snappy'
import { describe, expect, test } from 'vitest'
import { decompress } from '../../../../connectors/log/kafka/compression.ts'
import { BATCH_UNPACKED_BYTES_MAX } from '../../../../connectors/log/kafka/limits.ts'
import { text } from '../../../contract/log-kit.ts'
import { readAllRecords, sealed } from './batch-kit.ts'

interface Vectors {
  readonly lines: readonly string[]
  readonly batches: readonly { readonly name: string; readonly codec: number; readonly bytes: string }[]
}
const vectorFile = new URL('../../../vectors/kafka-compressed-batches.json', import.meta.url)
const { lines, batches } = JSON.parse(readFileSync(vectorFile, 'utf8')) as Vectors
const ZSTD = 4

/** A frame of a few bytes that says `count` times: 128 KiB of the same byte. */
function zstdBomb(count: number): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38])
  const block = (isLast: boolean): Buffer => {
    const bytes = Buffer.alloc(4, 7)
    bytes.writeUIntLE((isLast ? 1 : 0) | (1 << 1) | (131_072 << 3), 0, 3)
    return bytes
  }
  return Buffer.concat([header, ...Array.from({ length: count }, (_, at) => block(at === count - 1))])
}

/** A frame whose blocks, of 16 KiB, may each stand for 4 MiB. */
function lz4Bomb(count: number): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(17_000)
  const blocks = Array.from({ length: count }, () => Buffer.concat([size, Buffer.alloc(17_000, 0xff)]))
  return Buffer.concat([Buffer.from([4, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]), ...blocks, Buffer.alloc(4)])
}

/** Says to be this long, and is not. */
function snappyBomb(sizeBytes: number): Buffer {
  const block = compressSnappy(Buffer.alloc(100))
  const length = Buffer.from([0x80 | (sizeBytes & 0x7f), 0x80, 0x80, 0x80, Math.floor(sizeBytes / 2 ** 28)])
  return Buffer.concat([length, block.subarray(1)])
}

test.each(batches)('behavior: a batch in $name is read', ({ bytes, codec }) => {
  const batch = Buffer.from(bytes, 'base64')
  expect(batch[22]! & 7).toBe(codec)
  expect(readAllRecords(batch).map(({ value }) => text(value))).toEqual(lines)
})

test('behavior: any content comes back, in plain Snappy, in LZ4 with and without checksums, in gzip', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.nat({ max: 300 }), (part, times) => {
      const content = Buffer.concat(Array.from({ length: times + 1 }, () => Buffer.from(part)))
      const checksums = { contentChecksum: true, blockChecksums: true }
      expect(decompress(1, gzipSync(content)).equals(content)).toBe(true)
      expect(decompress(2, compressSnappy(content)).equals(content)).toBe(true)
      expect(decompress(3, compressFrameSync(content)).equals(content)).toBe(true)
      expect(decompress(3, compressFrameSync(content, checksums)).equals(content)).toBe(true)
    }),
    { numRuns: 50 },
  )
})

describe('what is not as it should be', () => {
  test.each(batches)('error: bytes of $name changed anywhere end in records or in a LogError', ({ bytes }) => {
    const batch = Buffer.from(bytes, 'base64')
    const change = fc.tuple(fc.integer({ min: 61, max: batch.length - 1 }), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const changed = Buffer.from(batch)
        for (const [at, byte] of changes) changed[at] = byte
        try {
          readAllRecords(sealed(changed))
        } catch (error) {
          expect(error).toMatchObject({ name: 'LogError' })
        }
      }),
      { numRuns: 400 },
    )
  })

  test.each([1, 2, 3, 4])('error: random bytes are no content of codec %i', (codec) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decompress(codec, Buffer.from(bytes))
        } catch (error) {
          expect(error).toMatchObject({ name: 'LogError', code: expect.stringMatching(/^(CORRUPT|TOO_LARGE)$/) })
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test.each([
    ['gzip', 1, () => gzipSync(Buffer.alloc(BATCH_UNPACKED_BYTES_MAX + 1))],
    ['snappy', 2, () => snappyBomb(BATCH_UNPACKED_BYTES_MAX * 8)],
    ['lz4', 3, () => lz4Bomb(40)],
    ['zstd', ZSTD, () => zstdBomb(1_030)],
  ] as const)('error: a bomb in %s stops at the limit', (_, codec, bomb) => {
    const bytes = bomb()
    expect(bytes.length).toBeLessThan(1_000_000)
    const before = process.memoryUsage().arrayBuffers
    expect(() => decompress(codec, bytes)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * BATCH_UNPACKED_BYTES_MAX)
  })

  test('behavior: what stays below the limit is none', () => {
    expect(decompress(ZSTD, zstdBomb(8)).equals(Buffer.alloc(8 * 131_072, 7))).toBe(true)
  })

  test.each([5, 6, 7])('error: codec %i is unknown', (codec) => {
    expect(() => decompress(codec, Buffer.alloc(9))).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FORMAT' }))
  })
})
