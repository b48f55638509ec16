import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaCluster } from '../../../../connectors/log/kafka/cluster.ts'
import { fetchRequest } from '../../../../connectors/log/kafka/fetch-request.ts'
import { Fetcher } from '../../../../connectors/log/kafka/fetcher.ts'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import type { EpochStart } from '../../../../connectors/log/kafka/leader-epochs.ts'
import { bounds } from '../../../../connectors/log/kafka/offsets.ts'
import { readCommitted } from '../../../../connectors/log/kafka/read-committed.ts'
import { offsetFetch } from '../../../../connectors/log/kafka/requests/offset-fetch.ts'
import { TransactionWriter } from '../../../../connectors/log/kafka/transaction-writer.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import type { FetchedPartition } from '../../../../streams/ports.ts'
import { text } from '../../../contract/log-kit.ts'
import { sharedKafka, uniqueName } from '../../../real/kafka.ts'
import { outgoing } from './batch-kit.ts'

const { bootstrap } = sharedKafka()
const kafkajs = new Kafka({ brokers: [...bootstrap], clientId: 'writer', logLevel: logLevel.NOTHING })
/** The newest version that names topics. */
const BY_NAME = 12
const MANY_BYTES = 4 * 1024 * 1024

let admin: Admin
let cluster: KafkaCluster
let fetcher: Fetcher

beforeAll(async () => {
  admin = kafkajs.admin()
  await admin.connect()
  cluster = new KafkaCluster({ brokers: bootstrap, clientId: 'reader', clock: systemClock })
  await cluster.connect()
  fetcher = new Fetcher(cluster, (partitions) => bounds(cluster, partitions))
})
afterAll(async () => {
  await fetcher.close()
  await cluster.close()
  await admin.disconnect()
})

async function createTopic(config: Readonly<Record<string, string>> = {}, numPartitions = 1): Promise<string> {
  const topic = uniqueName('fetched')
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] })
  return topic
}

async function withProducers(count: number, work: (producers: readonly Producer[]) => Promise<void>): Promise<void> {
  const producers = Array.from({ length: count }, () =>
    kafkajs.producer({ transactionalId: uniqueName('writer'), maxInFlightRequests: 1, idempotent: true }),
  )
  await Promise.all(producers.map((producer) => producer.connect()))
  await work(producers)
  await Promise.all(producers.map((producer) => producer.disconnect()))
}

const fetchOne = async (topic: string, offset: number, maxBytesPerPartition = MANY_BYTES, maxWaitMs = 0) => {
  const [fetched] = await fetcher.fetch([{ topic, partition: 0, offset }], { maxWaitMs, maxBytesPerPartition })
  return fetched as FetchedPartition
}

async function readFrom(topic: string, from: number, maxBytesPerPartition = MANY_BYTES) {
  const [end] = await bounds(cluster, [{ topic, partition: 0 }])
  const records = []
  for (let offset = from; offset < end!.stable; ) {
    const fetched = await fetchOne(topic, offset, maxBytesPerPartition)
    expect(fetched.next).toBeGreaterThan(offset)
    records.push(...fetched.records)
    offset = fetched.next
  }
  return records
}

