import { cpSync } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { checkLog, isWhole, repairLog } from '../../../../connectors/log/embedded/repair.ts'
import { append, createTopic, readAll, records, values } from '../../../contract/log-kit.ts'

const WRITES = 20

let parent: string
let directory: string
let topic: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'log-damage-'))
  directory = join(parent, 'log')
  const log = await openEmbeddedLog({ directory })
  topic = await createTopic(log, 2)
  for (let at = 0; at < WRITES; at++) await append(log, records(topic, at % 2, `${at}`.padEnd(1_000)))
  await log.close()
})
afterEach(() => rm(parent, { recursive: true }))

const find = async (extension: string): Promise<string> =>
  join(directory, (await readdir(directory)).find((name) => name.endsWith(extension))!)

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0]! ^= 0x10
  await file.write(byte, 0, 1, at)
  await file.close()
}

/** Every file that holds something, by its name. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('LO')).sort()
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(join(folder, name))).toString('base64')] as const),
    ),
  )
}

async function expectRefused(words: RegExp): Promise<void> {
  const before = await contentsOf(directory)
  for (const mustExist of [true, false]) {
    const opening = openEmbeddedLog({ directory, mustExist })
    await expect(opening).rejects.toMatchObject({ code: 'CORRUPT', retriable: false })
    await expect(opening).rejects.toThrow(words)
  }
  expect(await contentsOf(directory), 'nothing was made or deleted').toEqual(before)
}

const repair = () => repairLog(directory, 0, () => true)

/** What the log holds, and that it goes on being written to. */
async function afterRepair(): Promise<string[]> {
  expect(isWhole(await checkLog(directory))).toBe(true)
  const log = await openEmbeddedLog({ directory, tailSizeBytes: 0 })
  const found = [...(await values(log, topic, 0)), ...(await values(log, topic, 1))].map((value) => value!.trim())
  const next = (await log.ends([{ topic, partition: 0 }]))[0]!
  expect(await (await log.appender()).append(records(topic, 0, 'after'))).toEqual([next])
  await log.close()
  return found
}

describe('a damaged log', () => {
  test('default: a whole log is said to be whole, and the check changes nothing', async () => {
    const before = await contentsOf(directory)
    expect(await checkLog(directory)).toMatchObject({ files: [], others: [], lost: [], damagedRows: 0, partitions: 2 })
    expect(await contentsOf(directory)).toEqual(before)
    expect(await readdir(parent)).toEqual(['log'])
  })

  test('error: a flipped bit in the middle of a .log is refused, told by offset, and repaired', async () => {
    const path = await find('.log')
    await flip(path, Math.floor((await stat(path)).size / 2))
    await expectRefused(/\.log: a checksum is wrong at byte \d+/)
    const damage = await checkLog(directory)
    expect(damage.lost.length).toBeGreaterThan(0)
    const lost = damage.lost.reduce((sum, { from, to }) => sum + to + 1 - from, 0)
    const done = await repair()
    expect((await contentsOf(done!.keptAs)).size).toBeGreaterThan(3)
    expect((await afterRepair()).length).toBe(WRITES - lost)
  })

  test('error: a flipped bit in the last acknowledged write is refused', async () => {
    const path = await find('.log')
    await flip(path, (await stat(path)).size - 20)
    await expectRefused(/it ends with write \d+, and write \d+ was acknowledged/)
    expect((await checkLog(directory)).lost).toEqual([{ topic, partition: 1, from: 9, to: 9 }])
    await repair()
    expect((await afterRepair()).length).toBe(WRITES - 1)
  })

  test.each([0.3, 0.9, 0.999])('error: a .log cut to %d of its length is refused', async (share) => {
    const path = await find('.log')
    await truncate(path, Math.floor((await stat(path)).size * share))
    await expectRefused(/it ends with write \d+, and write \d+ was acknowledged/)
    const { lost } = await checkLog(directory)
    expect(lost.at(-1)).toMatchObject({ topic, partition: 1, to: 9 })
    await repair()
    expect((await afterRepair()).length).toBe(WRITES - lost.reduce((sum, { from, to }) => sum + to + 1 - from, 0))
  })

  test('error: a .log cut to nothing is refused', async () => {
    await truncate(await find('.log'), 0)
    await expect(openEmbeddedLog({ directory })).rejects.toThrow(/write \d+ was acknowledged|format is missing/)
  })

  test('behavior: what was being written when the process died is no damage', async () => {
    const path = await find('.log')
    const bytes = await readFile(path)
    for (const tail of [bytes.subarray(0, 500), Buffer.alloc(300), Buffer.from('garbage')]) {
      cpSync(directory, `${directory}.torn`, { recursive: true })
      await writeFile(
        join(`${directory}.torn`, path.slice(directory.length + 1)),
        Buffer.concat([bytes, tail.subarray(1)]),
      )
      const log = await openEmbeddedLog({ directory: `${directory}.torn` })
      expect((await readAll(log, { topic, partition: 0 })).length).toBe(WRITES / 2)
      await log.close()
      await rm(`${directory}.torn`, { recursive: true })
    }
  })
})

