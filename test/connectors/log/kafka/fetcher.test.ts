/** The fetcher against a cluster that is played here: leaders that move, brokers that fail, answers that come when told. */
import { afterEach, describe, expect, test } from 'vitest'
import { ByteReader } from '../../../../connectors/log/kafka/byte-reader.ts'
import { ByteWriter } from '../../../../connectors/log/kafka/byte-writer.ts'
import { closedError, unanswered, unreachable } from '../../../../connectors/log/kafka/errors.ts'
import { type FetchCluster, Fetcher } from '../../../../connectors/log/kafka/fetcher.ts'
import { settingsOf } from '../../../../connectors/log/kafka/options.ts'
import type { KafkaRequest } from '../../../../connectors/log/kafka/request.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { LogError, PositionLostError, type TopicPartition } from '../../../../streams/ports.ts'
import { batchAt, outgoing } from './batch-kit.ts'

const NOT_LEADER = 6
const OUT_OF_RANGE = 1
const UNAUTHORIZED = 29
const WAIT = { maxWaitMs: 2_000, maxBytesPerPartition: 1_000 }
const AT_ONCE = { maxWaitMs: 0, maxBytesPerPartition: 1_000 }

interface Asked {
  readonly nodeId: number
  readonly lane: string
  readonly maxWaitMs: number
  readonly partitions: readonly { topic: string; partition: number; offset: number }[]
  /** Of each: that of the leader, and that of the last record read. */
  readonly epochs: readonly (readonly [leader: number, last: number])[]
  answer(parts: readonly Answered[]): void
  fail(error: Error): void
}
interface Answered {
  readonly partition: number
  readonly errorCode?: number
  readonly records?: Buffer
  readonly stable?: number
  readonly divergesAt?: number
}

/** Two brokers, one topic `t`: `leaders` has the leader of a partition, and requests wait in `asked`. */
class Cluster implements FetchCluster {
  readonly settings = settingsOf({ brokers: ['a:1'], clientId: 'test', clock: systemClock, requestTimeoutMs: 1_000 })
  readonly versions = { newest: new Map([[1, 17]]), features: new Map() }
  readonly leaders = [1, 1, 2, 2]
  readonly asked: Asked[] = []
  epoch = 3
  forgotten = 0
  anew: string | undefined
  private knows = true
  private waiting: (() => void)[] = []

  knownLeader({ partition }: TopicPartition): number | undefined {
    return this.knows ? this.leaders[partition] : undefined
  }
  topicId(): undefined {}
  lossOf(topic: string): PositionLostError | undefined {
    return this.anew === topic ? new PositionLostError('TOPIC_RECREATED', { topic }, `${topic} is another`) : undefined
  }
  leaderEpoch(): number {
    return this.epoch
  }
  async leaderOf(at: TopicPartition): Promise<number> {
    this.knows = true
    const leader = this.leaders[at.partition]
    if (leader === undefined) throw new LogError('UNKNOWN_PARTITION', `there is no ${at.partition}`)
    return leader
  }
  forgetLeaders(): void {
    this.forgotten++
    this.knows = false
  }
  send<T>(nodeId: number, request: KafkaRequest<T>, lane = ''): Promise<T> {
    const writer = new ByteWriter(request.flexible)
    request.encode(writer)
    return new Promise((resolve, reject) => {
      this.asked.push({
        nodeId,
        lane,
        ...readRequest(writer.finish()),
        answer: (parts) => resolve(request.decode(new ByteReader(answerOf(parts), request.flexible))),
        fail: reject,
      })
      for (const wake of this.waiting.splice(0)) wake()
    })
  }
  /** The requests, when there are so many. */
  async requests(count: number): Promise<Asked[]> {
    while (this.asked.length < count) await new Promise<void>((resolve) => this.waiting.push(resolve))
    return this.asked
  }
}

function readRequest(bytes: Buffer) {
  const reader = new ByteReader(bytes, true)
  reader.int32()
  const maxWaitMs = reader.int32()
  reader.raw(4 + 4 + 1 + 4 + 4)
  const topics = reader.array(() => {
    const topic = reader.string()
    const partitions = reader.array(() => {
      const partition = reader.int32()
      const leader = reader.int32()
      const offset = reader.int64()
      const last = reader.int32()
      reader.raw(8 + 4)
      reader.endStructure()
      return { at: { topic, partition, offset }, epochs: [leader, last] as const }
    })
    reader.endStructure()
    return partitions
  })
  const all = topics.flat()
  return { maxWaitMs, partitions: all.map(({ at }) => at), epochs: all.map(({ epochs }) => epochs) }
}

