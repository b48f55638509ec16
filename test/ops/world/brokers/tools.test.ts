import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cacheDirectory, cached } from '../../../../ops/world/brokers/cache.ts'
import { findTool, runTool } from '../../../../ops/world/brokers/tools.ts'
import { newFolder } from '../../../folder.ts'

test('error: a missing program is named with its Debian package', () => {
  expect(() => findTool('mvn', '/nowhere')).toThrow(
    expect.objectContaining({ code: 'TOOL_MISSING', message: expect.stringContaining('apt-get install maven') }),
  )
})

test('error: a fetch that fails says what it printed', async () => {
  const fetching = runTool(process.execPath, ['-e', 'console.error("no route"); process.exit(3)'], 10_000)
  await expect(fetching).rejects.toMatchObject({ code: 'TOOL_FAILED', message: expect.stringContaining('no route') })
})

test('args: the cache is where the environment says', () => {
  expect(cacheDirectory({ SEQUENCER_CACHE_DIR: '/a' })).toBe('/a')
  expect(cacheDirectory({ XDG_CACHE_HOME: '/b' })).toBe('/b/powerloom-sequencer')
})

test('behavior: a folder of the cache is filled once', async () => {
  const root = newFolder()
  let fills = 0
  const fill = async (directory: string) => writeFileSync(join(directory, 'file'), String(fills++))
  expect(await cached('part', fill, root)).toBe(await cached('part', fill, root))
  expect([fills, readdirSync(root)]).toEqual([1, ['part']])
})

test('behavior: of two runs that fill it at once one wins, and both have it', async () => {
  const root = newFolder()
  const fill = async (directory: string) => writeFileSync(join(directory, 'file'), '')
  const [one, two] = await Promise.all([cached('part', fill, root), cached('part', fill, root)])
  expect([one, readdirSync(root)]).toEqual([two, ['part']])
})

test('error: a fill that fails leaves nothing behind', async () => {
  const root = newFolder()
  const fill = async (directory: string) => {
    writeFileSync(join(directory, 'half'), '')
    throw new Error('cut off')
  }
  await expect(cached('part', fill, root)).rejects.toThrow('cut off')
  expect(readdirSync(root)).toEqual([])
})
