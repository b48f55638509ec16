/** Where the bytes of a batch come from: a file, a block store's folder, or a Kubo node. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NextToLast } from 'blockstore-fs/sharding'
import { CID } from 'multiformats/cid'
import { BATCH_BYTES_MAX, StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { createKuboStore } from '../../../connectors/ipfs/kubo-store.ts'
import { readFile as readUnixfs } from '../../../connectors/ipfs/unixfs.ts'
import { readBounded } from '../../base/bounded-file.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { printable } from '../../base/printable.ts'
import { shownUrl } from '../../base/shown-url.ts'

export interface SourceOptions {
  /** Folders of block stores, looked through in order. */
  readonly blocks: readonly string[]
  readonly kubo?: string | undefined
}

export interface BatchSource {
  readonly bytes: Uint8Array
  /** The CID asked for; undefined for a file. */
  readonly cid?: string
}

/** Throws CliError when the target is neither a file nor a CID that one of the stores has. */
export async function readBatch(target: string, options: SourceOptions): Promise<BatchSource> {
  const there = await stat(target).catch(() => undefined)
  if (there?.isFile()) return { bytes: await readBatchFile(target) }
  const cid = parseCid(target)
  if (!cid) {
    const what = there ? `${printable(target)} is no file` : `there is no file ${printable(target)}`
    throw new CliError(`${what}, and no CID either`, 'Give the path of a batch file, or a CID.')
  }
  const bytes = await fromStores(cid, target, options)
  if (bytes) return { bytes, cid: target }
  const { blocks, kubo } = options
  const places = [...blocks, ...(kubo === undefined ? [] : [shownUrl(kubo)])].join(', ') || 'no block store was named'
  throw new CliError(
    `the batch ${printable(target)} was not found (${places})`,
    'Name a block store with --blocks or --data-dir, or a node with --kubo.',
    EXIT.unavailable,
  )
}

export const readBatchFile = (path: string): Promise<Uint8Array> => readBounded(path, BATCH_BYTES_MAX)

async function fromStores(cid: CID, text: string, { blocks, kubo }: SourceOptions): Promise<Uint8Array | undefined> {
  for (const folder of blocks) {
    const bytes = await fromBlocks(cid, folder)
    if (bytes) return bytes
  }
  return kubo === undefined ? undefined : fromKubo(text, kubo)
}

function parseCid(text: string): CID | undefined {
  try {
    return CID.parse(text)
  } catch {
    return undefined
  }
}

async function fromKubo(cid: string, url: string): Promise<Uint8Array | undefined> {
  try {
    return await createKuboStore({ url, bytesMax: BATCH_BYTES_MAX }).get(cid)
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}

/** Reads the blocks where they lie, without opening the store: a running process may be writing to it. */
async function fromBlocks(cid: CID, folder: string): Promise<Uint8Array | undefined> {
  const sharding = new NextToLast()
  const readBlock = (key: CID) => {
    const { dir, file } = sharding.encode(key)
    return readFile(join(folder, dir, file))
  }
  try {
    return await readUnixfs(cid, readBlock, BATCH_BYTES_MAX)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (error instanceof StoreError)
      throw new CliError(
        error.message,
        'The block store is damaged; restore it or ask another one.',
        EXIT.failed,
        error,
      )
    throw error
  }
}
