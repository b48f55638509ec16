import { corrupt } from './byte-reader.ts'

/**
 * The numbers inside a record batch: zigzag varints (small magnitudes of either sign take few bytes), written with 32-bit
 * arithmetic where the number allows it. Kafka's `varint` and `varlong` look alike; here both are numbers up to 2^53 - 1.
 */

const TWO_32 = 2 ** 32
const ZIGZAG_FITS = 2 ** 30
/** A safe integer needs eight bytes of seven bits; Java writes at most ten. */
const VARLONG_BYTES_MAX = 10

/** Bytes that `writeVarint` takes. */
export function varintSize(value: number): number {
  if (value >= -ZIGZAG_FITS && value < ZIGZAG_FITS) {
    const zigzag = (value << 1) ^ (value >> 31)
    return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5
  }
  let size = 1
  for (let rest = zigzagOf(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

/** @returns offset of the next byte */
export function writeVarint(buffer: Uint8Array, from: number, value: number): number {
  let at = from
  if (value < -ZIGZAG_FITS || value >= ZIGZAG_FITS) return writeLarge(buffer, from, value)
  let zigzag = (value << 1) ^ (value >> 31)
  while (zigzag > 0x7f) {
    buffer[at++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  buffer[at++] = zigzag
  return at
}

export function writeInt64(buffer: Buffer, at: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / TWO_32), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

/** Reads varints one after the other and remembers where it is, so that none of them costs an object. */
export class VarintCursor {
  readonly bytes: Uint8Array
  readonly end: number
  at: number

  constructor(bytes: Uint8Array, from: number) {
    this.bytes = bytes
    this.at = from
    this.end = bytes.length
  }

  /** @throws LogError `CORRUPT` when the bytes end inside it or it is no safe integer */
  next(): number {
    const byte = this.bytes[this.at]!
    // Below 0x80: one byte. Behind the end `undefined` compares false and goes the long way, to the error.
    if (byte < 0x80) {
      this.at++
      return (byte >>> 1) ^ -(byte & 1)
    }
    return this.long(false)
  }

  /** The same of a timestamp, which may be any int64: beyond 2^52 only about. */
  nextLoose(): number {
    const byte = this.bytes[this.at]!
    if (byte < 0x80) {
      this.at++
      return (byte >>> 1) ^ -(byte & 1)
    }
    return this.long(true)
  }

  private long(isLoose: boolean): number {
    let low = 0
    let at = this.at
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byteAt(at++)
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return (low >>> 1) ^ -(low & 1)
      }
    }
    return this.larger(low, at, isLoose)
  }

  private larger(low: number, from: number, isLoose: boolean): number {
    let zigzag = low
    let scale = 2 ** 28
    let at = from
    for (let count = 4; count < VARLONG_BYTES_MAX; count++) {
      const byte = this.byteAt(at++)
      zigzag += (byte & 0x7f) * scale
      scale *= 0x80
      if (byte >= 0x80) continue
      const value = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
      if (!isLoose && (!Number.isSafeInteger(value) || zigzag > 2 ** 53))
        throw corrupt(`a varint beyond 2^52 at ${this.at}`)
      this.at = at
      return value
    }
    throw corrupt(`a varint of more than ${VARLONG_BYTES_MAX} bytes at ${this.at}`)
  }

  private byteAt(at: number): number {
    const byte = this.bytes[at]
    if (byte === undefined) throw corrupt(`a varint is cut off at ${at}`)
    return byte
  }
}

function writeLarge(buffer: Uint8Array, from: number, value: number): number {
  let at = from
  let rest = zigzagOf(value)
  while (rest >= 0x80) {
    buffer[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  buffer[at++] = rest
  return at
}

function zigzagOf(value: number): number {
  const zigzag = value < 0 ? -value * 2 - 1 : value * 2
  if (!Number.isSafeInteger(zigzag)) throw new RangeError(`${value} has no exact zigzag varint: it is beyond 2^52`)
  return zigzag
}
