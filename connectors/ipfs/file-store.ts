import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile as readWholeFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { NextToLast } from 'blockstore-fs/sharding'
import { CID } from 'multiformats/cid'
import { systemClock } from '../system-clock.ts'
import { BATCH_BYTES_MAX, type BatchStore, StoreError } from './batch-store.ts'
import { type CidVersion, importBatch } from './cid.ts'
import { blocksOf, readFile } from './unixfs.ts'

export interface FileBlockStoreOptions {
  /** Made when it does not exist; the layout is that of blockstore-fs, so any tool for it reads these blocks. */
  readonly directory: string
  readonly version?: CidVersion
  /** Longest batch that `get` gives back. */
  readonly bytesMax?: number
}

/** No block takes that long to write: what is older was left by a process that was killed, the rest may be another's. */
const UNFINISHED_MS_MAX = 3_600_000

/**
 * Batches as blocks in files, with the CIDs that a Kubo node gives them. `put` resolves when every block and its directory
 * entry are on the disk (fsync); a block appears whole or not at all, whenever the process dies.
 */
export async function createFileBlockStore(options: FileBlockStoreOptions): Promise<BatchStore> {
  const { version: usual = 1, bytesMax = BATCH_BYTES_MAX } = options
  const files = await openBlockFiles(resolve(options.directory))
  const get: BatchStore['get'] = (cid, { signal, bytesMax: most = bytesMax } = {}) =>
    readFile(
      CID.parse(cid),
      (key) => {
        signal?.throwIfAborted()
        return files.read(key)
      },
      most,
    )
  return {
    name: 'file',
    async put(bytes, { version = usual } = {}) {
      const cid = await importBatch(bytes, version, { put: (key, block) => files.write(key, block) })
      return cid.toString()
    },
    get,
    async has(cid, call) {
      try {
        await get(cid, call) // a block that is there may be damaged, and reading it costs little here
        return true
      } catch (error) {
        if (error instanceof StoreError && LACKING.includes(error.code)) return false
        throw error
      }
    },
    async remove(cid, kept) {
      const staying = new Set<string>()
      for (const other of kept) for (const block of await files.blocksOf(other)) staying.add(`${block}`)
      for (const block of await files.blocksOf(cid)) if (!staying.has(`${block}`)) await files.remove(block)
    },
  }
}

const LACKING: readonly StoreError['code'][] = ['NOT_FOUND', 'CORRUPT']

interface BlockFiles {
  write(cid: CID, block: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<CID>
  read(cid: CID): Promise<Uint8Array>
  remove(cid: CID): Promise<void>
  blocksOf(cid: string): Promise<readonly CID[]>
}

async function openBlockFiles(directory: string): Promise<BlockFiles> {
  const unfinished = join(directory, 'unfinished')
  await guarded(`open ${directory}`, async () => {
    await mkdir(unfinished, { recursive: true })
    await removeLeftovers(unfinished)
    await syncDirectory(dirname(directory))
  })
  const sharding = new NextToLast()
  const pathOf = (cid: CID): string => {
    const { dir, file } = sharding.encode(cid)
    return join(directory, dir, file)
  }
  const read = (cid: CID): Promise<Uint8Array> => guarded(`read block ${cid}`, () => readWholeFile(pathOf(cid)))
  return {
    write: (cid, block) =>
      guarded(`write block ${cid}`, async () => {
        if (!(block instanceof Uint8Array)) throw new TypeError('the importer hands over whole blocks')
        await writeDurably(pathOf(cid), block, join(unfinished, randomUUID()))
        return cid
      }),
    read,
    remove: (cid) => guarded(`remove block ${cid}`, () => rm(pathOf(cid), { force: true })),
    blocksOf: (cid) => blocksOf(CID.parse(cid), read),
  }
}

async function removeLeftovers(unfinished: string): Promise<void> {
  const oldest = systemClock.now() - UNFINISHED_MS_MAX
  for (const name of await readdir(unfinished)) {
    const path = join(unfinished, name)
    const found = await stat(path).catch(() => undefined) // its writer may have ended meanwhile
    if (found && found.mtimeMs < oldest) await rm(path, { force: true })
  }
}

/** Bytes to a temporary file and to the disk, then its name, then the directory that holds the name. */
async function writeDurably(path: string, bytes: Uint8Array, temporary: string): Promise<void> {
  let made: string | undefined
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    made = await mkdir(dirname(path), { recursive: true })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // the failure before it says why
    throw error
  }
  await syncDirectory(dirname(path))
  if (made !== undefined) await syncDirectory(dirname(dirname(path)))
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const CODES = {
  ENOENT: 'NOT_FOUND',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EROFS: 'READ_ONLY',
  EACCES: 'READ_ONLY',
} as const

async function guarded<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    const code = CODES[(cause as NodeJS.ErrnoException).code as keyof typeof CODES] ?? 'UNAVAILABLE'
    throw new StoreError(code, `cannot ${what}: ${(cause as Error).message}`, cause)
  }
}
