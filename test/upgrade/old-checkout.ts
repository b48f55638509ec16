/** An older commit of this repository, built beside it. */
import { execFileSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

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
