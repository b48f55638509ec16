import { describe, expect, test } from 'vitest'
import {
  append,
  commit,
  createTopic,
  expectCommitted,
  fetchOne,
  fresh,
  type LogUnderTest,
  readAll,
  record,
  records,
  text,
  values,
} from './log-kit.ts'

/** Transactions: atomic, isolated, fenced. */
export function transactionTests(current: () => LogUnderTest): void {
  describe('transactions', () => {
    test('default: a burst is visible as a whole, with its first offset in each partition', async () => {
      const { log } = current()
      const topic = await createTopic(log, 3)
      await append(log, records(topic, 1, 'before'))
      const burst = [record(topic, 1, 'a'), record(topic, 2, 'b'), record(topic, 1, 'c')]
      expect(Object.fromEntries(await commit(log, fresh('writer'), burst))).toEqual({
        [`${topic}/1`]: 1,
        [`${topic}/2`]: 0,
      })
      expect(await values(log, topic, 0)).toEqual([])
      expect(await values(log, topic, 1)).toEqual(['before', 'a', 'c'])
      expect(await values(log, topic, 2)).toEqual(['b'])
    })

    test('behavior: a control record takes an offset, so positions jump over it', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      await commit(log, fresh('writer'), records(topic, 0, 'a', 'b'))
      await commit(log, fresh('writer'), records(topic, 0, 'c'))
      const found = await readAll(log, { topic, partition: 0 })
      expect(found.map(({ offset, value }) => [offset, text(value)])).toEqual([
        [0, 'a'],
        [1, 'b'],
        [3, 'c'],
      ])
      expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 0, stable: 5 }])
      const behind = await fetchOne(log, topic, 4)
      expect(behind).toMatchObject({ records: [], next: 5, outOfRange: false })
    })

    test('behavior: a burst of 100 MiB is visible as a whole', { timeout: 300_000 }, async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const value = Buffer.alloc(512 * 1024, 'x')
      const parts = Array.from({ length: 200 }, (_, i) => ({ ...record(topic, 0, null, `${i}`), value }))
      await commit(log, fresh('writer'), parts)
      const found = await readAll(log, { topic, partition: 0 })
      expect(found.map((one) => [text(one.key), one.value!.length])).toEqual(
        parts.map((_, i) => [`${i}`, value.length]),
      )
    })

    test('behavior: an empty burst commits', async () => {
      const writer = await current().log.transactionalWriter(fresh('writer'))
      expect(expectCommitted(await writer.commit({ records: [] })).size).toBe(0)
    })

    test('behavior: offsets become visible with the records, with their metadata, per group', async () => {
      const { log, other } = current()
      const topic = await createTopic(log, 2)
      const group = fresh('group')
      const partitions = [0, 1].map((partition) => ({ topic, partition }))
      expect(await log.committedOffsets(group, partitions)).toEqual([undefined, undefined])
      const writer = await log.transactionalWriter(fresh('writer'))
      const commits = [{ topic, partition: 1, next: 7, metadata: 'stream time 12 ✓' }]
      expectCommitted(await writer.commit({ records: records(topic, 0, 'a'), offsets: { group, commits } }))
      expect(await other.committedOffsets(group, partitions)).toEqual([
        undefined,
        { next: 7, metadata: 'stream time 12 ✓' },
      ])
      expect(await other.committedOffsets(fresh('group'), partitions)).toEqual([undefined, undefined])
      const later = [0, 1].map((partition) => ({ topic, partition, next: 9, metadata: '' }))
      expectCommitted(await writer.commit({ records: [], offsets: { group, commits: later } }))
      expect(await other.committedOffsets(group, partitions)).toEqual([
        { next: 9, metadata: '' },
        { next: 9, metadata: '' },
      ])
    })

    test('error: a burst that can never be written is refused, and leaves neither records nor offsets', async () => {
      const { log } = current()
      const topic = await createTopic(log)
      const group = fresh('group')
      const at = { topic, partition: 0 }
      const writer = await log.transactionalWriter(fresh('writer'))
      const offsets = { group, commits: [{ ...at, next: 1, metadata: 'x'.repeat(4_097) }] }
      expect(await writer.commit({ records: records(topic, 0, 'a'), offsets })).toMatchObject({ outcome: 'aborted' })
      const commits = [{ ...at, next: 1, metadata: '' }]
      const halfWrong = [...records(topic, 0, 'b'), ...records('no-such-topic', 0, 'b')]
      expect(await writer.commit({ records: halfWrong, offsets: { group, commits } })).toMatchObject({
        outcome: 'aborted',
      })
      expect(await values(log, topic)).toEqual([])
      expect(await log.committedOffsets(group, [at])).toEqual([undefined])
      expectCommitted(await writer.commit({ records: records(topic, 0, 'c') }))
      expect(await values(log, topic)).toEqual(['c'])
    })

    test('behavior: bursts of several writers that overlap stay whole and are seen in one order', async () => {
      const { log, other } = current()
      const topic = await createTopic(log, 2)
      const writers = await Promise.all([1, 2, 3, 4].map(() => log.transactionalWriter(fresh('writer'))))
      await Promise.all(
        writers.map(async (writer, who) => {
          for (let at = 0; at < 20; at++) {
            const value = `${who}.${at}`
            const burst = [0, 1, 0, 1].map((partition) => record(topic, partition, value))
            expectCommitted(await writer.commit({ records: burst }))
          }
        }),
      )
      const [left, right] = await Promise.all([values(other, topic, 0), values(other, topic, 1)])
      expect(left.length).toBe(160)
      for (const seen of [left, right]) {
        expect(seen.every((value, at) => at % 2 === 0 || value === seen[at - 1])).toBe(true)
        for (const who of [0, 1, 2, 3]) {
          const own = seen.filter((value, at) => at % 2 === 0 && value!.startsWith(`${who}.`))
          expect(own).toEqual(Array.from({ length: 20 }, (_, at) => `${who}.${at}`))
        }
      }
    })
  })

  describe('fencing', () => {
    test('behavior: a newer writer with the same id fences the older one for good', async () => {
      const { log, other } = current()
      const topic = await createTopic(log)
      const id = fresh('writer')
      const old = await log.transactionalWriter(id)
      expectCommitted(await old.commit({ records: records(topic, 0, 'a') }))
      const young = await other.transactionalWriter(id)
      expect(await old.commit({ records: records(topic, 0, 'zombie') })).toMatchObject({ outcome: 'fenced' })
      expectCommitted(await young.commit({ records: records(topic, 0, 'b') }))
      expect(await old.commit({ records: records(topic, 0, 'zombie') })).toMatchObject({ outcome: 'fenced' })
      expect(await values(log, topic)).toEqual(['a', 'b'])
    })

    test('behavior: another id is not fenced', async () => {
      const { log, other } = current()
      const topic = await createTopic(log)
      const writer = await log.transactionalWriter(fresh('writer'))
      await other.transactionalWriter(fresh('writer'))
      expectCommitted(await writer.commit({ records: records(topic, 0, 'a') }))
    })

    test('behavior: a commit on its way is settled before the newer writer is open', async () => {
      const { log, other } = current()
      const topic = await createTopic(log)
      const group = fresh('group')
      const at = { topic, partition: 0 }
      for (let round = 0; round < 20; round++) {
        const id = fresh('writer')
        const old = await log.transactionalWriter(id)
        const commits = [{ ...at, next: round, metadata: '' }]
        const onItsWay = old.commit({ records: records(topic, 0, `${round}`), offsets: { group, commits } })
        await other.transactionalWriter(id)
        const seen = await values(other, topic)
        const [offset] = await other.committedOffsets(group, [at])
        const { outcome } = await onItsWay
        expect(offset?.next === round).toBe(seen.includes(`${round}`))
        if (outcome !== 'unknown') expect(seen.includes(`${round}`)).toBe(outcome === 'committed')
        expect(await values(other, topic)).toEqual(seen)
      }
    })
  })
}
