/**
 * Cuts the byte stream of `/collect` into messages: 36 ASCII bytes of a UUID, then one JSON object, back to back, without
 * length or delimiter. A chunk is not a message: it may hold half of one, or many.
 *
 * Each byte is looked at once, however it is dribbled; the end of the object is found by counting braces outside strings.
 * An object that is too long is passed over up to its end, for what comes behind it was promised to its sender as well. There is
 * no way to find the next message behind a broken one, so that ends the stream.
 */

const UUID_BYTES = 36
/** A submission has 400–600 bytes; the longest project names seen stay far below this. Above it a message is OVERSIZE. */
export const FRAME_BYTES_MAX = 64 * 1024
/**
 * The longest message that is passed over, and not the end of its stream. The deployed collector takes up to 4 MiB by gRPC, and
 * writes some bytes as six.
 */
export const SKIPPED_BYTES_MAX = 24 * 1024 * 1024
/** Bytes of a bad message that are kept to look at. */
export const EVIDENCE_BYTES_MAX = 1024

/** A message. The bytes are views of the chunk: read them before the next `push`. */
export interface Frame {
  readonly submissionId: string
  readonly json: Buffer
  /** The whole message. */
  readonly bytes: Buffer
  /** No number of the object has a sign, a fraction or an exponent, so each of them is a plain decimal. */
  readonly plainNumbers: boolean
}

export interface FramingProblem {
  readonly reason: 'MALFORMED' | 'OVERSIZE'
  readonly message: string
  /** The first bytes of the message in hand, at most EVIDENCE_BYTES_MAX. */
  readonly evidence: Buffer
}

export interface Framed {
  readonly frames: readonly Frame[]
  /** Messages that were too long; the stream continues behind them. */
  readonly oversize: readonly FramingProblem[]
  /** Bytes of such messages since the last call, also of one whose end has not come. */
  readonly skippedBytes: number
  /** Set once; nothing can be read from the stream after it. */
  readonly problem?: FramingProblem
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const DASH = 0x2d
const DASHES = [8, 13, 18, 23]
/** Smallest memory taken for a message that is still incomplete; most fit. */
const PARTIAL_BYTES_MIN = 1024

/** The characters that may stand at each place of the id: 1 = hex digit, 2 = dash. */
const ID_KIND = Uint8Array.from({ length: UUID_BYTES }, (_, at) => (DASHES.includes(at) ? 2 : 1))
const BYTE_KIND = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === DASH ? 2 : /[0-9a-fA-F]/.test(String.fromCharCode(byte)) ? 1 : 0,
)
/** Bytes that make a number more than plain digits. `e` also stands in true and false; that only costs a second look. */
const NOT_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => ('-+.eE'.includes(String.fromCharCode(byte)) ? 1 : 0))

/** A message that is too long, up to its end. */
interface Skipping {
  /** Read of it so far. */
  bytes: number
  readonly evidence: Buffer
}

/** Decoder of one stream. Holds at most `frameBytesMax` bytes. */
export class FrameDecoder {
  private readonly frameBytesMax: number
  private readonly skippedBytesMax: number
  /** Bytes of the message in hand that came in earlier chunks: `partial[0 … partialLength)`. */
  private partial: Buffer | undefined
  private partialLength = 0
  private depth = 0
  private inString = false
  /** The next byte of the string is escaped. */
  private escaping = false
  private plainNumbers = true
  private skipping: Skipping | undefined
  private failed = false

  constructor(frameBytesMax: number = FRAME_BYTES_MAX, skippedBytesMax: number = SKIPPED_BYTES_MAX) {
    this.frameBytesMax = frameBytesMax
    this.skippedBytesMax = skippedBytesMax
  }

  /** Memory held for an incomplete message. */
  get partialBytes(): number {
    return this.partial?.length ?? this.skipping?.evidence.length ?? 0
  }

  /** Bytes of an incomplete message that were read. */
  get unfinishedBytes(): number {
    return this.skipping?.bytes ?? this.partialLength
  }

  /** The messages that `chunk` completes. */
  push(chunk: Uint8Array): Framed {
    const frames: Frame[] = []
    const oversize: FramingProblem[] = []
    let skippedBytes = 0
    if (this.failed) return { frames, oversize, skippedBytes }
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let start = 0
    while (start < bytes.length) {
      const before = this.skipping?.bytes ?? 0
      const end = this.skipping ? start : this.scan(bytes, start)
      if (typeof end === 'object') return { frames, oversize, skippedBytes, problem: end }
      if (end === undefined) break
      if (this.skipping) {
        start = this.skip(bytes, end)
        skippedBytes += this.skipping.bytes - before
        const told = this.skipped()
        if (told && this.failed) return { frames, oversize, skippedBytes, problem: told }
        if (told) oversize.push(told)
      } else {
        frames.push(this.take(bytes.subarray(start, end)))
        start = end
      }
    }
    if (start < bytes.length) this.keep(bytes.subarray(start))
    return { frames, oversize, skippedBytes }
  }

