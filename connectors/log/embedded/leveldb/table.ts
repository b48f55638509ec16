import type { FileHandle } from 'node:fs/promises'
import { maskedCrc } from './block-log.ts'
import { VarintReader } from './varint.ts'

/** The end of a table: two block handles and a magic number (doc/table_format.md). */
const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
/** Type of compression and masked CRC-32C behind each block. */
const TRAILER_BYTES = 5

/**
 * What is wrong with a table, as far as its footer and its two index blocks tell; undefined when they are sound. They lead to
 * every row, and LevelDB does not look at their checksums; the rows have their own.
 */
export async function faultOfTable(file: FileHandle, size: number): Promise<string | undefined> {
  if (size < FOOTER_BYTES) return 'it is too short'
  const footer = await readAt(file, size - FOOTER_BYTES, FOOTER_BYTES)
  if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) return 'its end is not that of a table'
  const handles = new VarintReader(footer)
  try {
    for (const what of ['its list of filters', 'its index']) {
      const [offset, length] = [handles.varint(), handles.varint()]
      if (offset + length + TRAILER_BYTES > size - FOOTER_BYTES) return `${what} lies outside of it`
      const block = await readAt(file, offset, length + TRAILER_BYTES)
      if (maskedCrc(block.subarray(0, length + 1)) !== block.readUInt32LE(length + 1)) return `${what} is damaged`
    }
  } catch (error) {
    if (error instanceof RangeError) return 'its end cannot be read'
    throw error
  }
  return undefined
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0, length, position)
  return bytes
}