describe('missing files', () => {
  beforeEach(async () => {
    const log = await openEmbeddedLog({ directory }) // the first records now lie in a table
    await append(log, records(topic, 0, 'last'))
    await log.close()
  })

  test.each([
    ['CURRENT', /CURRENT: it is missing/],
    ['MANIFEST', /MANIFEST-\d+: it is missing/],
    ['.ldb', /\.ldb: it is missing/],
    ['.log', /\.log: it is missing/],
    ['END', /END: it is missing/],
  ])('error: without %s it is refused, and nothing is made or deleted', async (name, words) => {
    const path =
      name === 'MANIFEST'
        ? join(directory, (await readdir(directory)).find((one) => one.startsWith(name))!)
        : await find(name)
    await rm(path)
    if (name === 'END') await expect(openEmbeddedLog({ directory })).rejects.toThrow(words)
    else await expectRefused(words)
    expect((await checkLog(directory)).files).toContainEqual({
      file: path.slice(directory.length + 1),
      message: 'it is missing',
    })
    await repair()
    const found = await afterRepair()
    if (name !== '.ldb' && name !== '.log') expect(found.length).toBe(WRITES + 1)
  })

  test('error: any flipped bit of a table is refused, told with its place, and repaired', async () => {
    const table = await find('.ldb')
    const { size } = await stat(table)
    const places = [0, 1, 2, 3, 20, ...Array.from({ length: 12 }, (_, at) => Math.floor((size * (at + 0.5)) / 12))]
    const whole = join(parent, 'whole')
    let blocksLost = 0
    cpSync(directory, whole, { recursive: true })
    for (const at of places) {
      await flip(table, at)
      await expect(openEmbeddedLog({ directory }), `byte ${at}`).rejects.toMatchObject({ code: 'CORRUPT' })
      const damage = await checkLog(directory)
      expect(damage.files, `byte ${at}`).toEqual([
        { file: table.slice(directory.length + 1), message: expect.any(String) },
      ])
      const lost = damage.lost.reduce((sum, { from, to }) => sum + to + 1 - from, 0)
      const done = await repair()
      expect((await afterRepair()).length, `byte ${at}`).toBeGreaterThanOrEqual(WRITES + 1 - lost)
      if (lost > 1) blocksLost++
      for (const folder of [directory, done!.keptAs]) await rm(folder, { recursive: true })
      cpSync(whole, directory, { recursive: true })
    }
    expect(blocksLost, 'of most flips one row is lost at most').toBeLessThan(places.length / 2)
  })

  test('error: a row that is gone is told by the reader that comes past it', async () => {
    const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const [, , third] = await level.keys({ gte: Buffer.from('r'), lt: Buffer.from('s') }).all()
    await level.del(third!)
    await level.close()
    const log = await openEmbeddedLog({ directory, tailSizeBytes: 0 })
    await expect(values(log, topic, 0)).rejects.toThrow(`records of ${topic}[0] are missing: offsets 2 to 2`)
    await log.close()
    expect((await checkLog(directory)).lost).toEqual([{ topic, partition: 0, from: 2, to: 2 }])
  })

  test('error: an older row of bounds or of an offset than the last write left is refused', async () => {
    const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const [[key, older]] = (await level.iterator({ gte: Buffer.from('b'), lt: Buffer.from('c') }).all()) as [
      [Buffer, Buffer],
    ]
    await level.close()
    const log = await openEmbeddedLog({ directory })
    await append(log, records(topic, 0, 'newer'))
    await log.close()
    const again = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await again.put(key, older)
    await again.close()
    await expect(openEmbeddedLog({ directory })).rejects.toThrow(
      /a write is missing among the rows of topics, bounds or offsets/,
    )
    const { others } = await checkLog(directory)
    expect(others).toEqual([expect.stringContaining('a write is missing')])
    await repair()
    expect((await afterRepair()).at(10)).toBe('last')
  })
})