  /**
   * Where the message in hand ends in `bytes`, read from `start`; undefined when it does not end there. For a message that is too
   * long: the place where it became so.
   */
  private scan(bytes: Buffer, start: number): number | undefined | FramingProblem {
    const before = this.partialLength
    const limit = Math.min(bytes.length, start + this.frameBytesMax - before)
    let at = start
    for (let place = before; place < UUID_BYTES && at < limit; place++, at++)
      if (BYTE_KIND[bytes[at]!] !== ID_KIND[place])
        return this.fail('MALFORMED', `no UUID: byte 0x${hexByte(bytes[at]!)} at ${place}`, bytes, start)
    if (before + at - start === UUID_BYTES && at < limit && this.depth === 0) {
      if (bytes[at] !== OPEN)
        return this.fail('MALFORMED', `no object after the UUID: byte 0x${hexByte(bytes[at]!)}`, bytes, start)
      this.depth = 1
      at++
    }
    const end = this.depth > 0 ? this.scanObject(bytes, at, limit) : undefined
    if (end !== undefined || limit === bytes.length) return end
    this.skipping = { bytes: before + limit - start, evidence: this.evidenceIn(bytes, start) }
    return limit
  }

  /** Position behind the message that is passed over, or where it is too long for that, or the end of `bytes`. */
  private skip(bytes: Buffer, from: number): number {
    const skipping = this.skipping!
    const limit = Math.min(bytes.length, from + Math.max(0, this.skippedBytesMax - skipping.bytes))
    const end = this.scanObject(bytes, from, limit) ?? limit
    skipping.bytes += end - from
    return end
  }

  /** The problem of the message that is passed over, once the message ends or is too long for that. */
  private skipped(): FramingProblem | undefined {
    const { bytes, evidence } = this.skipping!
    const ended = this.depth === 0
    if (!ended && bytes < this.skippedBytesMax) return undefined
    this.failed = !ended
    this.skipping = undefined
    this.plainNumbers = true
    const message = ended
      ? `${bytes} bytes, and ${this.frameBytesMax} are taken`
      : `more than ${bytes} bytes without an end`
    return { reason: 'OVERSIZE', message, evidence }
  }

  private scanObject(bytes: Buffer, from: number, limit: number): number | undefined {
    let at = from
    while (at < limit) {
      if (this.inString) at = this.scanString(bytes, at, limit)
      else {
        const byte = bytes[at++]!
        if (byte === QUOTE) this.inString = true
        else if (byte === OPEN) this.depth++
        else if (byte === CLOSE) {
          if (--this.depth === 0) return at
        } else if (NOT_PLAIN[byte]) this.plainNumbers = false
      }
    }
    return undefined
  }

  /** Position behind the closing quote, or `limit`. A plain loop: nothing that a peer puts into a string makes it slower. */
  private scanString(bytes: Buffer, from: number, limit: number): number {
    let { escaping } = this
    for (let at = from; at < limit; at++) {
      const byte = bytes[at]!
      if (escaping) escaping = false
      else if (byte === BACKSLASH) escaping = true
      else if (byte === QUOTE) {
        this.inString = false
        this.escaping = false
        return at + 1
      }
    }
    this.escaping = escaping
    return limit
  }

  private take(tail: Buffer): Frame {
    if (this.partial) this.keep(tail)
    const bytes = this.partial?.subarray(0, this.partialLength) ?? tail
    const { plainNumbers } = this
    this.partial = undefined
    this.partialLength = 0
    this.plainNumbers = true
    return {
      submissionId: bytes.toString('latin1', 0, UUID_BYTES).toLowerCase(),
      json: bytes.subarray(UUID_BYTES),
      bytes,
      plainNumbers,
    }
  }

  /** Copies, since the chunk is not ours to keep. Grows by doubling, so a dribble costs O(n). */
  private keep(tail: Buffer): void {
    const length = this.partialLength + tail.length
    if (!this.partial || this.partial.length < length) {
      const size = Math.min(this.frameBytesMax, Math.max(PARTIAL_BYTES_MIN, 2 * length))
      const grown = Buffer.allocUnsafeSlow(size)
      this.partial?.copy(grown, 0, 0, this.partialLength)
      this.partial = grown
    }
    tail.copy(this.partial, this.partialLength)
    this.partialLength = length
  }

  private fail(reason: FramingProblem['reason'], message: string, bytes: Buffer, start: number): FramingProblem {
    this.failed = true
    return { reason, message, evidence: this.evidenceIn(bytes, start) }
  }

  /** The first bytes of the message in hand, which is no longer kept. */
  private evidenceIn(bytes: Buffer, start: number): Buffer {
    const kept = this.partial?.subarray(0, this.partialLength) ?? Buffer.alloc(0)
    const evidence = Buffer.concat([kept, bytes.subarray(start)].map((part) => part.subarray(0, EVIDENCE_BYTES_MAX)))
    this.partial = undefined
    this.partialLength = 0
    return Buffer.from(evidence.subarray(0, EVIDENCE_BYTES_MAX))
  }
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0')
