import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { readAll, text } from '../../../contract/log-kit.ts'
import { Child } from './child.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-disk-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('error: a disk that is full refuses writes, keeps what it acknowledged, and goes on when there is space', async () => {
  const child = new Child('./full-writer.ts', directory)
  try {
    await child.until((line) => line.startsWith('ok 20'))
    // No file may grow: what a full disk does to LevelDB, without one.
    limitFileSize(child.pid, '1:unlimited')
    await child.until((line) => line.startsWith('refused') && line.includes('DISK_FULL true'))
    limitFileSize(child.pid, 'unlimited:unlimited')
    const full = child.lines.length
    await child.until((line) => line.startsWith('ok'), full)
    const again = child.lines.length
    await child.until((line) => line.startsWith('ok'), again + 50)
  } finally {
    await child.kill()
  }
  const log = await openEmbeddedLog({ directory, mustExist: true })
  const found = (await readAll(log, { topic: 'full', partition: 0 })).map(({ value }) => text(value)!.split(' ')[0]!)
  await log.close()
  const outcomes = child.lines.map((line) => line.split(' ') as [string, string])
  const numbersOf = (outcome: string) => outcomes.filter(([what]) => what === outcome).map(([, number]) => number)
  expect(new Set(found).size, 'nothing is there twice').toBe(found.length)
  expect(found).toEqual(expect.arrayContaining(numbersOf('ok')))
  const refused = new Set(numbersOf('refused'))
  expect(
    found.filter((number) => refused.has(number)),
    'nothing refused is there',
  ).toEqual([])
})

test('error: a directory that another process has open is named', async () => {
  const child = new Child('./open-once.ts', directory)
  try {
    await child.until((line) => line === 'open')
    const opening = openEmbeddedLog({ directory })
    await expect(opening).rejects.toMatchObject({ code: 'LOCKED', retriable: false })
    await expect(opening).rejects.toThrow(directory)
  } finally {
    await child.kill()
  }
  await (await openEmbeddedLog({ directory })).close()
})

test('error: a directory that cannot be written is named, and nothing is created', async () => {
  await chmod(directory, 0o555)
  const child = new Child('./open-once.ts', directory, 'nobody')
  expect(await child.end()).toBe(1)
  expect(child.lines[0]).toContain('READ_ONLY false')
  expect(child.lines[0]).toContain(directory)
  expect(await readdir(directory)).toEqual([])
})

function limitFileSize(pid: number, softHard: string): void {
  execFileSync('prlimit', ['--pid', `${pid}`, `--fsize=${softHard}`])
}