describe('transactions of two producers that interleave and abort', () => {
  const ROUNDS = 60

  test('behavior: exactly the committed records are read, from every offset and in answers of any size', async () => {
    const topic = await createTopic()
    const committed: { offset: number; value: string }[] = []
    await withProducers(2, async ([first, second]) => {
      for (let round = 0; round < ROUNDS; round++) {
        const transactions = [await first!.transaction(), await second!.transaction()]
        const sent: { offset: number; value: string }[][] = [[], []]
        // Batches of the two in turns, some with a key that looks like a marker's.
        for (let step = 0; step < 4; step++) {
          const which = (step + round) % 2
          const messages = Array.from({ length: 1 + (round % 3) }, (_, at) => ({
            value: `${round} ${which} ${step} ${at}`,
            key: at % 2 === 0 ? Buffer.alloc(4) : 'key',
            partition: 0,
          }))
          const [metadata] = await transactions[which]!.send({ topic, messages })
          for (const [at, { value }] of messages.entries())
            sent[which]!.push({ offset: Number(metadata!.baseOffset) + at, value })
        }
        for (const [which, transaction] of transactions.entries()) {
          if ((round + which) % 3 === 0) await transaction.abort()
          else {
            await transaction.commit()
            committed.push(...sent[which]!)
          }
        }
      }
    })
    committed.sort((a, b) => a.offset - b.offset)
    const [end] = await bounds(cluster, [{ topic, partition: 0 }])
    for (let from = 0; from <= end!.stable; from++) {
      const sizes = from % 17 === 0 ? [MANY_BYTES, 1, 700, 2_000] : [MANY_BYTES]
      for (const size of sizes) {
        const read = (await readFrom(topic, from, size)).map(({ offset, value }) => ({ offset, value: text(value) }))
        expect(read, `from ${from}, ${size} bytes`).toEqual(committed.filter(({ offset }) => offset >= from))
      }
    }
  })

  test('behavior: nothing of an open transaction is read, and a waiting fetch is woken by its commit', async () => {
    const topic = await createTopic()
    await withProducers(1, async ([producer]) => {
      const transaction = await producer!.transaction()
      await transaction.send({ topic, messages: [{ value: 'a', partition: 0 }] })
      expect(await fetchOne(topic, 0)).toMatchObject({ records: [], next: 0, stable: 0 })
      const waiting = fetchOne(topic, 0, MANY_BYTES, 30_000)
      await transaction.commit()
      const { records, next, stable } = await waiting
      expect(records.map(({ value }) => text(value))).toEqual(['a'])
      expect({ next, stable }).toEqual({ next: 2, stable: 2 })
      expect(await fetchOne(topic, 1)).toMatchObject({ records: [], next: 2 })
    })
  })
})

describe('positions', () => {
  test('behavior: below the start and above the end is out of range, with the bounds; the end is not', async () => {
    const topic = await createTopic()
    const producer = kafkajs.producer()
    await producer.connect()
    await producer.send({ topic, messages: ['a', 'b', 'c'].map((value) => ({ value, partition: 0 })) })
    await producer.disconnect()
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    const gone = { outOfRange: true, records: [], start: 2, stable: 3 }
    expect(await fetchOne(topic, 0)).toMatchObject({ ...gone, next: 0 })
    expect(await fetchOne(topic, 4, MANY_BYTES, 5_000)).toMatchObject({ ...gone, next: 4 })
    expect(await fetchOne(topic, 3)).toMatchObject({ outOfRange: false, records: [], next: 3 })
    expect((await fetchOne(topic, 2)).records.map(({ value }) => text(value))).toEqual(['c'])
  })

  test('behavior: one partition out of range takes nothing from the others', async () => {
    const topic = await createTopic({}, 2)
    const producer = kafkajs.producer()
    await producer.connect()
    await producer.send({ topic, messages: [{ value: 'a', partition: 1 }] })
    await producer.disconnect()
    const positions = [
      { topic, partition: 0, offset: 99 },
      { topic, partition: 1, offset: 0 },
    ]
    const fetched = await fetcher.fetch(positions, { maxWaitMs: 0, maxBytesPerPartition: MANY_BYTES })
    expect(fetched.map(({ outOfRange, records }) => [outOfRange, records.length])).toEqual([
      [true, 0],
      [false, 1],
    ])
  })

  test('error: a topic or a partition that does not exist is named', async () => {
    const topic = await createTopic()
    const options = { maxWaitMs: 0, maxBytesPerPartition: 1 }
    const missing = fetcher.fetch([{ topic: 'no-such-topic', partition: 0, offset: 0 }], options)
    await expect(missing).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
    const beyond = fetcher.fetch([{ topic, partition: 7, offset: 0 }], options)
    await expect(beyond).rejects.toMatchObject({ code: 'UNKNOWN_PARTITION' })
  })
})

