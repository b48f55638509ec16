import { expect, test } from 'vitest'
import { crc32c, nativeCrc32c, wasmCrc32c } from '../../../../connectors/log/core/crc32c.ts'

const wasm = await wasmCrc32c()
const implementations = [
  ['as chosen', crc32c],
  ['native', nativeCrc32c() ?? crc32c],
  ['wasm', wasm],
] as const

/** RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms. */
const VECTORS = [
  ['32 bytes of zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 rising bytes', Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
  ['32 falling bytes', Buffer.from(Array.from({ length: 32 }, (_, at) => 31 - at)), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
] as const

test.each(
  implementations.flatMap(([which, checksum]) =>
    VECTORS.map(([name, bytes, expected]) => ({ which, name, checksum, bytes, expected })),
  ),
)('default: $name, $which', ({ checksum, bytes, expected }) => {
  expect(checksum(bytes)).toBe(expected)
})

test('behavior: there is a native one on this platform, and it agrees with the other on any length', () => {
  const native = nativeCrc32c()!
  for (let length = 0; length < 300; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, at) => (at * 151 + length) & 0xff))
    expect(native(bytes)).toBe(wasm(bytes))
  }
})
