import { accessSync, constants, mkdirSync, mkdtempSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

const OWNER_ONLY = 0o700

/**
 * The default place of a view: in the cache directory of the user, or, when there is none to write to, in a new directory among
 * the temporary files. Never where somebody else could have put something before.
 * @param name name of the view, the same after a restart
 */
export function defaultViewDirectory(name: string, environment: Readonly<Record<string, string | undefined>>): string {
  try {
    const caches = environment.XDG_CACHE_HOME || join(homedir(), '.cache')
    const ours = join(caches, 'powerloom-sequencer')
    mkdirSync(ours, { recursive: true, mode: OWNER_ONLY })
    accessSync(ours, constants.W_OK)
    return join(ours, name)
  } catch {
    return join(mkdtempSync(join(tmpdir(), 'sequencer-')), name)
  }
}
