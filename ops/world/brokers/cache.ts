/** The folder of fetched packages between runs: SEQUENCER_CACHE_DIR, else the user's cache folder. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { SEQUENCER_CACHE_DIR, XDG_CACHE_HOME } = environment
  return SEQUENCER_CACHE_DIR || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'powerloom-sequencer')
}

/**
 * The folder `name` of the cache, filled by `fill` when it is not there. It appears whole or not at all: a run that was
 * interrupted, or a second one beside it, never leaves half of it.
 */
export async function cached(
  name: string,
  fill: (directory: string) => Promise<void>,
  root = cacheDirectory(),
): Promise<string> {
  const target = join(root, name)
  if (existsSync(target)) return target
  mkdirSync(root, { recursive: true })
  const directory = mkdtempSync(join(root, `${name}.part-`))
  try {
    await fill(directory)
    renameSync(directory, target)
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    if (!existsSync(target)) throw error // else another run was faster
  }
  return target
}
