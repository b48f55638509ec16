import type { FileHandle } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type * as Snappy from 'snappy'
import { maskedCrc } from './block-log.ts'
import { VarintReader } from './varint.ts'

/** The end of a table: two block handles and a magic number (doc/table_format.md). */
const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
/** Type of compression and masked CRC-32C behind each block. */
const TRAILER_BYTES = 5
const CRC_BYTES = 4
/** A number of four bytes behind the entries of a block says how many more of them stand before it. */
const RESTART_BYTES = 4
/** The first byte behind a block. We compress none; LevelDB's repair does. */
const COMPRESSED = 1
const SUFFIX_BYTES = 8
const PUT = 1

/** How far a table is read: to its indexes, which is quick at any size, or to the checksum of every block. */
export type TableDepth = 'indexes' | 'blocks'

/**
 * The fault of a table; undefined when it is sound. Its footer and its two indexes lead to every row, and LevelDB does not look
 * at their checksums. Rows have checksums of their own, but what leads to them within a block has none but the block's: one wrong
 * bit there, and LevelDB ends a scan with an error.
 */
export async function faultOfTable(file: FileHandle, size: number, depth: TableDepth): Promise<string | undefined> {
  if (size < FOOTER_BYTES) return 'it is too short'
  const footer = await readAt(file, size - FOOTER_BYTES, FOOTER_BYTES)
  if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) return 'its end is not that of a table'
  const handles = new VarintReader(footer)
  try {
    await blockOf(file, size, 'its list of filters', handles)
    const index = await blockOf(file, size, 'its index', handles)
    if (depth === 'blocks') for (const { value } of entriesOf(index)) await checkBlock(file, size, reader(value))
  } catch (error) {
    if (error instanceof TableFault) return error.message
    if (error instanceof RangeError) return 'its end cannot be read'
    throw error
  }
  return undefined
}

class TableFault extends Error {}

/** The block that a handle names. @throws TableFault when it is damaged */
async function blockOf(file: FileHandle, size: number, what: string, handle: VarintReader): Promise<Buffer> {
  const { offset, rows, isSound, isCompressed } = await readBlock(file, size, what, handle)
  if (!isSound) throw new TableFault(`${what} is damaged, at byte ${offset}`)
  return isCompressed ? unpacked(rows) : rows
}

async function checkBlock(file: FileHandle, size: number, handle: VarintReader): Promise<void> {
  const { offset, isSound } = await readBlock(file, size, 'a block', handle)
  if (!isSound) throw new TableFault(`a block is damaged, at byte ${offset}`)
}

interface Block {
  readonly offset: number
  readonly rows: Buffer
  readonly isSound: boolean
  readonly isCompressed: boolean
}

/** Unpacks a block whose checksum is right: these are the bytes that LevelDB wrote. The native module is loaded when it is needed. */
const unpacked = (bytes: Buffer): Buffer =>
  (createRequire(import.meta.url)('snappy') as typeof Snappy).uncompressSync(bytes, { asBuffer: true }) as Buffer

/** @throws TableFault when it cannot be in the file @throws RangeError when the handle cannot be read */
async function readBlock(file: FileHandle, size: number, what: string, handle: VarintReader): Promise<Block> {
  const [offset, length] = [handle.varint(), handle.varint()]
  if (offset + length + TRAILER_BYTES > size - FOOTER_BYTES) throw new TableFault(`${what} lies outside of it`)
  const bytes = await readAt(file, offset, length + TRAILER_BYTES)
  const isSound = maskedCrc(bytes.subarray(0, length + 1)) === bytes.readUInt32LE(length + 1)
  return { offset, rows: bytes.subarray(0, length), isSound, isCompressed: bytes[length] === COMPRESSED }
}

/**
 * A table of what is sound in a damaged one, for LevelDB's repair: that believes every length which it finds, and ends the
 * process where one is wrong. Sound blocks stay where they are; of a damaged one the entries that can be made out follow in
 * a block of their own (the rows in them have checksums, which tell which of them are true). A new index leads to both.
 * @returns undefined when nothing can be made of it: its end or its index is damaged, or no entry is left
 */
