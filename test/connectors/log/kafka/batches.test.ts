import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BATCH_BYTES_MAX, cutIntoBatches, nextSequence } from '../../../../connectors/log/kafka/batches.ts'
import type { OutgoingRecord } from '../../../../streams/ports.ts'

const record = (topic: string, partition: number, sizeBytes = 10): OutgoingRecord => ({
  topic,
  partition,
  timestamp: 1,
  key: null,
  value: Buffer.alloc(sizeBytes),
})

test('default: records are parted by partition and keep their places', () => {
  const batches = cutIntoBatches([record('a', 1), record('b', 1), record('a', 1), record('a', 0)])
  expect(batches.map(([only]) => [only!.topic, only!.partition, only!.places])).toEqual([
    ['a', 1, [0, 2]],
    ['b', 1, [1]],
    ['a', 0, [3]],
  ])
})

test('behavior: a batch is cut before it is too large; a record that is larger alone has one of its own', () => {
  const half = BATCH_BYTES_MAX / 2
  const [batches] = cutIntoBatches([half, half, 10, 3 * BATCH_BYTES_MAX, 10].map((size) => record('a', 0, size)))
  expect(batches!.map(({ places }) => places)).toEqual([[0], [1, 2], [3], [4]])
})

test('behavior: however records are mixed, each is in one batch, in order', () => {
  const anyRecord = fc.tuple(fc.constantFrom('a', 'b'), fc.nat(2), fc.nat(400_000))
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 30 }), (shapes) => {
      const records = shapes.map(([topic, partition, size]) => record(topic, partition, size))
      const parts = cutIntoBatches(records)
      for (const part of parts) {
        const places = part.flatMap((batch) => batch.places)
        expect(places).toEqual(places.toSorted((x, y) => x - y))
        for (const batch of part) expect(batch.records).toEqual(batch.places.map((place) => records[place]))
      }
      const all = parts.flat().flatMap(({ places }) => places)
      expect(all.toSorted((x, y) => x - y)).toEqual(records.map((_, place) => place))
    }),
    { numRuns: 50 },
  )
})

test('behavior: sequences begin again at 0 after 2^31 - 1', () => {
  expect(nextSequence(0, 5)).toBe(5)
  expect(nextSequence(2 ** 31 - 1, 1)).toBe(0)
  expect(nextSequence(2 ** 31 - 3, 10)).toBe(7)
})
