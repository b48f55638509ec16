import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../../../connectors/log/kafka/byte-reader.ts'
import { ByteWriter } from '../../../../connectors/log/kafka/byte-writer.ts'
import { type FetchedFrom, fetchRequest, fetchVersion } from '../../../../connectors/log/kafka/fetch-request.ts'

const VERSIONS = [11, 12] as const
const limits = { maxWaitMs: 250, maxBytesPerPartition: 1_000 }
const encoded = (version: number, from: readonly FetchedFrom[]): Buffer => {
  const request = fetchRequest(version, from, limits)
  const writer = new ByteWriter(request.flexible)
  request.encode(writer)
  return writer.finish()
}

describe('asking', () => {
  const kafkajsFetch = createRequire(import.meta.url)('kafkajs/src/protocol/requests/fetch/v11/request') as (
    asked: object,
  ) => { encode(): Promise<{ buffer: Buffer }> }

  test('default: the bytes of version 11 are those of kafkajs', async () => {
    const from = [
      { topic: 'a', partition: 0, offset: 7 },
      { topic: 'a', partition: 1, offset: 2 ** 40 },
      { topic: 'b', partition: 5, offset: 0 },
    ]
    const asked = ({ partition, offset }: FetchedFrom) => ({ partition, fetchOffset: offset, maxBytes: 1_000 })
    const theirs = await kafkajsFetch({
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: 250,
      minBytes: 1,
      maxBytes: 64 * 1024 * 1024,
      rackId: '',
      topics: [
        { topic: 'a', partitions: from.slice(0, 2).map(asked) },
        { topic: 'b', partitions: from.slice(2).map(asked) },
      ],
    }).encode()
    expect(encoded(11, from).toString('hex')).toBe(theirs.buffer.toString('hex'))
  })

  test('behavior: partitions are asked for in the order given, even when a topic comes twice', () => {
    const from = ['b', 'a', 'b'].map((topic, partition) => ({ topic, partition, offset: 0 }))
    const reader = new ByteReader(encoded(12, from), true)
    reader.raw(25)
    const topics = reader.array(() => {
      const topic = reader.string()
      const partitions = reader.array(() => {
        const partition = reader.int32()
        reader.raw(4 + 8 + 4 + 8 + 4)
        reader.endStructure()
        return partition
      })
      reader.endStructure()
      return [topic, ...partitions]
    })
    expect(topics).toEqual([
      ['b', 0],
      ['a', 1],
      ['b', 2],
    ])
    expect(reader.array(() => 0)).toEqual([])
    expect(reader.string()).toBe('')
    reader.endStructure()
    expect(reader.remaining).toBe(0)
  })
})

describe.each(VERSIONS)('the answer, version %i', (version) => {
  const { flexible, decode } = fetchRequest(version, [], limits)
  const answer = (aborted: readonly (readonly [bigint, number])[] | null, records: Buffer | null): Buffer => {
    const writer = new ByteWriter(flexible)
    writer.int32(0)
    writer.int16(0)
    writer.int32(0)
    writer.array(['t', 'u'], (topic) => {
      writer.string(topic)
      writer.array([3, 4], (partition) => {
        writer.int32(partition)
        writer.int16(partition === 4 ? 6 : 0)
        writer.int64(100)
        writer.int64(90)
        writer.int64(2 ** 41)
        if (aborted === null) writer.nullArray()
        else
          writer.array(aborted, ([producerId, firstOffset]) => {
            writer.int64(producerId)
            writer.int64(firstOffset)
            writer.endStructure()
          })
        writer.int32(-1)
        writer.nullableBytes(records)
        writer.endStructure()
      })
      writer.endStructure()
    })
    writer.endStructure()
    return writer.finish()
  }

  test('default: each partition comes with its own error, bounds, aborted transactions and bytes', () => {
    const records = Buffer.from([1, 2, 3])
    const reader = new ByteReader(answer([[2n ** 62n, 5]], records), flexible)
    const { errorCode, partitions } = decode(reader)
    expect(reader.remaining).toBe(0)
    expect(errorCode).toBe(0)
    expect(partitions.map(({ topic, partition, errorCode }) => [topic, partition, errorCode])).toEqual([
      ['t', 3, 0],
      ['t', 4, 6],
      ['u', 3, 0],
      ['u', 4, 6],
    ])
    expect(partitions[0]).toEqual({
      topic: 't',
      partition: 3,
      errorCode: 0,
      highWatermark: 100,
      lastStableOffset: 90,
      logStartOffset: 2 ** 41,
      abortedTransactions: [{ producerId: 2n ** 62n, firstOffset: 5 }],
      records,
    })
  })

  test('behavior: null lists and null records are empty', () => {
    const { partitions } = decode(new ByteReader(answer(null, null), flexible))
    expect(partitions[0]).toMatchObject({ abortedTransactions: [], records: Buffer.alloc(0) })
  })

  test('error: an answer that is cut off or changed ends in a LogError or in an answer', () => {
    const whole = answer([[1n, 5]], Buffer.from([1, 2, 3]))
    const change = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 5 })
    fc.assert(
      fc.property(change, fc.nat({ max: whole.length }), (changes, length) => {
        const bytes = Buffer.from(whole.subarray(0, length))
        for (const [at, byte] of changes) bytes[at] = byte
        try {
          decode(new ByteReader(bytes, flexible))
        } catch (error) {
          expect(error).toMatchObject({ name: 'LogError', code: 'CORRUPT' })
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('ids of topics', () => {
  const ids = ['AAAAAAAAAAAAAAAAAAAAAQ', 'qqqqqqqqqqqqqqqqqqqqqg']
  const from = ids.map((topicId, at) => ({ topic: `t${at}`, topicId, partition: at, offset: 7 }))

  test('default: they are asked for where every topic has one and the broker knows them', () => {
    expect(fetchVersion(new Map([[1, 17]]), from)).toBe(13)
    expect(fetchVersion(new Map([[1, 12]]), from)).toBe(12)
    expect(fetchVersion(new Map(), from)).toBe(11)
    expect(fetchVersion(new Map([[1, 17]]), [...from, { topic: 'old', partition: 0, offset: 0 }])).toBe(12)
  })

  test('default: the answer is read back to names; one for a topic that was not asked for is refused', () => {
    const request = fetchRequest(13, from, limits)
    const answerWith = (id: string): ByteReader => {
      const writer = new ByteWriter(true)
      writer.int32(0)
      writer.int16(0)
      writer.int32(0)
      writer.array([id], () => {
        writer.uuid(id)
        writer.array([], () => {})
        writer.endStructure()
      })
      writer.endStructure()
      return new ByteReader(Buffer.from(writer.finish()), true)
    }
    expect(encoded(13, from).includes(Buffer.from(ids[1]!, 'base64url'))).toBe(true)
    expect(request.decode(answerWith(ids[0]!)).partitions).toEqual([])
    expect(() => request.decode(answerWith('zzzzzzzzzzzzzzzzzzzzzw'))).toThrow('which was not asked for')
  })
})
