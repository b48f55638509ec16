import { describe, expect, test } from 'vitest'
import {
  append,
  commit,
  createTopic,
  expectCommitted,
  fresh,
  type LogUnderTest,
  readAll,
  record,
  records,
  text,
  values,
} from './log-kit.ts'

const HOUR_MS = 3_600_000

/** What a log drops by itself. */
export function maintenanceTests(current: () => LogUnderTest): void {
  describe('maintenance', () => {
    test('behavior: a delete topic drops what is too old, from its start on', async () => {
      const { log, now, maintain } = current()
      const topic = await createTopic(log, 1, { retentionMs: HOUR_MS })
      const kept = await createTopic(log, 1)
      const old = now() - 2 * HOUR_MS
      for (const name of [topic, kept]) {
        await append(log, [{ ...record(name, 0, 'old'), timestamp: old }])
        await append(log, [{ ...record(name, 0, 'older'), timestamp: old - 1 }])
        await append(log, [{ ...record(name, 0, 'young'), timestamp: now() + HOUR_MS }])
        await append(log, [{ ...record(name, 0, 'old behind young'), timestamp: old }])
      }
      await maintain(60_000)
      expect(await values(log, topic)).toEqual(['young', 'old behind young'])
      expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 2, stable: 4 }])
      expect(await values(log, kept)).toEqual(['old', 'older', 'young', 'old behind young'])
      await maintain(4 * HOUR_MS)
      expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 4, stable: 4 }])
      expect(await append(log, records(topic, 0, 'new'))).toEqual([4])
    })

    test('behavior: a compacted topic keeps the newest of each key, at its offset, and what has no key', async () => {
      const { log, now, maintain } = current()
      const topic = await createTopic(log, 1, { cleanup: 'compact' })
      const written = Array.from({ length: 6_000 }, (_, at) => record(topic, 0, `${at}`, `key ${at % 10}`))
      await append(log, [...records(topic, 0, 'no key'), ...written])
      await append(log, [{ ...record(topic, 0, null, 'key 3'), timestamp: now() }])
      await maintain(60_000)
      const found = await readAll(log, { topic, partition: 0 })
      const newest = new Map(found.map(({ key, value }) => [text(key), text(value)]))
      expect(found.length).toBeLessThan(1_000)
      expect(newest.get(null)).toBe('no key')
      expect(newest.get('key 3')).toBe(null)
      expect(newest.get('key 9')).toBe('5999')
      expect(newest.size).toBe(11)
      for (const { offset, value } of found) {
        if (text(value) !== 'no key' && value !== null) expect(offset).toBe(Number(text(value)) + 1)
      }
      expect(await log.bounds([{ topic, partition: 0 }])).toEqual([{ start: 0, stable: 6_002 }])
      expect(await append(log, [record(topic, 0, 'again', 'key 3')])).toEqual([6_002])
    })
  })
}

/** What a log keeps. */
export function reopenTests(current: () => LogUnderTest): void {
  describe('keeping', () => {
    test('behavior: what was acknowledged is there after the log was opened again', async () => {
      const subject = current()
      const { log } = subject
      const topic = await createTopic(log, 2)
      const group = fresh('group')
      await append(log, records(topic, 0, 'a', 'b', 'c'))
      await commit(log, fresh('writer'), [record(topic, 0, 'd'), record(topic, 1, 'e')])
      const writer = await log.transactionalWriter(fresh('writer'))
      const commits = [{ topic, partition: 0, next: 5, metadata: 'm' }]
      expectCommitted(await writer.commit({ records: [], offsets: { group, commits } }))
      await log.deleteRecords([{ topic, partition: 0, offset: 1 }])
      const again = await subject.reopen()
      expect(await values(again, topic, 0)).toEqual(['b', 'c', 'd'])
      expect(await values(again, topic, 1)).toEqual(['e'])
      expect(await again.bounds([0, 1].map((partition) => ({ topic, partition })))).toEqual([
        { start: 1, stable: 5 },
        { start: 0, stable: 2 },
      ])
      expect(await again.committedOffsets(group, [{ topic, partition: 0 }])).toEqual([{ next: 5, metadata: 'm' }])
      await again.createTopics([{ name: topic, partitions: 2, cleanup: 'delete' }])
      expect(await append(again, records(topic, 0, 'f'))).toEqual([5])
      expect(await values(again, topic, 0)).toEqual(['b', 'c', 'd', 'f'])
    })
  })
}
