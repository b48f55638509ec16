import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, readManifest } from './manifest.ts'
import { faultOfTable, type TableDepth } from './table.ts'
import { type FileFault, WriteLogs, type WriteNumbers } from './write-logs.ts'

export interface Inspection {
  /** True when there is a log, sound or not; where there is none, one may be made. */
  readonly exists: boolean
  readonly faults: readonly FileFault[]
}

const CURRENT = 'CURRENT'
const TABLE = /^(\d+)\.(ldb|sst)$/
const LOG = /^(\d+)\.log$/

/**
 * Looks whether the files of a LevelDB directory are all there and what was written, before LevelDB is let at them: it drops
 * what it cannot read in a `.log`, deletes what it does not know, and makes a new database where CURRENT is missing. Reads the
 * MANIFEST, the `.log` files (some 32 MiB), the indexes of each table, and every block of the newest tables. The torn end that a crash leaves is no fault: what
 * stands there was not acknowledged.
 * @param isLog whether anything else says that a log is here
 * @param verifyBytes as many bytes of tables, the newest first, are read whole: LevelDB reads blocks without their checksums,
 *   and the process ends where the length of a key is wrong
 */
export async function inspectFiles(
  directory: string,
  numbers: WriteNumbers,
  isLog: boolean,
  verifyBytes: number,
): Promise<Inspection> {
  const names = await namesIn(directory)
  if (!names.includes(CURRENT)) {
    if (!isLog && (await isUnborn(directory, names))) return { exists: false, faults: [] }
    return { exists: true, faults: [{ file: CURRENT, message: 'it is missing' }] }
  }
  const manifest = await manifestOf(directory)
  if ('message' in manifest) return { exists: true, faults: [manifest] }
  const faults = [
    ...(await faultsOfTables(directory, names, manifest, verifyBytes)),
    ...(await faultsOfLogs(directory, names, manifest, numbers)),
  ]
  return { exists: true, faults }
}

/** Nothing where there is no directory. */
const namesIn = (directory: string): Promise<readonly string[]> =>
  readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw error
  })

/** Nothing, or what a process leaves that died while it made the database: then nothing was ever written to it. */
async function isUnborn(directory: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    if (TABLE.test(name)) return false
    if (name.startsWith('MANIFEST-') && name !== 'MANIFEST-000001') return false
    if (LOG.test(name) && (await readFile(join(directory, name))).length > 0) return false
  }
  return true
}

async function manifestOf(directory: string): Promise<Manifest | FileFault> {
  const name = (await readFile(join(directory, CURRENT), 'utf8')).match(/^(MANIFEST-\d+)\n$/)?.[1]
  if (name === undefined) return { file: CURRENT, message: 'it does not name a MANIFEST' }
  try {
    return readManifest(await readFile(join(directory, name)))
  } catch (error) {
    if (error instanceof RangeError) return { file: name, message: error.message }
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { file: name, message: 'it is missing' }
    throw error
  }
}

async function faultsOfTables(
  directory: string,
  names: readonly string[],
  { tables }: Manifest,
  verifyBytes: number,
): Promise<FileFault[]> {
  const files = new Map(names.flatMap((name) => (TABLE.test(name) ? [[Number(TABLE.exec(name)![1]), name]] : [])))
  const faults: FileFault[] = []
  let left = verifyBytes
  for (const [number, sizeBytes] of [...tables].sort(([a], [b]) => b - a)) {
    const depth = sizeBytes <= left ? 'blocks' : 'indexes'
    left -= sizeBytes
    const file = files.get(number)
    if (file === undefined) faults.push({ file: nameOf(number, 'ldb'), message: 'it is missing' })
    else {
      const message = await faultOfFile(join(directory, file), sizeBytes, depth)
      if (message) faults.push({ file, message })
    }
  }
  return faults
}

async function faultOfFile(path: string, sizeBytes: number, depth: TableDepth): Promise<string | undefined> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    return size === sizeBytes ? await faultOfTable(file, size, depth) : `it has ${size} bytes instead of ${sizeBytes}`
  } finally {
    await file.close()
  }
}

async function faultsOfLogs(
  directory: string,
  names: readonly string[],
  { logNumber, previousLogNumber }: Manifest,
  numbers: WriteNumbers,
): Promise<FileFault[]> {
  const isLive = (number: number): boolean => number >= logNumber || number === previousLogNumber
  const files = names
    .flatMap((name) => (LOG.test(name) ? [{ name, number: Number(LOG.exec(name)![1]) }] : []))
    .filter(({ number }) => isLive(number))
    .sort((a, b) => a.number - b.number)
  if (logNumber > 0 && !files.some(({ number }) => number === logNumber))
    return [{ file: nameOf(logNumber, 'log'), message: 'it is missing' }]
  const logs = new WriteLogs(numbers)
  for (const { name } of files) logs.read(name, await readFile(join(directory, name)))
  return logs.faults()
}

const nameOf = (number: number, extension: string): string => `${String(number).padStart(6, '0')}.${extension}`