function answerOf(parts: readonly Answered[]): Buffer {
  const writer = new ByteWriter(true)
  writer.int32(0)
  writer.int16(0)
  writer.int32(0)
  writer.array(parts.length > 0 ? ['t'] : [], (topic) => {
    writer.string(topic)
    writer.array(parts, ({ partition, errorCode = 0, records = null, stable = 10, divergesAt }) => {
      writer.int32(partition)
      writer.int16(errorCode)
      writer.int64(stable)
      writer.int64(errorCode === 0 ? stable : -1)
      writer.int64(errorCode === 0 ? 5 : -1)
      writer.nullArray()
      writer.int32(-1)
      writer.nullableBytes(records)
      if (divergesAt === undefined) writer.endStructure()
      else for (const byte of [1, 0, 13]) writer.int8(byte) // one tagged field, its number and its size
      if (divergesAt !== undefined) {
        writer.int32(2)
        writer.int64(divergesAt)
        writer.endStructure()
      }
    })
    writer.endStructure()
  })
  writer.endStructure()
  return Buffer.from(writer.finish())
}

const at = (partition: number, offset = 10) => ({ topic: 't', partition, offset })
const one = (offset: number) => batchAt(offset, [outgoing(`${offset}`)])
const open: Fetcher[] = []
function start(bounds = { start: 5, stable: 100 }): { cluster: Cluster; fetcher: Fetcher } {
  const cluster = new Cluster()
  const fetcher = new Fetcher(cluster, async (partitions) => partitions.map(() => bounds))
  open.push(fetcher)
  return { cluster, fetcher }
}
afterEach(async () => {
  for (const fetcher of open.splice(0)) await fetcher.close()
})

describe('several brokers', () => {
  test('default: each is asked once, for its partitions, and the answers come in the order asked', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(3), at(0), at(2)], AT_ONCE)
    const [second, first] = await cluster.requests(2)
    expect(second!.partitions).toEqual([at(3), at(2)])
    expect(first!.partitions).toEqual([at(0)])
    first!.answer([{ partition: 0, records: one(10) }])
    second!.answer([{ partition: 2 }, { partition: 3, records: one(10) }])
    const answers = await fetching
    expect(answers.map(({ partition, next }) => [partition, next])).toEqual([
      [3, 11],
      [0, 11],
      [2, 10],
    ])
    expect(answers[2]).toEqual({
      topic: 't',
      partition: 2,
      records: [],
      next: 10,
      stable: 10,
      end: 10,
      start: 5,
      outOfRange: false,
    })
  })

  test('behavior: news of one broker are not held back by another, whose answer the next call takes over', async () => {
    const { cluster, fetcher } = start()
    const first = fetcher.fetch([at(0), at(2)], WAIT)
    const [of1, of2] = await cluster.requests(2)
    of1!.answer([{ partition: 0, records: one(10) }])
    expect((await first).map(({ next }) => next)).toEqual([11, 10])
    const second = fetcher.fetch([at(0, 11), at(2)], WAIT)
    await cluster.requests(3)
    expect(cluster.asked[2]!.partitions).toEqual([at(0, 11)])
    expect(cluster.asked[2]!.lane).toBe(of1!.lane)
    of2!.answer([{ partition: 2, records: one(10) }])
    expect((await second).map(({ next }) => next)).toEqual([11, 11])
    expect(cluster.asked.length).toBe(3)
  })

  test('error: that a topic was made anew is told in each call, whatever news there is of others', async () => {
    const { cluster, fetcher } = start()
    const first = fetcher.fetch([at(0), { ...at(0), topic: 'u' }], WAIT)
    const [request] = await cluster.requests(1)
    request!.answer([{ partition: 0, records: one(10) }])
    expect((await first)[0]).toMatchObject({ next: 11 })
    cluster.anew = 'u'
    for (const options of [WAIT, AT_ONCE])
      await expect(fetcher.fetch([at(0, 11), { ...at(0), topic: 'u' }], options)).rejects.toMatchObject({
        code: 'TOPIC_RECREATED',
      })
    cluster.anew = undefined
  })

  test('behavior: an answer that comes after its call has ended is kept for the next one', async () => {
    const { cluster, fetcher } = start()
    const stop = new AbortController()
    const first = fetcher.fetch([at(0)], { ...WAIT, signal: stop.signal })
    const [request] = await cluster.requests(1)
    stop.abort()
    expect((await first)[0]).toMatchObject({ records: [], next: 10 })
    request!.answer([{ partition: 0, records: one(10) }])
    expect((await fetcher.fetch([at(0)], WAIT))[0]).toMatchObject({ next: 11 })
    expect(cluster.asked.length).toBe(1)
  })

  test('behavior: who does not wait is not kept waiting by who does, and has a connection of its own', async () => {
    const { cluster, fetcher } = start()
    const waiting = fetcher.fetch([at(0)], WAIT)
    const looking = fetcher.fetch([at(0)], AT_ONCE)
    const [long, short] = await cluster.requests(2)
    expect([long!.maxWaitMs, short!.maxWaitMs]).toEqual([WAIT.maxWaitMs, 0])
    expect(long!.lane).not.toBe(short!.lane)
    short!.answer([{ partition: 0, stable: 10 }])
    expect((await looking)[0]).toMatchObject({ records: [], stable: 10 })
    long!.answer([{ partition: 0, records: one(10) }])
    expect((await waiting)[0]).toMatchObject({ next: 11 })
  })

  test('behavior: two positions of one partition are both answered', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0, 10), at(0, 20)], AT_ONCE)
    await cluster.requests(2)
    for (const { partitions, answer } of cluster.asked) answer([{ partition: 0, records: one(partitions[0]!.offset) }])
    expect((await fetching).map(({ next }) => next)).toEqual([11, 21])
  })
})

