import { expect, test, vi } from 'vitest'
import { AppendQueue } from '../../../connectors/libp2p/append-queue.ts'
import { INTAKE_LIMITS } from '../../../connectors/libp2p/limits.ts'
import { type Clock, LogError, type OutgoingRecord } from '../../../streams/ports.ts'

const record: OutgoingRecord = { topic: 'submissions', partition: 0, timestamp: 0, key: null, value: null }

test('behavior: the wait for the log counts from the first record of a group, refusals and those before it included', async () => {
  let now = 0
  const clock: Clock = {
    now: () => now,
    async sleep(ms) {
      now += ms
    },
  }
  let refusals = 2
  const appender = {
    async append(records: readonly OutgoingRecord[]) {
      now += 100
      if (refusals-- > 0) throw new LogError('DISK_FULL', 'no space', { retriable: true })
      return records.map(() => 0)
    },
    close: async () => {},
  }
  const waits: number[] = []
  const options = { log: { appender: async () => appender }, clock, limits: { ...INTAKE_LIMITS, appendRecordsMax: 2 } }
  const appended = (_records: number, _bytes: number, waitedMs: number) => void waits.push(waitedMs)
  const queue = new AppendQueue({ ...options, released: () => {}, appended }, appender)
  for (let n = 0; n < 4; n++) queue.add(record, 1, undefined)
  await vi.waitFor(() => expect(waits).toHaveLength(2))
  // three attempts of 100 ms with pauses of 50 and 100 between; then the second group, which waited as long
  expect(waits).toEqual([450, 550])
  expect(await queue.drain(10_000)).toBe(0)
})
