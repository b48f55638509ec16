import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, partitionFor } from '../../streams/partitioner.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

/** Expected values of Kafka's own UtilsTest#testMurmur2. */
const JAVA_VECTORS: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test.each(JAVA_VECTORS)('default: murmur2 of %s is what Java computes', (text, expected) => {
  expect(murmur2(utf8(text))).toBe(expected)
})

test.each(JAVA_VECTORS)('default: the partition of %s is what the Java client chooses', (text, hash) => {
  for (const partitions of [1, 3, 12])
    expect(partitionFor(utf8(text), partitions)).toBe((hash & 0x7fffffff) % partitions)
})

test('args: any key and any count give a partition in range, the same one each time', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
      const partition = partitionFor(key, partitions)
      expect(partition).toBe(partitionFor(Uint8Array.from(key), partitions))
      expect(partition >= 0 && partition < partitions && Number.isInteger(partition)).toBe(true)
    }),
  )
})
