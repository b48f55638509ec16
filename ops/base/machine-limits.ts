/** How many files and sockets the process may have open, and room on its disks: what is too little is said before it is missed. */
import { existsSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CliError, EXIT } from './cli-error.ts'

/** Fewer, and Node cannot even load the program: it says that a module is not found. */
const OPEN_FILES_MIN = 1_024
/** For the collectors (2,048), clients of the API (1,024), and the files of the log. */
const OPEN_FILES_ADVISED = 4_096
export const FREE_BYTES_MIN = 1024 ** 3

const MORE_FILES =
  'Raise it to 65536: `ulimit -n 65536` in the shell, LimitNOFILE=65536 for systemd, --ulimit nofile=65536 for docker.'

/** The fields of a report on the process that are looked at. */
interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } }
}

/** Open files that this process may have; Infinity for no limit, undefined where the system does not say. */
export function openFilesMax(): number | undefined {
  const report: (typeof process.report & { excludeNetwork?: boolean }) | undefined = process.report
  if (!report) return undefined
  report.excludeNetwork = true // else it asks for the names of all peers
  const { userLimits } = report.getReport() as Report
  const soft = userLimits?.open_files?.soft
  if (soft === 'unlimited') return Number.POSITIVE_INFINITY
  return typeof soft === 'number' ? soft : undefined
}

/** @throws CliError when the program could not be loaded */
export function requireOpenFiles(max = openFilesMax()): void {
  if (max === undefined || max >= OPEN_FILES_MIN) return
  throw new CliError(
    `this process may have ${max} files open, and needs ${OPEN_FILES_MIN} at least`,
    MORE_FILES,
    EXIT.unavailable,
  )
}

/** The fault of the limit, and the remedy; undefined when there is none. */
export function fewOpenFiles(max = openFilesMax()): { readonly detail: string; readonly advice: string } | undefined {
  if (max === undefined || max >= OPEN_FILES_ADVISED) return undefined
  return { detail: `${max} files and connections at a time; ${OPEN_FILES_ADVISED} are advised`, advice: MORE_FILES }
}

/** Bytes that this user may still write there; the folder need not exist. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(nearest(path))
  return bavail * bsize
}

/** The folder that is there, or the first above it that is: it is made on the same disk. */
const nearest = (path: string): string => (existsSync(path) ? path : nearest(dirname(resolve(path))))

/** The warnings for a process that starts. @param folders folders that it writes to */
export function shortages(folders: readonly string[]): readonly string[] {
  const files = fewOpenFiles()
  const full = [...new Set(folders)].flatMap((folder) => {
    const free = freeBytes(folder)
    const gib = (free / 1024 ** 3).toFixed(1)
    return free < FREE_BYTES_MIN ? [`${folder}: ${gib} GiB free on its disk. Free some space: at least 1 GiB.`] : []
  })
  return [...(files ? [`open files: ${files.detail}. ${files.advice}`] : []), ...full]
}
