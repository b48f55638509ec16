import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRecordBatch, recordSizeBytes } from '../../../../connectors/log/kafka/record-batch.ts'
import { type RecordBatch, readBatches } from '../../../../connectors/log/kafka/record-batch-read.ts'
import type { OutgoingRecord } from '../../../../streams/ports.ts'
import {
  batchAt,
  kafkajsBatch,
  kafkajsDecode,
  marker,
  oldMessageSet,
  outgoing,
  plain,
  readAllRecords,
  sealed,
  writer,
} from './batch-kit.ts'

const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ minLength: 100, maxLength: 9_000 }))
const header = fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 10 }), value: bytes })
const records = (headers: fc.Arbitrary<OutgoingRecord['headers'] & object>) =>
  fc.array(
    fc.record({
      topic: fc.constant('t'),
      partition: fc.constant(0),
      timestamp: fc.oneof(fc.constant(1_704_067_200_000), fc.integer({ min: 0, max: 2 ** 50 })),
      key: fc.option(bytes),
      value: fc.option(bytes),
      headers,
    }),
    { minLength: 1, maxLength: 40 },
  )
const producers = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }),
  producerEpoch: fc.integer({ min: -1, max: 32_767 }),
  baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  transactional: fc.boolean(),
})
const anyHeaders = fc.array(header, { maxLength: 4 })
/** kafkajs keeps headers in an object, so names must be few of a kind and none of an object's own. */
const namedHeaders = fc
  .uniqueArray(header, { maxLength: 4, selector: ({ key }) => key })
  .map((all) => all.map(({ key, value }) => ({ key: `h ${key}`, value })))

describe('encoding', () => {
  test('behavior: what is written is read again, in one batch or several', () => {
    fc.assert(
      fc.property(records(anyHeaders), producers, fc.nat({ max: 2 ** 48 }), (given, producer, base) => {
        const second = base + given.length
        const fetched = Buffer.concat([batchAt(base, given, { producer }), batchAt(second, given)])
        const read = readAllRecords(fetched)
        expect(read.map(plain)).toEqual([...given, ...given].map(plain))
        expect(read.map(({ offset }) => offset)).toEqual([...given, ...given].map((_, at) => base + at))
        const [batch] = readBatches(fetched) as Iterable<RecordBatch>
        expect(batch).toMatchObject({ baseOffset: base, lastOffset: second - 1, control: false })
        expect(batch!.producerId).toBe(producer.producerId)
        expect(batch!.transactional).toBe(producer.transactional)
      }),
    )
  })

  test('behavior: the bytes are those of kafkajs', async () => {
    await fc.assert(
      fc.asyncProperty(records(namedHeaders), producers, async (given, producer) => {
        const timestamps = given.map(({ timestamp }) => timestamp)
        // kafkajs' varlong loses deltas beyond 32 bits that are negative.
        fc.pre(timestamps.every((timestamp) => Math.abs(timestamp - timestamps[0]!) < 2 ** 31))
        const ours = encodeRecordBatch(given, producer)
        expect(ours.toString('hex')).toBe((await kafkajsBatch(given, producer)).toString('hex'))
      }),
    )
  })

  test('behavior: kafkajs reads what we write', async () => {
    await fc.assert(
      fc.asyncProperty(records(namedHeaders), producers, async (given, producer) => {
        const decoded = await kafkajsDecode(encodeRecordBatch(given, producer))
        expect(decoded).toMatchObject({
          producerId: `${producer.producerId}`,
          producerEpoch: producer.producerEpoch,
          firstSequence: producer.baseSequence,
          inTransaction: producer.transactional,
          lastOffsetDelta: given.length - 1,
          maxTimestamp: `${Math.max(...given.map(({ timestamp }) => timestamp))}`,
        })
        const got = decoded.records.map(({ key, value, timestamp, headers }) => ({
          timestamp: Number(timestamp),
          key: key && Array.from(key),
          value: value && Array.from(value),
          headers: Object.entries(headers).map(([name, content]) => ({
            key: name,
            value: Array.from(content as Buffer),
          })),
        }))
        expect(got).toEqual(given.map(plain))
      }),
    )
  })

  test('behavior: the size foretold is the size taken, or a little more', () => {
    fc.assert(
      fc.property(records(anyHeaders), (given) => {
        const taken = encodeRecordBatch(given, writer(1n)).length
        const foretold = given.reduce((sum, record) => sum + recordSizeBytes(record), 61)
        expect(foretold).toBeGreaterThanOrEqual(taken)
        expect(foretold).toBeLessThanOrEqual(taken + given.length * 16)
      }),
    )
  })

  test('error: a batch without a record, or with a time that no varint holds, is refused', () => {
    expect(() => encodeRecordBatch([], writer(1n))).toThrow('needs a record')
    const far = [0, 2 ** 53 - 1].map((timestamp) => outgoing('a', { timestamp }))
    expect(() => encodeRecordBatch(far, writer(1n))).toThrow('beyond 2^52')
  })
})

