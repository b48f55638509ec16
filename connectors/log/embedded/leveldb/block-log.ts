import { crc32c } from '../../core/crc32c.ts'

/**
 * LevelDB's record format (doc/log_format.md), in which its `.log` files and its MANIFEST are written: blocks of 32 KiB with
 * fragments `masked CRC-32C of type and bytes (u32) | length (u16) | type (u8) | bytes`, little-endian.
 */
const BLOCK_BYTES = 32 * 1024
const HEAD_BYTES = 7
const TYPE = { full: 1, first: 2, middle: 3, last: 4 } as const

/** The content of a place: a whole record, or bytes that are none. */
export type BlockLogItem =
  | { readonly at: number; readonly record: Buffer }
  | {
      readonly at: number
      readonly fault: string
      /** The damage ends with the file, as a write does during which the process died. */
      readonly atEnd: boolean
    }

/** LevelDB stores CRCs masked, since a CRC of bytes with a CRC in them means little. */
export function maskedCrc(bytes: Buffer): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** Every record, and every place where one should be: after a fault it goes on with the next block, as LevelDB does. */
export function* readBlockLog(file: Buffer): Generator<BlockLogItem> {
  let parts: { readonly at: number; readonly pieces: Buffer[] } | undefined
  let afterFault = false
  let at = 0
  while (at < file.length) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES)
    if (left < HEAD_BYTES) {
      at += left
      continue
    }
    const fragment = fragmentAt(file, at, left)
    if ('fault' in fragment) {
      yield { at: parts?.at ?? at, ...fragment }
      parts = undefined
      afterFault = true
      at += left
      continue
    }
    const { type, bytes } = fragment
    if (type === TYPE.full || type === TYPE.first) {
      if (parts) yield { at: parts.at, fault: 'a record has no end', atEnd: false }
      parts = { at, pieces: [] }
    } else if (!parts && !afterFault) yield { at, fault: 'a record has no beginning', atEnd: false }
    parts?.pieces.push(bytes)
    if (parts && (type === TYPE.full || type === TYPE.last)) {
      yield { at: parts.at, record: parts.pieces.length === 1 ? parts.pieces[0]! : Buffer.concat(parts.pieces) }
      parts = undefined
      afterFault = false
    }
    at += HEAD_BYTES + bytes.length
  }
  if (parts) yield { at: parts.at, fault: 'a record has no end', atEnd: true }
}

function fragmentAt(
  file: Buffer,
  at: number,
  left: number,
): { readonly type: number; readonly bytes: Buffer } | { readonly fault: string; readonly atEnd: boolean } {
  const atEnd = at + left >= file.length
  if (at + HEAD_BYTES > file.length) return { fault: 'it ends within a record', atEnd: true }
  const length = file.readUInt16LE(at + 4)
  const type = file[at + 6]!
  const end = at + HEAD_BYTES + length
  if (length === 0 && type === 0) return { fault: 'zeros where a record should be', atEnd }
  if (length + HEAD_BYTES > left) return { fault: 'a length is wrong', atEnd }
  if (end > file.length) return { fault: 'it ends within a record', atEnd: true }
  if (maskedCrc(file.subarray(at + 6, end)) !== file.readUInt32LE(at)) return { fault: 'a checksum is wrong', atEnd }
  if (type < TYPE.full || type > TYPE.last) return { fault: 'a record is of no known type', atEnd }
  return { type, bytes: file.subarray(at + HEAD_BYTES, end) }
}
