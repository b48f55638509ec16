import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import type { Log } from '../../../../streams/ports.ts'
import {
  append,
  createTopic,
  expectCommitted,
  fresh,
  readAll,
  record,
  records,
  text,
  values,
} from '../../../contract/log-kit.ts'
import { PatientClock } from '../patient-clock.ts'

const ROUND_MS = 1_000

let directory: string
let logs: Log[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-embedded-'))
  logs = []
})
afterEach(async () => {
  await Promise.all(logs.map((log) => log.close()))
  await rm(directory, { recursive: true })
})

async function opened(more: Partial<Parameters<typeof openEmbeddedLog>[0]> = {}): Promise<Log> {
  const log = await openEmbeddedLog({ directory, ...more })
  logs.push(log)
  return log
}

describe('opening', () => {
  test('error: a log that must exist is not created', async () => {
    await expect(opened({ mustExist: true })).rejects.toMatchObject({ code: 'NOT_FOUND', retriable: false })
    await expect(opened({ mustExist: true, directory: join(directory, 'none') })).rejects.toThrow(
      join(directory, 'none'),
    )
    expect(await readdir(directory)).toEqual([])
  })

  test('error: a directory that is open in this process is refused', async () => {
    await opened()
    await expect(opened()).rejects.toMatchObject({ code: 'LOCKED' })
    await expect(opened()).rejects.toThrow(directory)
  })

  test('args: a directory is created with those above it, and a file is no directory', async () => {
    const deep = join(directory, 'a', 'b')
    await opened({ directory: deep })
    expect(await readdir(deep)).toContain('CURRENT')
    await writeFile(join(directory, 'file'), '')
    await expect(opened({ directory: join(directory, 'file') })).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' })
  })

  test('error: a log of a newer format is refused and left alone', async () => {
    await (await opened()).close()
    const level = new ClassicLevel(directory)
    await level.put('f', '3')
    await level.close()
    await expect(opened()).rejects.toMatchObject({ code: 'FORMAT_NEWER', retriable: false })
    await expect(opened()).rejects.toThrow(/format 3.*up to 2/)
  })

  test('error: a damaged LevelDB is named', async () => {
    await (await opened()).close()
    await writeFile(join(directory, 'CURRENT'), 'MANIFEST-999999\n')
    await expect(opened()).rejects.toMatchObject({ code: 'CORRUPT', retriable: false })
    await expect(opened()).rejects.toThrow(directory)
  })

  test('error: damaged records are not handed out', async () => {
    const log = await opened()
    const topic = await createTopic(log)
    await append(log, records(topic, 0, 'a'.repeat(1_000)))
    await log.close()
    const file = (await readdir(directory)).find((name) => name.endsWith('.log'))!
    const handle = await open(join(directory, file), 'r+')
    const { size } = await handle.stat()
    await handle.close()
    await (await opened()).close() // the records now lie in a table file
    const table = (await readdir(directory)).find((name) => name.endsWith('.ldb'))!
    const damaged = await open(join(directory, table), 'r+')
    await damaged.write('#', Math.floor(size / 2))
    await damaged.close()
    await expect(opened()).rejects.toMatchObject({ code: 'CORRUPT' })
  })
})

describe('writing', () => {
  test('behavior: bursts that wait share writes, and each stays whole', async () => {
    const log = await opened()
    const topic = await createTopic(log, 4)
    const writers = await Promise.all(Array.from({ length: 40 }, () => log.transactionalWriter(fresh('writer'))))
    const outcomes = await Promise.all(
      writers.map((writer, at) => {
        const burst = [0, 1, 2, 3].map((partition) => record(topic, partition, `${at}`))
        const commits = [{ topic, partition: 0, next: at, metadata: '' }]
        return writer.commit({ records: burst, offsets: { group: `group ${at}`, commits } })
      }),
    )
    outcomes.forEach(expectCommitted)
    await log.close()
    const again = await opened()
    const sides = await Promise.all([0, 1, 2, 3].map((partition) => values(again, topic, partition)))
    for (const side of sides) expect(side).toEqual(Array.from({ length: 40 }, (_, at) => `${at}`))
    for (let at = 0; at < 40; at++) {
      expect(await again.committedOffsets(`group ${at}`, [{ topic, partition: 0 }])).toEqual([
        { next: at, metadata: '' },
      ])
    }
  })

  test('behavior: topics created at once by several users are there after opening again', async () => {
    const log = await opened()
    const configs = Array.from({ length: 5 }, () => ({
      name: fresh('topic'),
      partitions: 2,
      cleanup: 'delete' as const,
    }))
    await Promise.all([...configs, ...configs].map((config) => log.createTopics([config])))
    await log.close()
    const again = await opened()
    for (const { name } of configs) expect(await again.partitionCount(name)).toBe(2)
  })

  test('behavior: what was handed in before close is written', async () => {
    const log = await opened()
    const topic = await createTopic(log)
    const appender = await log.appender()
    const appends = Array.from({ length: 10 }, (_, at) => appender.append(records(topic, 0, `${at}`)))
    await log.close()
    expect((await Promise.all(appends)).flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await values(await opened(), topic)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  })

  test('behavior: a large transaction is written in pieces, and what a crash leaves of one is erased', async () => {
    let log = await opened({ writeBytes: 200_000, tailSizeBytes: 0 })
    const topic = await createTopic(log, 2)
    await append(log, [...records(topic, 0, 'before'), ...records(topic, 1, 'before')])
    const large = Array.from({ length: 20 }, (_, at) => record(topic, at % 2, `${at}`.padEnd(100_000)))
    const writer = await log.transactionalWriter('writer')
    const commits = [{ topic, partition: 0, next: 7, metadata: '' }]
    expectCommitted(await writer.commit({ records: large, offsets: { group: 'group', commits } }))
    await append(log, records(topic, 0, 'after'))
    const expected = (side: number) => [
      'before',
      ...large.filter(({ partition }) => partition === side).map(({ value }) => text(value)),
      ...(side === 0 ? ['after'] : []),
    ]
    for (const side of [0, 1]) expect(await values(log, topic, side)).toEqual(expected(side))
    await log.close()

    // As a crash leaves a transaction whose last piece is missing: rows behind the end.
    const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const rows = await level.iterator({ gte: Buffer.from('r'), lt: Buffer.from('s') }).all()
    expect(rows.length).toBeGreaterThan(10)
    const left = rows.map(([key, value]) => {
      const behind = Buffer.from(key)
      behind.writeUInt32BE(key.readUInt32BE(13) + 1_000, 13)
      return { type: 'put' as const, key: behind, value }
    })
    await level.batch(left)
    await level.close()
    log = await opened({ tailSizeBytes: 0 })
    for (const side of [0, 1]) expect(await values(log, topic, side)).toEqual(expected(side))
    await append(log, records(topic, 1, ...Array.from({ length: 1_100 }, (_, at) => `${at}`)))
    expect((await values(log, topic, 1)).length).toBe(expected(1).length + 1_100)
    expect(await log.committedOffsets('group', commits)).toEqual([{ next: 7, metadata: '' }])
  })

  test('error: more records than may wait are refused, and can be sent again', async () => {
    const log = await opened()
    const topic = await createTopic(log)
    const appender = await log.appender()
    const many = Array.from({ length: 100_000 }, () => record(topic, 0, null, 'k'))
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => appender.append(many)))
    const refused = results.filter(({ status }) => status === 'rejected')
    expect(refused.length).toBe(2)
    expect(refused[0]).toMatchObject({ reason: { code: 'OVERLOADED', retriable: true, indefinite: false } })
    expect((await appender.append(records(topic, 0, 'a')))[0]).toBe(400_000)
  })
})