describe('sizes', () => {
  test('behavior: batches beyond the limit are all read, one partition as soon as the other', async () => {
    const topic = await createTopic({}, 3)
    const producer = kafkajs.producer()
    await producer.connect()
    const large = 'x'.repeat(200_000)
    for (let round = 0; round < 8; round++) {
      const messages = [0, 1, 2].map((partition) => ({ partition, value: `${round} ${large}` }))
      await producer.send({ topic, messages })
    }
    await producer.disconnect()
    const positions = [0, 0, 0]
    let calls = 0
    while (positions.some((offset) => offset < 8)) {
      calls++
      const asked = positions.map((offset, partition) => ({ topic, partition, offset }))
      const fetched = await fetcher.fetch(asked, { maxWaitMs: 1_000, maxBytesPerPartition: 1_000 })
      for (const { partition, next } of fetched) positions[partition] = next
      expect(Math.max(...positions) - Math.min(...positions)).toBeLessThanOrEqual(2)
    }
    expect(calls).toBeLessThanOrEqual(24)
  })
})

describe('several callers', () => {
  test('behavior: an aborted call answers at once, and the next one takes over what it had asked', async () => {
    const topic = await createTopic()
    const stop = new AbortController()
    const position = { topic, partition: 0, offset: 0 }
    const options = { maxWaitMs: 30_000, maxBytesPerPartition: MANY_BYTES }
    const first = fetcher.fetch([position], { ...options, signal: stop.signal })
    stop.abort()
    expect((await first)[0]).toMatchObject({ records: [], next: 0 })
    const next = fetcher.fetch([position], options)
    const producer = kafkajs.producer()
    await producer.connect()
    await producer.send({ topic, messages: [{ value: 'a', partition: 0 }] })
    await producer.disconnect()
    expect((await next)[0]!.records.length).toBe(1)
  })

  test('behavior: calls that wait do not delay one another', async () => {
    const topics = await Promise.all([createTopic(), createTopic(), createTopic()])
    const options = { maxWaitMs: 20_000, maxBytesPerPartition: MANY_BYTES }
    const idle = new AbortController()
    const waiting = topics.map((topic, at) =>
      fetcher.fetch([{ topic, partition: 0, offset: 0 }], at === 2 ? options : { ...options, signal: idle.signal }),
    )
    expect(await fetchOne(topics[0]!, 0)).toMatchObject({ records: [] })
    const producer = kafkajs.producer()
    await producer.connect()
    await producer.send({ topic: topics[2]!, messages: [{ value: 'a', partition: 0 }] })
    await producer.disconnect()
    expect((await waiting[2]!)[0]!.records.length).toBe(1)
    idle.abort()
    await Promise.all(waiting)
  })
})

describe('compaction', () => {
  test('behavior: a compacted topic is read to its end from every offset, over every hole', async () => {
    const topic = await createTopic({
      'cleanup.policy': 'compact',
      'segment.bytes': '1048576',
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.01',
      'delete.retention.ms': '100',
      'max.compaction.lag.ms': '100',
    })
    await withProducers(1, async ([producer]) => {
      const write = async (key: string, value: string | null) => {
        const transaction = await producer!.transaction()
        await transaction.send({ topic, messages: [{ key, value, partition: 0 }] })
        if (value === 'aborted') await transaction.abort()
        else await transaction.commit()
      }
      for (let round = 0; round < 40; round++) await write(`${round % 3}`, round % 7 === 6 ? 'aborted' : `${round}`)
      // Only closed segments are compacted, and a segment is closed by a later write.
      let last = 0
      await expect
        .poll(
          async () => {
            await write('tail', `${last++}`)
            return (await readFrom(topic, 0)).filter(({ key }) => text(key) !== 'tail').length
          },
          { timeout: 120_000, interval: 1_000 },
        )
        .toBeLessThan(10) // of 35 that were committed
    })
    const all = await readFrom(topic, 0)
    const newest = new Map(all.map(({ key, value }) => [text(key), text(value)]))
    expect([newest.get('0'), newest.get('1'), newest.get('2')]).toEqual(['39', '37', '38'])
    for (let from = 0; from <= all.at(-1)!.offset; from++) {
      const read = await readFrom(topic, from)
      expect(read.map(({ offset }) => offset)).toEqual(all.map(({ offset }) => offset).filter((at) => at >= from))
    }
  })
})

