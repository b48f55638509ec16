import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BATCH_RECORDS_MAX,
  BATCH_UNPACKED_BYTES_MAX,
  FAULT_BYTES_KEPT,
} from '../../../../connectors/log/kafka/limits.ts'
import { type AbortedTransaction, readCommitted } from '../../../../connectors/log/kafka/read-committed.ts'
import type { OutgoingRecord } from '../../../../streams/ports.ts'
import { batchAt, compressed, type Kept, marker, oldMessageSet, outgoing, sealed, writer } from './batch-kit.ts'

const offsetsOf = (fetched: readonly Buffer[], aborted: readonly AbortedTransaction[], from = 0) => {
  const { records, next } = readCommitted(Buffer.concat(fetched), aborted, from)
  return { offsets: records.map(({ offset }) => offset), next }
}
/** A batch of so many records of a transaction of a producer. */
const data = (offset: number, producerId: bigint, count = 1, kept: Kept = {}) =>
  batchAt(offset, many(count), { producer: writer(producerId), ...kept })
const many = (count: number, more: Partial<OutgoingRecord> = {}) =>
  Array.from({ length: count }, (_, at) => outgoing(`${at}`, more))

const A = 1n
const B = 2n
const abortedOf = (...all: readonly (readonly [bigint, number])[]) =>
  all.map(([producerId, firstOffset]) => ({ producerId, firstOffset }))

interface Case {
  readonly name: string
  readonly given: readonly Buffer[]
  readonly aborted?: readonly AbortedTransaction[]
  readonly from?: number
  readonly expected: { readonly offsets: readonly number[]; readonly next: number }
}

const CASES: readonly Case[] = [
  {
    name: 'records outside transactions are all there',
    given: [batchAt(0, many(3)), batchAt(3, many(1))],
    expected: { offsets: [0, 1, 2, 3], next: 4 },
  },
  {
    name: 'a committed transaction is there, its marker is not, and the position is behind it',
    given: [data(0, A, 2), marker(2, A, 'commit')],
    expected: { offsets: [0, 1], next: 3 },
  },
  {
    name: 'an aborted transaction is not there',
    given: [data(0, A, 2), marker(2, A, 'abort'), batchAt(3, many(1))],
    aborted: abortedOf([A, 0]),
    expected: { offsets: [3], next: 4 },
  },
  {
    name: 'two aborted transactions that overlap, read from inside both (C1: the second one leaked its first record)',
    given: [data(10, A), data(11, B), data(12, A), marker(13, A, 'abort'), data(14, B), marker(15, B, 'abort')],
    aborted: abortedOf([B, 5], [A, 4]),
    from: 10,
    expected: { offsets: [], next: 16 },
  },
  {
    name: 'an aborted record whose key looks like a marker ends nothing (C2)',
    given: [
      data(0, A),
      batchAt(1, many(1, { key: Buffer.alloc(4) }), { producer: writer(A) }),
      data(2, A),
      marker(3, A, 'abort'),
    ],
    aborted: abortedOf([A, 0]),
    expected: { offsets: [], next: 4 },
  },
  {
    name: 'one producer: aborted, committed, aborted',
    given: [
      data(0, A),
      marker(1, A, 'abort'),
      data(2, A),
      marker(3, A, 'commit'),
      data(4, A),
      marker(5, A, 'abort'),
      data(6, A),
      marker(7, A, 'commit'),
    ],
    aborted: abortedOf([A, 4], [A, 0]),
    expected: { offsets: [2, 6], next: 8 },
  },
  {
    name: 'interleaved producers, one aborts',
    given: [data(0, A), data(1, B), data(2, A), marker(3, B, 'commit'), marker(4, A, 'abort'), data(5, B)],
    aborted: abortedOf([A, 0]),
    expected: { offsets: [1, 5], next: 6 },
  },
  {
    name: 'records of the same producer outside a transaction are not aborted',
    given: [batchAt(0, many(1), { producer: writer(A, false) })],
    aborted: abortedOf([A, 0]),
    expected: { offsets: [0], next: 1 },
  },
  {
    name: 'a marker without an entry in the list ends nothing, and nobody is surprised (librdkafka 3369)',
    given: [marker(0, A, 'abort'), data(1, A), marker(2, A, 'commit')],
    expected: { offsets: [1], next: 3 },
  },
  {
    name: 'an abort marker alone, with its entry, moves the position (brod 659, platformatic 391)',
    given: [marker(7, A, 'abort')],
    aborted: abortedOf([A, 2]),
    from: 7,
    expected: { offsets: [], next: 8 },
  },
  {
    name: 'an aborted transaction whose marker lies beyond what was fetched',
    given: [data(0, A), batchAt(1, many(1)), data(2, A)],
    aborted: abortedOf([A, 0]),
    expected: { offsets: [1], next: 3 },
  },
  {
    name: 'an abort that begins behind what was fetched takes nothing away',
    given: [data(0, A), marker(1, A, 'commit')],
    aborted: abortedOf([A, 2]),
    expected: { offsets: [0], next: 2 },
  },
  {
    name: 'a batch that begins before the position',
    given: [batchAt(0, many(5))],
    from: 3,
    expected: { offsets: [3, 4], next: 5 },
  },
  {
    name: 'an aborted batch that begins before the position',
    given: [data(0, A, 5), marker(5, A, 'abort')],
    aborted: abortedOf([A, 0]),
    from: 3,
    expected: { offsets: [], next: 6 },
  },
  {
    name: 'a batch whose tail was compacted away ends where it did (C6)',
    given: [batchAt(0, many(2), { lastOffset: 9 })],
    expected: { offsets: [0, 1], next: 10 },
  },
  {
    name: 'the compacted tail alone: nothing of the batch is behind the position, yet it moves on (C6)',
    given: [batchAt(0, many(2), { lastOffset: 9 })],
    from: 5,
    expected: { offsets: [], next: 10 },
  },
  {
    name: 'an empty batch kept for its producer (C6)',
    given: [batchAt(4, [], { producer: writer(A), lastOffset: 8 })],
    from: 4,
    expected: { offsets: [], next: 9 },
  },
  {
    name: 'a marker whose record was compacted away is none',
    given: [batchAt(0, [], { producer: writer(A), control: true }), data(1, A), marker(2, A, 'abort')],
    aborted: abortedOf([A, 0]),
    expected: { offsets: [], next: 3 },
  },
  { name: 'nothing', given: [], from: 12, expected: { offsets: [], next: 12 } },
  {
    name: 'only the beginning of a batch: nothing moves',
    given: [batchAt(0, many(3)).subarray(0, 70)],
    expected: { offsets: [], next: 0 },
  },
  {
    name: 'batches before the position only: it does not go back',
    given: [batchAt(0, many(3))],
    from: 5,
    expected: { offsets: [], next: 5 },
  },
]

