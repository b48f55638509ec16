import { describe, expect, test } from 'vitest'
import {
  append,
  bytes,
  createTopic,
  fetchOne,
  fresh,
  type LogUnderTest,
  readAll,
  record,
  records,
  text,
} from './log-kit.ts'

const MANY = 100_000

/** Topics, appends and fetches. */
export function recordTests(current: () => LogUnderTest): void {
  describe('topics', () => {
    test('default: a topic has the partitions it was created with, and creating it again changes nothing', async () => {
      const { log } = current()
      const topic = await createTopic(log, 3)
      await append(log, records(topic, 2, 'a'))
      await log.createTopics([{ name: topic, partitions: 3, cleanup: 'delete' }])
      expect(await log.partitionCount(topic)).toBe(3)
      expect(await log.bounds([{ topic, partition: 2 }])).toEqual([{ start: 0, stable: 1 }])
      expect(await log.ends([2, 0].map((partition) => ({ topic, partition })))).toEqual([1, 0])
    })

    test('error: another partition count is refused and creates nothing', async () => {
      const { log } = current()
      const topic = await createTopic(log, 3)
      const news = fresh('topic')
      const wanted = [news, topic].map((name) => ({ name, partitions: 4, cleanup: 'delete' as const }))
      await expect(log.createTopics(wanted)).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' })
      await expect(log.partitionCount(news)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
    })

    test('error: a topic or partition that does not exist is refused everywhere', async () => {
      const { log } = current()
      const topic = await createTopic(log, 1)
      await expect(append(log, records('no-such-topic', 0, 'a'))).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
      await expect(append(log, records(topic, 1, 'a'))).rejects.toMatchObject({ code: 'UNKNOWN_PARTITION' })
      await expect(fetchOne(log, topic, 0, 1)).rejects.toMatchObject({ code: 'UNKNOWN_PARTITION' })
      const writer = await log.transactionalWriter(fresh('writer'))
      expect(await writer.commit({ records: records(topic, 1, 'a') })).toMatchObject({ outcome: 'aborted' })
      expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 0, stable: 0 }])
    })
  })

  describe('append and fetch', () => {
    test('default: offsets are dense per partition and come back in input order', async () => {
      const { log } = current()
      const topic = await createTopic(log, 2)
      const mixed = [0, 1, 0, 0, 1].map((partition, at) => record(topic, partition, `${at}`))
      expect(await append(log, mixed)).toEqual([0, 0, 1, 2, 1])
      expect(await append(log, records(topic, 1, 'x'))).toEqual([2])
      const [first, second] = await log.fetch(
        [1, 0].map((partition) => ({ topic, partition, offset: 0 })),
        { maxWaitMs: 0, maxBytesPerPartition: 1 << 20 },
      )
      expect(first).toMatchObject({ partition: 1, next: 3, stable: 3, start: 0, outOfRange: false })
      expect(first!.records.map(({ value }) => text(value))).toEqual(['1', '4', 'x'])
      expect(second!.records.map(({ value, offset }) => [offset, text(value)])).toEqual([
        [0, '0'],
        [1, '2'],
        [2, '3'],
      ])
    })

    test('behavior: appends of one appender that overlap keep their order', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const appender = await log.appender()
      const appends = Array.from({ length: 50 }, (_, at) => appender.append(records(topic, 0, `${at}`)))
      expect((await Promise.all(appends)).flat()).toEqual(Array.from({ length: 50 }, (_, at) => at))
      const found = await readAll(log, { topic, partition: 0 })
      expect(found.map(({ value }) => Number(text(value)))).toEqual(Array.from({ length: 50 }, (_, at) => at))
    })

    test('behavior: null, empty and binary keys, values and headers come back as they were', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const every = Uint8Array.from({ length: 256 }, (_, at) => at)
      const headers = [
        { key: 'trace', value: every },
        { key: 'trace', value: new Uint8Array(0) },
        { key: 'ключ', value: every },
      ]
      const sent = [
        { topic, partition: 0, timestamp: 1_704_067_200_123, key: every, value: every, headers },
        { topic, partition: 0, timestamp: 1_704_067_200_001, key: new Uint8Array(0), value: new Uint8Array(0) },
        { topic, partition: 0, timestamp: 1_704_067_200_002, key: null, value: null },
      ]
      await append(log, sent)
      const found = (await readAll(current().other, { topic, partition: 0 })).map((got) => ({
        ...got,
        key: got.key && Array.from(got.key),
        value: got.value && Array.from(got.value),
        headers: got.headers.map(({ key, value }) => ({ key, value: Array.from(value) })),
      }))
      const all = Array.from(every)
      expect(found).toEqual([
        {
          offset: 0,
          timestamp: 1_704_067_200_123,
          key: all,
          value: all,
          headers: [
            { key: 'trace', value: all },
            { key: 'trace', value: [] },
            { key: 'ключ', value: all },
          ],
        },
        { offset: 1, timestamp: 1_704_067_200_001, key: [], value: [], headers: [] },
        { offset: 2, timestamp: 1_704_067_200_002, key: null, value: null, headers: [] },
      ])
    })

    test('behavior: maxBytes bounds an answer, yet a single larger record is returned', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const large = 'x'.repeat(300_000)
      for (const value of [large, large, 'small']) await append(log, records(topic, 0, value))
      const position = { topic, partition: 0, offset: 0 }
      const [fetched] = await log.fetch([position], { maxWaitMs: 0, maxBytesPerPartition: 1_000 })
      expect(fetched!.records.map(({ offset }) => offset)).toEqual([0])
      expect(fetched!.next).toBe(1)
      expect((await readAll(log, { topic, partition: 0 })).map(({ value }) => value!.length)).toEqual([
        300_000, 300_000, 5,
      ])
    })

    test('behavior: a position below the start or above the end is out of range, the end itself is not', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      await append(log, records(topic, 0, 'a', 'b', 'c'))
      await log.deleteRecords([{ topic, partition: 0, offset: 2 }])
      expect(await fetchOne(log, topic, 0)).toMatchObject({ outOfRange: true, records: [], next: 0, start: 2 })
      expect(await fetchOne(log, topic, 4)).toMatchObject({ outOfRange: true, records: [], next: 4, stable: 3 })
      expect(await fetchOne(log, topic, 3)).toMatchObject({ outOfRange: false, records: [], next: 3 })
      expect((await fetchOne(log, topic, 2)).records.map(({ value }) => text(value))).toEqual(['c'])
    })

    test('behavior: a fetch waits for a first record and is woken by it', async () => {
      const { log, other } = current()
      const topic = await createTopic(log, 2)
      const positions = [0, 1].map((partition) => ({ topic, partition, offset: 0 }))
      const waiting = log.fetch(positions, { maxWaitMs: 30_000, maxBytesPerPartition: 1_000 })
      await append(other, records(topic, 1, 'a'))
      const [idle, woken] = await waiting
      expect(idle!.records).toEqual([])
      expect(woken!.records.map(({ value }) => text(value))).toEqual(['a'])
    })

    test('behavior: a fetch that finds nothing answers when its time is up', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const position = { topic, partition: 0, offset: 0 }
      const [fetched] = await log.fetch([position], { maxWaitMs: 20, maxBytesPerPartition: 1_000 })
      expect(fetched).toMatchObject({ records: [], next: 0, stable: 0 })
    })

    test('behavior: an aborted signal ends the wait with what is there', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const stop = new AbortController()
      const options = { maxWaitMs: 30_000, maxBytesPerPartition: 1_000, signal: stop.signal }
      const waiting = log.fetch([{ topic, partition: 0, offset: 0 }], options)
      stop.abort()
      expect((await waiting)[0]).toMatchObject({ records: [], next: 0 })
      expect((await log.fetch([{ topic, partition: 0, offset: 0 }], options))[0]).toMatchObject({
        records: [],
        next: 0,
      })
    })

    test('behavior: deleteRecords moves the start, never back and never beyond the end', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      await append(log, records(topic, 0, 'a', 'b', 'c', 'd'))
      const deletedTo = async (offset: number) => {
        await log.deleteRecords([{ topic, partition: 0, offset }])
        return (await log.bounds([{ topic, partition: 0 }]))[0]
      }
      expect(await deletedTo(3)).toEqual({ start: 3, stable: 4 })
      expect(await deletedTo(1)).toEqual({ start: 3, stable: 4 })
      expect((await readAll(log, { topic, partition: 0 })).map(({ value }) => text(value))).toEqual(['d'])
      expect(await append(log, records(topic, 0, 'e'))).toEqual([4])
    })

    test(`behavior: ${MANY} records come back whole and in order`, async () => {
      const { log, other } = current()
      const topic = await createTopic(log)
      const appender = await log.appender()
      for (let from = 0; from < MANY; from += 5_000) {
        const chunk = Array.from({ length: 5_000 }, (_, at) =>
          record(topic, 0, `value ${from + at}`, `key ${from + at}`),
        )
        await appender.append(chunk)
      }
      const found = await readAll(other, { topic, partition: 0 })
      expect(found.length).toBe(MANY)
      expect(found.findIndex(({ offset, value }, at) => offset !== at || text(value) !== `value ${at}`)).toBe(-1)
    })

    test('error: after close every call is refused, and a waiting fetch too', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const appender = await log.appender()
      const writer = await log.transactionalWriter(fresh('writer'))
      const waiting = log.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 30_000, maxBytesPerPartition: 1 })
      const refused = expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
      await log.close()
      await refused
      await expect(appender.append(records(topic, 0, 'a'))).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(log.appender()).rejects.toMatchObject({ code: 'CLOSED' })
      expect(await writer.commit({ records: [{ ...record(topic, 0, 'a'), key: bytes('k') }] })).toMatchObject({
        outcome: 'aborted',
      })
    })
  })
}
