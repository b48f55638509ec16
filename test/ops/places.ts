import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** A place of a test that is full or read-only at will. `kind` says how, for the test's name. */
export interface Place {
  readonly kind: string
  readonly directory: string
  /** No file may grow any more, until `free`. */
  fill(pid: number): void
  free(pid: number): void
  remove(): void
}

const MEBIBYTE = Buffer.alloc(1024 * 1024)

/** A file system of its own where this user may mount one; else a limit on the size of the process's files. */
export function smallDisk(directory: string, mebibytes: number): Place {
  mkdirSync(directory, { recursive: true })
  if (mount(directory, `size=${mebibytes}m`)) {
    const filler = join(directory, 'filler')
    const remove = () => unmount(directory)
    return {
      kind: `a tmpfs of ${mebibytes} MiB`,
      directory,
      fill: () => writeUntilFull(filler),
      free: () => rmSync(filler),
      remove,
    }
  }
  const limit = (pid: number, size: string) => execFileSync('prlimit', ['--pid', `${pid}`, `--fsize=${size}`])
  return {
    kind: 'no mount allowed here: a limit on the size of files',
    directory,
    fill: (pid) => limit(pid, '1:unlimited'),
    free: (pid) => limit(pid, 'unlimited:unlimited'),
    remove: () => {},
  }
}

/** A read-only file system; a mode without write permission for those who may not mount; /proc for a root that may not. */
export function readOnlyPlace(directory: string): { kind: string; directory: string; remove(): void } {
  mkdirSync(directory, { recursive: true })
  if (mount(directory, 'ro')) return { kind: 'a read-only mount', directory, remove: () => unmount(directory) }
  if (process.getuid?.() === 0) return { kind: '/proc', directory: '/proc', remove: () => {} }
  chmodSync(directory, 0o555)
  return { kind: 'a mode of 555', directory, remove: () => chmodSync(directory, 0o755) }
}

function mount(directory: string, options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const unmount = (directory: string): void => void execFileSync('umount', ['--lazy', directory])

function writeUntilFull(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, MEBIBYTE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}