test.each(CASES)('behavior: $name', ({ given, aborted = [], from = 0, expected: then }) => {
  expect(offsetsOf(given, aborted, from)).toEqual(then)
})

describe('any history', () => {
  const step = fc.record({
    producer: fc.bigInt({ min: 1n, max: 4n }),
    kind: fc.constantFrom('data', 'data', 'data', 'abort', 'commit', 'plain', 'hole' as const),
    count: fc.integer({ min: 1, max: 4 }),
  })

  test('behavior: from every position, in any cut of the answer, exactly the committed records are read', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), fc.nat({ max: 400 }), (steps, cut) => {
        const { log, committed, aborted } = historyOf(steps)
        const end = log.at(-1)!.last + 1
        for (let from = 0; from <= end; from++) {
          const read: number[] = []
          let position = from
          while (position < end) {
            const { records, next } = fetchOf(log, aborted, position, cut)
            expect(next).toBeGreaterThan(position)
            read.push(...records.map(({ offset }) => offset))
            position = next
          }
          expect(read).toEqual(committed.filter((offset) => offset >= from))
        }
      }),
      { numRuns: 200 },
    )
  })

  interface Entry {
    readonly first: number
    readonly last: number
    readonly bytes: Buffer
  }
  interface Aborted extends AbortedTransaction {
    readonly markerAt: number
  }

  /** As a broker answers: whole batches from the one that holds the position, the aborted transactions that touch them. */
  function fetchOf(log: readonly Entry[], aborted: readonly Aborted[], position: number, sizeBytes: number) {
    const begin = log.findIndex(({ last }) => last >= position)
    const sent = log.slice(begin)
    const first = sent[0]!.bytes.length
    const bytes = Buffer.concat(sent.map((entry) => entry.bytes)).subarray(0, Math.max(first, sizeBytes))
    const named = aborted.filter(({ markerAt }) => markerAt >= position)
    return readCommitted(bytes, named.toReversed(), position)
  }

  /** The log that such steps leave; transactions that are open at the end are aborted. */
  function historyOf(steps: readonly { producer: bigint; kind: string; count: number }[]) {
    const log: Entry[] = []
    const committed: number[] = []
    const aborted: Aborted[] = []
    const open = new Map<bigint, number[]>()
    let offset = 0
    const append = (bytes: Buffer, count: number): void => {
      log.push({ first: offset, last: offset + count - 1, bytes })
      offset += count
    }
    const end = (producerId: bigint, type: 'abort' | 'commit'): void => {
      const offsets = open.get(producerId)
      if (offsets === undefined) return
      open.delete(producerId)
      if (type === 'commit') committed.push(...offsets)
      else aborted.push({ producerId, firstOffset: offsets[0]!, markerAt: offset })
      append(marker(offset, producerId, type), 1)
    }
    for (const { producer, kind, count } of steps) {
      const offsets = Array.from({ length: count }, (_, at) => offset + at)
      if (kind === 'abort' || kind === 'commit') end(producer, kind)
      else if (kind === 'plain') {
        committed.push(...offsets)
        append(batchAt(offset, many(count)), count)
      } else if (kind === 'hole') append(batchAt(offset, [], { lastOffset: offset + count - 1 }), count)
      else {
        open.set(producer, [...(open.get(producer) ?? []), ...offsets])
        append(data(offset, producer, count), count)
      }
    }
    for (const producer of [...open.keys()]) end(producer, 'abort')
    if (log.length === 0) append(batchAt(0, [], { lastOffset: 0 }), 1)
    return { log, committed: committed.sort((a, b) => a - b), aborted }
  }
})