describe('reading', () => {
  const three = ['a', 'b', 'c'].map((value) => outgoing(value))

  test('behavior: a batch that is cut off at the end is left out, wherever it is cut', () => {
    const whole = batchAt(0, three)
    for (let length = 0; length < whole.length; length++) {
      expect(readAllRecords(Buffer.concat([whole, whole.subarray(0, length)])).length).toBe(3)
    }
  })

  test('behavior: values are views into the fetched bytes', () => {
    const fetched = batchAt(0, [outgoing('abc')])
    const [record] = readAllRecords(fetched)
    expect(record!.value!.buffer).toBe(fetched.buffer)
  })

  test('behavior: records before the position asked for are left out', () => {
    expect(readAllRecords(batchAt(5, three), 6).map(({ offset }) => offset)).toEqual([6, 7])
  })

  test('behavior: records of a topic with LogAppendTime have the time of their batch', () => {
    const batch = batchAt(0, [outgoing('a', { timestamp: 5 }), outgoing('b', { timestamp: 9 })])
    batch.writeInt16BE(batch.readInt16BE(21) | 0x08, 21)
    expect(readAllRecords(sealed(batch)).map(({ timestamp }) => timestamp)).toEqual([9, 9])
  })

  test('error: a damaged batch is refused with both checksums, whichever bit is flipped', () => {
    const whole = batchAt(3, three)
    for (let at = 21; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 1 << (at % 8)
      expect(() => readAllRecords(damaged)).toThrow(/the batch is damaged: its checksum is \d+, it states \d+/)
    }
  })

  test.each([0, 1] as const)('error: a message set of format %i is refused by name', (version) => {
    const attempt = () => readAllRecords(oldMessageSet(version, 'old'))
    expect(attempt).toThrow(`a message set of format ${version} at offset`)
    expect(attempt).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FORMAT', retriable: false }))
  })

  test('error: any bytes, sealed with a right checksum or not, end in records or in a LogError', () => {
    const base = Buffer.concat([batchAt(7, three, { producer: writer(1n) }), marker(10, 1n, 'abort')])
    const mutation = fc.array(fc.tuple(fc.nat({ max: base.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 })
    const mutated = fc.tuple(mutation, fc.boolean()).map(([changes, seal]) => {
      const changed = Buffer.from(base)
      for (const [at, byte] of changes) changed[at] = byte
      return seal ? sealed(changed) : changed
    })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 }).map(Buffer.from)), (fetched) => {
        try {
          for (const { offset } of readAllRecords(fetched)) expect(Number.isSafeInteger(offset)).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ name: 'LogError' })
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('error: a number of records that the bytes cannot hold allocates nothing', () => {
    const batch = batchAt(0, three)
    batch.writeInt32BE(200_000, 57)
    expect(() => readAllRecords(sealed(batch))).toThrow('is one of 200000 in')
  })

  test('error: records beyond the number stated are not passed over', () => {
    const batch = batchAt(0, three)
    batch.writeInt32BE(2, 57)
    expect(() => readAllRecords(sealed(batch))).toThrow('record 2 of the batch at offset 0 was not announced')
  })
})