describe('leader epochs', () => {
  /** What the leader answers when it is told these epochs. */
  async function ask(topic: string, offset: number, epochs: { leaderEpoch?: number; lastEpoch?: number }) {
    const from = [{ topic, partition: 0, offset, ...epochs }]
    const request = fetchRequest(BY_NAME, from, { maxWaitMs: 0, maxBytesPerPartition: MANY_BYTES })
    return (await cluster.send(await cluster.leaderOf(from[0]!), request)).partitions[0]!
  }

  test('default: a broker says where its log differs, and when another leader is meant', async () => {
    const topic = await createTopic()
    const producer = kafkajs.producer()
    await producer.connect()
    await producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] })
    await producer.disconnect()
    const { leaderEpochs } = readCommitted((await ask(topic, 0, {})).records, [], 0)
    const [{ leaderEpoch: written }] = leaderEpochs as [EpochStart]
    const known = cluster.leaderEpoch({ topic, partition: 0 })
    expect(await ask(topic, 2, { leaderEpoch: known, lastEpoch: written })).toMatchObject({ errorCode: 0 })
    expect((await ask(topic, 2, { lastEpoch: written })).divergence).toBe(undefined)
    expect(await ask(topic, 9, { lastEpoch: written })).toMatchObject({
      divergence: { leaderEpoch: written, endOffset: 2 },
    })
    expect(await ask(topic, 1, { lastEpoch: written + 7 })).toMatchObject({ errorCode: 1 })
    expect(await ask(topic, 1, { leaderEpoch: known + 7 })).toMatchObject({ errorCode: 75 })
  })

  test('error: a position whose record the cluster has lost is found out also after a restart', async () => {
    const topic = await createTopic()
    const group = uniqueName('group')
    const at = { topic, partition: 0 }
    const limits = { maxWaitMs: 5_000, maxBytesPerPartition: MANY_BYTES }
    const burst = { records: [], offsets: { group, commits: [{ ...at, next: 1, metadata: '' }] } }
    const log = await openKafkaLog({ brokers: bootstrap, clientId: 'reader', clock: systemClock })
    const writer = await log.transactionalWriter(uniqueName('writer'))
    await writer.commit({ records: [outgoing('a', { topic })] })
    await log.fetch([{ ...at, offset: 0 }], limits)
    expect(await writer.commit(burst)).toMatchObject({ outcome: 'committed' })
    const coordinator = await cluster.coordinatorOf('group', group)
    const committed = () => cluster.send(coordinator, offsetFetch(group, [at]))
    await expect.poll(committed).toMatchObject([{ offset: 1, leaderEpoch: 0 }])

    // One that has read what an election then took away, as its leader epoch says.
    const options = { transactionalId: uniqueName('writer'), version: 2, isCurrent: () => false } as const
    const other = await TransactionWriter.open(cluster, { ...options, epochBefore: () => 99 })
    expect(await other.commit(burst)).toMatchObject({ outcome: 'committed' })
    await expect.poll(committed).toMatchObject([{ offset: 1, leaderEpoch: 99 }])
    const younger = await openKafkaLog({ brokers: bootstrap, clientId: 'reader', clock: systemClock })
    expect(await younger.committedOffsets(group, [at])).toMatchObject([{ next: 1 }])
    await expect(younger.fetch([{ ...at, offset: 1 }], limits)).rejects.toMatchObject({ code: 'TRUNCATED' })
    await Promise.all([log.close(), younger.close()])
  })
})
