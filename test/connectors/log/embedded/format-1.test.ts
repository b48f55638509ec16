import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { checkLog, isWhole } from '../../../../connectors/log/embedded/repair.ts'
import { append, records, values } from '../../../contract/log-kit.ts'
import { writeFormat1 } from './format-1.ts'

let parent: string
let directory: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'log-format-1-'))
  directory = join(parent, 'log')
  await writeFormat1(directory, 'old', [['a', 'b'], ['c'], ['d', 'e']])
})
afterEach(() => rm(parent, { recursive: true }))

test('behavior: a log of format 1 is whole, opens, keeps everything, and goes on', async () => {
  expect(isWhole(await checkLog(directory))).toBe(true)
  for (let round = 0; round < 2; round++) {
    const log = await openEmbeddedLog({ directory, tailSizeBytes: 0 })
    expect((await values(log, 'old')).slice(0, 5)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await log.committedOffsets('group', [{ topic: 'old', partition: 0 }])).toEqual([
      { next: 2, metadata: 'metadata' },
    ])
    await append(log, records('old', 0, `new ${round}`))
    await log.close()
    expect(isWhole(await checkLog(directory))).toBe(true)
  }
})

test('behavior: what format 1 knew of damage is told: a row that is missing there, and a .log with a hole', async () => {
  const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const [, second] = await level.keys({ gte: Buffer.from('r'), lt: Buffer.from('s') }).all()
  await level.del(second!)
  await level.close()
  expect((await checkLog(directory)).lost).toEqual([{ topic: 'old', partition: 0, from: 3, to: 4 }])
})

test('behavior: a process that died between the two steps of the upgrade is no damage', async () => {
  const log = await openEmbeddedLog({ directory })
  await log.close()
  const end = await readFile(join(directory, 'END'))
  await rm(directory, { recursive: true })
  await writeFormat1(directory, 'old', [['a', 'b'], ['c'], ['d', 'e']])
  await writeFile(join(directory, 'END'), end)
  const again = await openEmbeddedLog({ directory })
  expect(await values(again, 'old')).toEqual(['a', 'b', 'c', 'd', 'e'])
  await again.close()
})