describe('reading', () => {
  test('behavior: readers at the tail and behind it see the same', async () => {
    const log = await opened({ tailSizeBytes: 20_000 })
    const topic = await createTopic(log)
    const sent: string[] = []
    for (let at = 0; at < 300; at++) {
      sent.push(`${at} ${'x'.repeat(at)}`)
      await append(log, records(topic, 0, sent.at(-1)!))
    }
    for (const from of [0, 1, 150, 230, 260, 299]) {
      const seen = await readAll(log, { topic, partition: 0 }, from)
      expect(seen.map(({ value }) => text(value))).toEqual(sent.slice(from))
    }
  })

  test('behavior: a row read in pieces gives each record once', async () => {
    const log = await opened({ tailSizeBytes: 0 })
    const topic = await createTopic(log)
    await append(log, records(topic, 0, ...Array.from({ length: 1_000 }, (_, at) => `${at}`.padStart(10))))
    const seen: number[] = []
    for (let offset = 0; offset < 1_000; ) {
      const [fetched] = await log.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 0, maxBytesPerPartition: 95 })
      expect(fetched!.records.length).toBeLessThanOrEqual(9)
      seen.push(...fetched!.records.map((found) => found.offset))
      offset = fetched!.next
    }
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, at) => at))
  })
})

describe('maintenance', () => {
  test('behavior: the space of deleted records is given back', async () => {
    const clock = new PatientClock(ROUND_MS)
    const log = await opened({ clock, maintenanceIntervalMs: ROUND_MS })
    const topic = await createTopic(log)
    for (let at = 0; at < 10; at++) await append(log, records(topic, 0, 'x'.repeat(100_000)))
    await log.deleteRecords([{ topic, partition: 0, offset: 9 }])
    await clock.maintain(0)
    await log.close()
    const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const rows = await level.keys({ gte: Buffer.from('r'), lt: Buffer.from('s') }).all()
    await level.close()
    expect(rows.length).toBe(1)
  })

  test('behavior: compaction goes on after opening again, forgets old tombstones, and keeps positions', async () => {
    const DAY_MS = 24 * 3_600_000
    const clock = new PatientClock(ROUND_MS)
    const options = { clock, maintenanceIntervalMs: ROUND_MS }
    let log = await opened(options)
    const topic = await createTopic(log, 1, { cleanup: 'compact' })
    const dead = { ...record(topic, 0, null, 'dead'), timestamp: clock.now() }
    await append(log, [record(topic, 0, 'v', 'dead'), dead])
    const churn = async (rounds: number) => {
      for (let at = 0; at < rounds; at++) {
        await append(
          log,
          Array.from({ length: 100 }, (_, key) => record(topic, 0, `${at}`, `key ${key}`)),
        )
      }
    }
    const state = async () =>
      new Map((await readAll(log, { topic, partition: 0 })).map((r) => [text(r.key), text(r.value)]))
    await churn(20)
    await clock.maintain(0)
    expect((await state()).get('dead')).toBe(null)
    await log.close()
    log = await opened(options)
    const [bounds] = await log.bounds([{ topic, partition: 0 }])
    expect(bounds).toEqual({ start: 0, stable: 2_002 })
    await churn(20)
    await clock.maintain(2 * DAY_MS)
    const after = await state()
    expect(after.has('dead')).toBe(false)
    expect(after.size).toBe(100)
    expect([...after.values()].every((value) => value === '19')).toBe(true)
    expect((await readAll(log, { topic, partition: 0 })).length).toBe(100)
  })
})
