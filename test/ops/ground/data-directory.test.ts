import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { directoryPaths, ensureWritable, openLog } from '../../../ops/ground/data-directory.ts'
import { newFolder } from '../../folder.ts'

const modeOf = (path: string): number => statSync(path).mode & 0o777

test('default: a data directory is for its owner alone: its log holds votes of open epochs', () => {
  const dataDir = join(newFolder(), 'data')
  ensureWritable(dataDir)
  expect(modeOf(dataDir)).toBe(0o700)
})

test('behavior: in a directory that others may read, log and blocks are not for them, even if they were', async () => {
  const dataDir = newFolder()
  const { log, blocks } = directoryPaths(dataDir)
  mkdirSync(log, { mode: 0o755 })
  const opened = await openLog(dataDir)
  await opened.close()
  expect([log, blocks].map(modeOf)).toEqual([0o700, 0o700])
})
