import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { copyOf } from '../../../connectors/schema-registry/file.ts'
import { ensureWritable, groundOf, openDirectory, openLog } from '../../../ops/ground/data-directory.ts'
import { directoryPaths } from '../../../ops/ground/directory-paths.ts'
import type { DirectorySettings } from '../../../ops/ground/directory-settings.ts'
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

test('error: a directory whose schemas are gone is refused by those who write and those who read', async () => {
  const dataDir = newFolder()
  const settings: DirectorySettings = {
    appId: 'app',
    topicOptions: { prefix: 'app', partitions: 1 },
    rules: { markets: [], markerKeys: [] },
    chain: { rpcUrls: [], chainId: 1, protocolState: `0x${'1'.repeat(40)}` },
  } as unknown as DirectorySettings
  const log = await openLog(dataDir)
  await groundOf(dataDir, log, settings)
  const { registry } = directoryPaths(dataDir)
  for (const path of [registry, copyOf(registry)]) rmSync(path)
  await expect(groundOf(dataDir, log, settings)).rejects.toMatchObject({ code: 'REGISTRY_MISSING' })
  await log.close()
  await expect(openDirectory(dataDir)).rejects.toMatchObject({ code: 'REGISTRY_MISSING' })
})
