import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { openLog } from '../../../../ops/ground/data-directory.ts'
import { directoryPaths } from '../../../../ops/ground/directory-paths.ts'
import { append, createTopic, records, values } from '../../../contract/log-kit.ts'
import { newFolder } from '../../../folder.ts'
import { runHere } from '../../run-here.ts'

let dataDir: string
let topic: string
const run = (...words: string[]) => runHere(['log', ...words, '--data-dir', dataDir])

beforeEach(async () => {
  dataDir = join(newFolder(), 'data')
  mkdirSync(dataDir)
  const log = await openEmbeddedLog({ directory: directoryPaths(dataDir).log })
  topic = await createTopic(log)
  for (const value of ['a', 'b', 'c']) await append(log, records(topic, 0, value))
  await log.close()
})

function cut(): void {
  const { log } = directoryPaths(dataDir)
  const name = readdirSync(log).find((one) => one.endsWith('.log'))!
  truncateSync(join(log, name), 600)
}

test('default: a whole log is said to be whole, and nothing is repaired', async () => {
  expect(await run('check')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is whole: 1 partitions') })
  expect(await run('repair')).toMatchObject({ exitCode: undefined, stdout: expect.stringContaining('is whole') })
  expect(readdirSync(dataDir)).toEqual(['log'])
})

test('behavior: what is lost is told by offset, and only made final when that is accepted', async () => {
  cut()
  const lost = expect.stringMatching(new RegExp(`lost      ${topic}\\[0\\] offsets \\d to 2`))
  expect(await run('check')).toMatchObject({ exitCode: 1, stdout: lost })
  expect(await run('repair')).toMatchObject({
    exitCode: 1,
    stdout: lost,
    stderr: expect.stringContaining('--accept-loss'),
  })
  expect(readdirSync(dataDir)).toEqual(['log'])
  expect(await run('repair', '--accept-loss')).toMatchObject({
    exitCode: undefined,
    stdout: expect.stringContaining('kept as'),
  })
  expect(readdirSync(dataDir).sort()).toEqual(['log', expect.stringMatching(/^log\.damaged-/)])
  expect(await run('check')).toMatchObject({ exitCode: 0 })
  const log = await openEmbeddedLog({ directory: directoryPaths(dataDir).log })
  expect((await values(log, topic)).length).toBeLessThan(3)
  await log.close()
})

test('error: of a directory that has settings the log is never made anew', async () => {
  const { log, settings } = directoryPaths(dataDir)
  writeFileSync(settings, '{}')
  rmSync(log, { recursive: true })
  await expect(openLog(dataDir)).rejects.toThrow(/the log of .* is gone/)
  expect(readdirSync(dataDir)).toEqual(['settings.json'])
  expect(await run('check')).toMatchObject({ exitCode: 3 })
})
