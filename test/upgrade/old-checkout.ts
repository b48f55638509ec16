/** An older commit of this repository, built beside it. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()

/** Its full hash. Throws when this clone does not have it. */
export function commitOf(name: string): string {
  try {
    return git('rev-parse', '--verify', '--quiet', `${name}^{commit}`)
  } catch {
    throw new Error(`there is no commit ${name} here; in a shallow clone: git fetch --unshallow`)
  }
}

/** With the dependencies of its own lock: those installed here when the lock is the same, else installed anew. */
export function checkOut(commit: string, directory: string): void {
  execFileSync('git', ['clone', '--quiet', '--shared', '--no-checkout', ROOT, directory])
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: directory, stdio: 'pipe' })
  run('git', 'checkout', '--quiet', '--detach', commit)
  const lock = (root: string): string => readFileSync(join(root, 'package-lock.json'), 'utf8')
  if (lock(directory) === lock(ROOT)) symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  else run('npm', 'ci', '--no-audit', '--no-fund')
  run('npm', 'run', '--silent', 'build')
}

/** Where releases have had the list of their stages, the newest place first. */
const ROLES_FILES = ['ops/base/roles.ts', 'ops/roles.ts']

/** The stages that this release has; a newer one may have more. */
export async function stagesOf(directory: string): Promise<readonly string[]> {
  const file = ROLES_FILES.map((name) => join(directory, name)).find((name) => existsSync(name))
  if (file === undefined)
    throw new Error(`none of ${ROLES_FILES.join(', ')} is in ${directory}: where does it list its stages?`)
  const { STAGES } = (await import(pathToFileURL(file).href)) as { readonly STAGES: readonly string[] }
  return STAGES
}