describe('what passes', () => {
  test.each([
    ['a leader that moved', (request: Asked) => request.answer([{ partition: 0, errorCode: NOT_LEADER }])],
    ['a broker that cannot be reached', (request: Asked) => request.fail(unreachable('fetch', 'refused'))],
    ['a broker that does not answer', (request: Asked) => request.fail(unanswered('fetch', 'timeout'))],
  ])('behavior: %s is looked for again, and nothing is lost', async (_, break_) => {
    const { cluster, fetcher } = start()
    for (const options of [WAIT, AT_ONCE]) {
      const before = cluster.asked.length
      cluster.leaders[0] = 1
      const fetching = fetcher.fetch([at(0)], options)
      await cluster.requests(before + 1)
      cluster.leaders[0] = 2
      break_(cluster.asked[before]!)
      const again = (await cluster.requests(before + 2))[before + 1]!
      expect(again.nodeId).toBe(2)
      again.answer([{ partition: 0, records: one(10) }])
      expect((await fetching)[0]).toMatchObject({ next: 11 })
    }
    expect(cluster.forgotten).toBe(2)
  })

  test('behavior: a partition without a leader takes nothing from the others', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0), at(2)], WAIT)
    const [of1, of2] = await cluster.requests(2)
    of1!.answer([{ partition: 0, errorCode: NOT_LEADER }])
    of2!.answer([{ partition: 2, records: one(10) }])
    const seen = (await fetching).map(({ next, failure }) => [next, failure?.code])
    expect(seen).toEqual([
      [10, 'NOT_LEADER_OR_FOLLOWER'],
      [11, undefined],
    ])
  })

  test('error: when nothing can be read until the time is up, the failure is told, as one that passes', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0)], { ...WAIT, maxWaitMs: 120 })
    const refused = expect(fetching).rejects.toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER', retriable: true })
    let answered = 0
    const refuse = async (): Promise<void> => {
      while (open.length > 0) {
        await cluster.requests(answered + 1)
        cluster.asked[answered++]!.answer([{ partition: 0, errorCode: NOT_LEADER }])
      }
    }
    void refuse()
    await refused
    expect(cluster.asked.length).toBeLessThan(10)
  })

  test('behavior: a new leader that gives nothing where records were known is asked again', async () => {
    const { cluster, fetcher } = start()
    fetcher.note(at(0), { start: 5, stable: 20 })
    const fetching = fetcher.fetch([at(0)], AT_ONCE)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, stable: 10 }])
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, records: one(10) }])
    expect((await fetching)[0]).toMatchObject({ next: 11 })
  })

  test('error: one that goes on giving nothing below its own bounds is no end of the log', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0)], AT_ONCE)
    const refused = expect(fetching).rejects.toMatchObject({ code: 'OFFSET_NOT_AVAILABLE', retriable: true })
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, stable: 20 }])
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, stable: 20 }])
    await refused
  })

  test('behavior: a log that ends earlier than was known ends there, once the leader says so', async () => {
    const { cluster, fetcher } = start({ start: 5, stable: 10 })
    fetcher.note(at(0), { start: 5, stable: 20 })
    const fetching = fetcher.fetch([at(0)], AT_ONCE)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, stable: 10 }])
    expect((await fetching)[0]).toMatchObject({ records: [], next: 10, stable: 10, outOfRange: false })
  })

  test('behavior: an answer without the partition, as of a broker over its quota, is nothing new', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0)], AT_ONCE)
    ;(await cluster.requests(1))[0]!.answer([])
    expect((await fetching)[0]).toMatchObject({ records: [], next: 10, outOfRange: false })
  })
})

