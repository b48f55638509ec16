import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultViewDirectory } from '../../../ops/api/view-directory.ts'
import { newFolder } from '../../folder.ts'

const directory = newFolder()

test('default: in the cache of the user, for him alone, the same after a restart', () => {
  const caches = { XDG_CACHE_HOME: join(directory, 'caches') }
  const found = defaultViewDirectory('view-a', caches)
  expect(found).toBe(join(directory, 'caches/powerloom-sequencer/view-a'))
  expect(statSync(dirname(found)).mode & 0o777).toBe(0o700)
  expect(defaultViewDirectory('view-a', caches)).toBe(found)
})

test('behavior: without a cache to write to, a new directory that nobody could foresee', () => {
  writeFileSync(join(directory, 'file'), '')
  chmodSync(join(directory, 'file'), 0o600)
  const [one, other] = [1, 2].map(() => defaultViewDirectory('view-a', { XDG_CACHE_HOME: join(directory, 'file') }))
  expect(one).not.toBe(other)
  for (const found of [one!, other!]) {
    expect(found.startsWith(tmpdir())).toBe(true)
    expect(existsSync(dirname(found))).toBe(true)
    expect(statSync(dirname(found)).mode & 0o777).toBe(0o700)
  }
})
