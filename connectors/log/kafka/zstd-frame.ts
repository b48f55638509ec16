import { corrupt } from './byte-reader.ts'

/** RFC 8878, 3.1.1. */
const MAGIC = 0xfd2fb528
const BLOCK_BYTES_MAX = 128 * 1024
const RLE_BLOCK = 1
const COMPRESSED_BLOCK = 2

export interface ZstdFrame {
  /** Length of the frame, in bytes. */
  readonly length: number
  /** At most what a decoder allocates for it: its content, and the window to look back in. */
  readonly boundBytes: number
}

/** Walks the frame that begins here by its headers alone: the library takes no limit, and believes what a frame states. */
export function zstdFrame(bytes: Buffer): ZstdFrame {
  if (bytes.readUInt32LE(0) !== MAGIC) throw corrupt('no Zstandard frame')
  const descriptor = bytes[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  const contentSizeAt = (isSingleSegment ? 5 : 6) + dictionaryIdBytes
  const statedBytes = contentSizeOf(bytes, contentSizeAt, contentSizeBytes)
  const windowBytes = isSingleSegment ? statedBytes : windowSizeOf(bytes[5]!)
  const blocks = walkBlocks(bytes, contentSizeAt + contentSizeBytes)
  const checksumBytes = descriptor & 0x04 ? 4 : 0
  return { length: blocks.end + checksumBytes, boundBytes: Math.max(statedBytes, windowBytes, blocks.contentBytes) }
}

function contentSizeOf(bytes: Buffer, at: number, width: number): number {
  if (width === 0) return 0
  if (width === 8) return Number(bytes.readBigUInt64LE(at))
  return bytes.readUIntLE(at, width) + (width === 2 ? 256 : 0)
}

function windowSizeOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

/** @throws RangeError when the bytes end before the last block does */
function walkBlocks(bytes: Buffer, from: number): { readonly end: number; readonly contentBytes: number } {
  let contentBytes = 0
  for (let at = from; ; ) {
    const header = bytes.readUIntLE(at, 3)
    const type = (header >> 1) & 3
    const size = header >> 3
    contentBytes += type === COMPRESSED_BLOCK ? BLOCK_BYTES_MAX : size
    at += 3 + (type === RLE_BLOCK ? 1 : size)
    if (at > bytes.length) throw corrupt('a Zstandard block is cut off')
    if (header & 1) return { end: at, contentBytes }
  }
}
