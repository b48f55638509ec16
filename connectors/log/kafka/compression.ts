import { createRequire } from 'node:module'
import { gunzipSync } from 'node:zlib'
import { decompress as zstdDecompress } from 'fzstd'
import type * as Lz4 from 'lz4-napi'
import type * as Snappy from 'snappy'
import { LogError } from '../../../streams/ports.ts'
import { ByteReader, corrupt } from './byte-reader.ts'
import { BATCH_UNPACKED_BYTES_MAX } from './limits.ts'
import { zstdFrame } from './zstd-frame.ts'

/**
 * Batches that other producers compressed (or brokers, for a topic with a `compression.type` of its own). We write none:
 * values are small, signatures do not compress, and the time would be the hot path's.
 */

/** Native modules, loaded when they are needed: a platform without a binary can do everything else. */
const native = createRequire(import.meta.url)

interface Codec {
  readonly name: string
  decompress(bytes: Buffer): Buffer
}

/** By the number in a batch's attributes. */
const CODECS: Readonly<Record<number, Codec>> = {
  1: { name: 'gzip', decompress: (bytes) => gunzipSync(bytes, { maxOutputLength: BATCH_UNPACKED_BYTES_MAX }) },
  2: { name: 'snappy', decompress: decompressSnappy },
  3: { name: 'lz4', decompress: decompressLz4 },
  4: { name: 'zstd', decompress: decompressZstd },
}

/**
 * @throws LogError `CORRUPT`, `TOO_LARGE`, `UNSUPPORTED_FORMAT` for a codec that Kafka does not have yet, or `CODEC_MISSING`
 * when this machine lacks what unpacks it: then the fault is not the batch's
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  const found = CODECS[codec]
  if (found === undefined)
    throw new LogError('UNSUPPORTED_FORMAT', `a batch is compressed by an unknown codec, ${codec}`)
  try {
    return found.decompress(bytes)
  } catch (cause) {
    const { message, code } = cause as Error & { code?: string }
    if (code === 'TOO_LARGE') throw cause
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge()
    if (code === 'MODULE_NOT_FOUND' || code === 'ERR_DLOPEN_FAILED')
      throw new LogError('CODEC_MISSING', `${found.name} cannot be unpacked on this machine: ${message}`, { cause })
    throw new LogError('CORRUPT', `a batch does not decompress by ${found.name}: ${message}`, { cause })
  }
}

/** Java's producer puts Snappy blocks into frames of the library it uses (xerial); librdkafka writes one plain block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER_BYTES = 16
/** The densest element of Snappy: three bytes for a copy of 64. */
const SNAPPY_RATIO_MAX = 22

function decompressSnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC))
    return decompressSnappyBlock(bytes, BATCH_UNPACKED_BYTES_MAX)
  const blocks: Buffer[] = []
  let left = BATCH_UNPACKED_BYTES_MAX
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const from = at + 4
    const end = from + bytes.readUInt32BE(at)
    if (end > bytes.length) throw corrupt('a block is cut off')
    const block = decompressSnappyBlock(bytes.subarray(from, end), left)
    left -= block.length
    blocks.push(block)
    at = end
  }
  return Buffer.concat(blocks)
}

/** The block states its length, which is allocated before anything else is looked at. */
function decompressSnappyBlock(block: Buffer, sizeBytesMax: number): Buffer {
  const stated = new ByteReader(block, true).uvarint()
  if (stated > Math.min(sizeBytesMax, block.length * SNAPPY_RATIO_MAX))
    throw stated > sizeBytesMax ? tooLarge() : corrupt(`a block of ${block.length} bytes states to hold ${stated}`)
  return (native('snappy') as typeof Snappy).uncompressSync(block, { asBuffer: true }) as Buffer
}

function decompressLz4(bytes: Buffer): Buffer {
  if (lz4BoundBytes(bytes) > BATCH_UNPACKED_BYTES_MAX) throw tooLarge()
  return (native('lz4-napi') as typeof Lz4).decompressFrameSync(bytes)
}

const LZ4_MAGIC = 0x184d2204
const LZ4_BLOCK_CHECKSUM_FLAG = 0x10
const LZ4_CONTENT_SIZE_FLAG = 0x08
/** No token of LZ4 stands for more bytes than this per byte of its own. */
const LZ4_RATIO_MAX = 255

/** At most how large a frame's content is, by the sizes of its blocks: the library takes no limit. */
function lz4BoundBytes(frame: Buffer): number {
  if (frame.readUInt32LE(0) !== LZ4_MAGIC) throw corrupt('no LZ4 frame')
  const flags = frame[4]!
  const blockBytesMax = 2 ** (8 + 2 * ((frame[5]! >> 4) & 7))
  let bound = 0
  for (let at = flags & LZ4_CONTENT_SIZE_FLAG ? 15 : 7; ; ) {
    const size = frame.readUInt32LE(at) & 0x7fff_ffff
    if (size === 0) return bound
    bound += Math.min(blockBytesMax, size * LZ4_RATIO_MAX)
    at += 4 + size + (flags & LZ4_BLOCK_CHECKSUM_FLAG ? 4 : 0)
  }
}

function decompressZstd(bytes: Buffer): Buffer {
  const frames: Uint8Array[] = []
  let left = BATCH_UNPACKED_BYTES_MAX
  for (let at = 0; at < bytes.length; ) {
    const { length, boundBytes } = zstdFrame(bytes.subarray(at))
    left -= boundBytes
    if (left < 0) throw tooLarge()
    frames.push(zstdDecompress(bytes.subarray(at, at + length)))
    at += length
  }
  return Buffer.concat(frames)
}

const tooLarge = (): LogError =>
  new LogError('TOO_LARGE', `a batch unpacks to more than ${BATCH_UNPACKED_BYTES_MAX} bytes`)