describe('what does not', () => {
  test('error: a refusal for good is told at once, whatever else waits', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0), at(2)], WAIT)
    ;(await cluster.requests(2))[0]!.answer([{ partition: 0, errorCode: UNAUTHORIZED }])
    await expect(fetching).rejects.toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED', retriable: false })
  })

  test('behavior: a damaged batch holds its partition, is told, and asked for again later; others go on', async () => {
    const { cluster, fetcher } = start()
    const damaged = one(10)
    damaged[damaged.length - 1]! ^= 1
    const fetching = fetcher.fetch([at(1)], AT_ONCE)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 1, records: Buffer.concat([damaged, one(11)]) }])
    const [held] = await fetching
    expect(held).toMatchObject({ records: [], next: 10, damaged: { next: 11 } })
    expect(held!.failure).toMatchObject({ code: 'CORRUPT', retriable: true })
    expect(held!.failure!.message).toMatch(/^t\/1, offset 10: the batch is damaged: its checksum is/)

    const both = fetcher.fetch([at(0), at(1)], WAIT)
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, records: one(10) }])
    expect((await both).map(({ next, damaged: at }) => [next, at])).toEqual([
      [11, undefined],
      [10, { next: 11 }],
    ])
    expect(cluster.asked[1]!.partitions).toHaveLength(1)
  })

  test('behavior: out of range comes with the bounds', async () => {
    const { cluster, fetcher } = start({ start: 50, stable: 90 })
    const fetching = fetcher.fetch([at(0)], WAIT)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, errorCode: OUT_OF_RANGE }])
    expect((await fetching)[0]).toMatchObject({ outOfRange: true, next: 10, start: 50, stable: 90, records: [] })
  })

  test('behavior: a position that is in range by now is asked for again', async () => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0)], WAIT)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, errorCode: OUT_OF_RANGE }])
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, records: one(10) }])
    expect((await fetching)[0]).toMatchObject({ outOfRange: false, next: 11 })
  })

  test('error: closing ends every call', async () => {
    const { cluster, fetcher } = start()
    const fetching = [fetcher.fetch([at(0)], WAIT), fetcher.fetch([at(2)], AT_ONCE)]
    await cluster.requests(2)
    await fetcher.close()
    for (const call of fetching) await expect(call).rejects.toMatchObject({ code: closedError().code })
    await expect(fetcher.fetch([at(0)], AT_ONCE)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('leader epochs', () => {
  const written = (offset: number, leaderEpoch: number) => batchAt(offset, [outgoing(`${offset}`)], { leaderEpoch })

  test('default: a leader is told which epoch we think it has, and in which one the last record was written', async () => {
    const { cluster, fetcher } = start()
    const first = fetcher.fetch([at(0)], WAIT)
    const [request] = await cluster.requests(1)
    expect(request!.epochs).toEqual([[3, -1]])
    request!.answer([{ partition: 0, records: Buffer.concat([written(10, 1), written(11, 2)]) }])
    await first
    cluster.epoch = 4
    void fetcher.fetch([at(0, 12)], WAIT).catch(() => {})
    expect((await cluster.requests(2))[1]!.epochs).toEqual([[4, 2]])
  })

  test.each([
    [74, 'FENCED_LEADER_EPOCH'],
    [75, 'UNKNOWN_LEADER_EPOCH'],
  ])('behavior: after the error %i (%s) the leader is looked for, and asked again', async (errorCode) => {
    const { cluster, fetcher } = start()
    const fetching = fetcher.fetch([at(0)], WAIT)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, errorCode }])
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, records: one(10) }])
    expect((await fetching)[0]).toMatchObject({ next: 11 })
    expect(cluster.forgotten).toBe(1)
  })

  test('error: a log that has lost what was read is not read on, whatever stands in its place', async () => {
    const { cluster, fetcher } = start()
    const reading = fetcher.fetch([at(0)], WAIT)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, records: written(10, 2) }])
    await reading
    const fetching = fetcher.fetch([at(0, 11)], WAIT)
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, stable: 90, divergesAt: 8 }])
    await expect(fetching).rejects.toMatchObject({
      code: 'TRUNCATED',
      retriable: false,
      message: expect.stringContaining(
        't/0: records before offset 11 were read here, and the cluster has lost those from 8 on',
      ),
    })
  })

  test('error: the same of a leader that has never heard of the epoch: it says out of range of any offset', async () => {
    const { cluster, fetcher } = start()
    const reading = fetcher.fetch([at(0)], WAIT)
    ;(await cluster.requests(1))[0]!.answer([{ partition: 0, records: written(10, 2) }])
    await reading
    const fetching = fetcher.fetch([at(0, 11)], WAIT)
    ;(await cluster.requests(2))[1]!.answer([{ partition: 0, errorCode: OUT_OF_RANGE }])
    await expect(fetching).rejects.toMatchObject({ code: 'TRUNCATED' })
  })
})