describe('what cannot be handed out as it is', () => {
  const good = (offset: number) => batchAt(offset, many(1))
  const seen = (fetched: readonly Buffer[], from = 0) => {
    const { records, next, damaged } = readCommitted(Buffer.concat(fetched), [], from)
    return { records: records.map(({ offset, fault }) => [offset, fault?.reason]), next, damaged: damaged?.next }
  }
  const codec = (batch: Buffer, number: number) => {
    batch.writeInt16BE(number, 21)
    return sealed(batch)
  }

  test.each([5, 6, 7])(
    'behavior: a batch of the unknown codec %i is one faulty record, and the rest is read',
    (number) => {
      const expected = [
        [0, undefined],
        [1, 'batch'],
        [4, undefined],
      ]
      expect(seen([good(0), codec(batchAt(1, many(3)), number), good(4)]).records).toEqual(expected)
    },
  )

  test.each([1, 2, 3, 4])('behavior: so is one that does not decompress by codec %i', (number) => {
    expect(seen([codec(batchAt(0, many(3)), number), good(3)])).toEqual({
      records: [
        [0, 'batch'],
        [3, undefined],
      ],
      next: 4,
      damaged: undefined,
    })
  })

  test('behavior: so is one of which records were handed out before it ended wrongly, from the position asked for', () => {
    const batch = batchAt(5, many(3))
    batch.writeInt32BE(2, 57)
    expect(seen([sealed(batch), good(8)], 6).records).toEqual([
      [6, 'batch'],
      [8, undefined],
    ])
  })

  test('behavior: so are message sets from before Kafka 0.11', () => {
    expect(seen([oldMessageSet(1, 'old'), good(4)]).records).toEqual([
      [0, 'batch'],
      [4, undefined],
    ])
  })

  test('behavior: of a record that compresses to nothing the beginning is kept, and how large it was', () => {
    const huge = outgoing(null, { key: Buffer.from('k'), value: Buffer.alloc(40 * 1024 * 1024, 'v') })
    const batch = compressed(batchAt(0, [outgoing('a'), huge, outgoing('b')]), 1, (records) => gzipSync(records))
    expect(batch.length).toBeLessThan(100_000)
    const { records } = readCommitted(batch, [], 0)
    expect(records.map(({ offset, fault }) => [offset, fault?.reason])).toEqual([
      [0, undefined],
      [1, 'oversize'],
      [2, undefined],
    ])
    const { key, value, fault } = records[1]!
    expect([key!.toString(), value!.length, value!.buffer.byteLength]).toEqual([
      'k',
      FAULT_BYTES_KEPT,
      FAULT_BYTES_KEPT,
    ])
    expect(fault!.sizeBytes).toBeGreaterThan(40 * 1024 * 1024)
  })

  test('behavior: a bomb is never unpacked, and one faulty record stands for it', () => {
    const zeros = Buffer.alloc(BATCH_UNPACKED_BYTES_MAX + 1)
    const bomb = compressed(good(0), 1, () => gzipSync(zeros))
    expect(seen([bomb, good(1)]).records).toEqual([
      [0, 'oversize'],
      [1, undefined],
    ])
  })

  test('behavior: a batch of more records than are made objects of is one faulty record', () => {
    const batch = batchAt(0, many(1), { lastOffset: BATCH_RECORDS_MAX })
    batch.writeInt32BE(BATCH_RECORDS_MAX + 1, 57)
    expect(seen([sealed(batch)])).toMatchObject({ records: [[0, 'oversize']], next: BATCH_RECORDS_MAX + 1 })
  })

  test('behavior: what unpacks to much is read in several answers', () => {
    const large = outgoing(null, { value: Buffer.alloc(12 * 1024 * 1024) })
    const batch = (offset: number) =>
      compressed(batchAt(offset, [large, large, large]), 1, (records) => gzipSync(records))
    const fetched = [0, 3, 6].map(batch)
    expect(seen(fetched)).toMatchObject({ next: 6, damaged: undefined })
    expect(seen(fetched.slice(2), 6).next).toBe(9)
  })

  test.each([1_795_984_250_000_000_000n, -1n, -(2n ** 62n)])('behavior: a record may have the time %i', (time) => {
    const batch = batchAt(0, many(2))
    batch.writeBigInt64BE(time, 27)
    const { records } = readCommitted(sealed(batch), [], 0)
    expect(records.map(({ timestamp }) => timestamp)).toEqual([Number(time), Number(time)])
  })

  test('behavior: the second record may be the one with nanoseconds', () => {
    const far = 1_795_984_250_000_000_000
    const record = Buffer.from([0, ...zigzag(BigInt(far)), 0, 1, 1, 0])
    const batch = Buffer.concat([batchAt(0, []), Buffer.from([record.length << 1]), record])
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt32BE(1, 57)
    const [read] = readCommitted(sealed(batch), [], 0).records
    expect([read!.fault, read!.timestamp > far]).toEqual([undefined, true])
  })

  test('behavior: at a damaged batch the reading ends; what came before is handed out, and it is known what comes behind', () => {
    const damaged = batchAt(1, many(3))
    damaged[damaged.length - 1]! ^= 1
    expect(seen([good(0), damaged, good(4)])).toEqual({ records: [[0, undefined]], next: 1, damaged: 4 })
    expect(seen([damaged], 2)).toEqual({ records: [], next: 2, damaged: 3 })
    const unframed = good(0)
    unframed.writeInt32BE(7, 8)
    expect(seen([unframed])).toEqual({ records: [], next: 0, damaged: 1 })
  })

  test('error: a batch or message set beyond every offset is damaged, and there is an offset behind it', () => {
    const beyond = Buffer.concat([batchAt(7, many(3)), good(10)])
    beyond[0] = 1
    const old = Buffer.from(beyond)
    old[16] = 0
    for (const bytes of [beyond, sealed(beyond), old]) {
      const { next, damaged } = readCommitted(bytes, abortedOf(), 7)
      expect(damaged!.next).toBeGreaterThan(next)
    }
  })

  test('behavior: no bytes end in an exception', () => {
    const base = Buffer.concat([batchAt(7, many(3), { producer: writer(A) }), marker(10, A, 'abort'), good(11)])
    const changes = fc.array(fc.tuple(fc.nat({ max: base.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 })
    fc.assert(
      fc.property(changes, fc.boolean(), (all, seal) => {
        const changed = Buffer.from(base)
        for (const [at, byte] of all) changed[at] = byte
        const { next, damaged } = readCommitted(seal ? sealed(changed) : changed, abortedOf([A, 7]), 7)
        expect(next).toBeGreaterThanOrEqual(7)
        if (damaged) expect(damaged.next).toBeGreaterThan(next)
      }),
      { numRuns: 3_000 },
    )
  })
})

function zigzag(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value << 1n
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest)]
}