export async function soundPart(file: FileHandle, size: number): Promise<Buffer | undefined> {
  if ((await faultOfTable(file, size, 'indexes')) !== undefined) return undefined
  const bytes = await readAt(file, 0, size)
  const footer = bytes.subarray(size - FOOTER_BYTES)
  const handles = reader(footer)
  await blockOf(file, size, 'its list of filters', handles)
  const filters = footer.subarray(0, handles.at)
  const index = await blockOf(file, size, 'its index', handles)
  const parts = [bytes.subarray(0, size - FOOTER_BYTES)]
  let end = parts[0]!.length
  const put = (entries: readonly Entry[]): Buffer => {
    const block = blockWith(entries)
    const handle = Buffer.concat([varintOf(end), varintOf(block.length - TRAILER_BYTES)])
    parts.push(block)
    end += block.length
    return handle
  }
  const sound: Entry[] = []
  for (const { key, value } of entriesOf(index)) {
    const { rows, isSound, isCompressed } = await readBlock(file, size, 'a block', reader(value))
    const entries = isSound ? undefined : isCompressed ? [] : legible(rows, sound.at(-1)?.key, key)
    if (entries?.length !== 0) sound.push({ key, value: entries ? put(entries) : value })
  }
  if (sound.length === 0) return undefined
  const tail = Buffer.alloc(FOOTER_BYTES)
  Buffer.concat([filters, put(sound)]).copy(tail)
  MAGIC.copy(tail, FOOTER_BYTES - MAGIC.length)
  return Buffer.concat([...parts, tail])
}

/** A row, or in an index a key at or behind the last one of a block, and the block's handle. */
interface Entry {
  readonly key: Buffer
  readonly value: Buffer
}

/** The entries of a damaged block whose keys can be keys, and are in order behind `after` and up to `last`. */
function legible(block: Buffer, after: Buffer | undefined, last: Buffer): Entry[] {
  const entries: Entry[] = []
  let before = after
  try {
    for (const entry of entriesOf(block)) {
      if (!isKey(entry.key) || (before && !isBefore(before, entry.key)) || isBefore(last, entry.key)) continue
      before = entry.key
      entries.push(entry)
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return entries
}

/** The last bytes of a key are the number of its write and what was done, a put or a deletion (doc/impl, dbformat). */
const isKey = (key: Buffer): boolean => key.length >= SUFFIX_BYTES && key[key.length - SUFFIX_BYTES]! <= PUT

/** By key, and of one key the newer write first. */
function isBefore(a: Buffer, b: Buffer): boolean {
  const order = a.subarray(0, -SUFFIX_BYTES).compare(b.subarray(0, -SUFFIX_BYTES))
  return order !== 0
    ? order < 0
    : a.readBigUInt64LE(a.length - SUFFIX_BYTES) > b.readBigUInt64LE(b.length - SUFFIX_BYTES)
}

/** @throws RangeError where it cannot be read */
function* entriesOf(block: Buffer): Generator<Entry> {
  const restarts = block.readUInt32LE(block.length - RESTART_BYTES)
  const entries = reader(block.subarray(0, Math.max(0, block.length - RESTART_BYTES * (restarts + 1))))
  let key = Buffer.alloc(0)
  while (!entries.isDone) {
    const [shared, keyBytes, valueBytes] = [entries.varint(), entries.varint(), entries.varint()]
    key = Buffer.concat([key.subarray(0, shared), entries.bytesOf(keyBytes)])
    yield { key, value: entries.bytesOf(valueBytes) }
  }
}

/** A block with its trailer; each key stands in it in full. */
function blockWith(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = []
  const restarts: number[] = []
  let at = 0
  for (const { key, value } of entries) {
    restarts.push(at)
    const parted = [varintOf(0), varintOf(key.length), varintOf(value.length), key, value]
    at += parted.reduce((sum, { length }) => sum + length, 0)
    parts.push(...parted)
  }
  const tail = Buffer.alloc(RESTART_BYTES * (restarts.length + 1) + TRAILER_BYTES)
  for (const [index, restart] of restarts.entries()) tail.writeUInt32LE(restart, RESTART_BYTES * index)
  tail.writeUInt32LE(restarts.length, RESTART_BYTES * restarts.length)
  const block = Buffer.concat([...parts, tail])
  const sumAt = block.length - CRC_BYTES // the type before it, 0 for a block that is not compressed, is part of the sum
  block.writeUInt32LE(maskedCrc(block.subarray(0, sumAt)), sumAt)
  return block
}

function varintOf(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}

const reader = (bytes: Buffer): VarintReader => new VarintReader(bytes)

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0, length, position)
  return bytes
}
