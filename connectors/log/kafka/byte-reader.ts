import { LogError } from '../../../streams/ports.ts'

export const TWO_32 = 2 ** 32
export const UUID_BYTES = 16

/**
 * Reads one buffer from front to end without copying: bytes are views into it.
 * Every method throws `LogError` `CORRUPT` when the buffer ends too early or a length cannot be.
 */
export class ByteReader {
  readonly flexible: boolean
  /** As `throttle` has read it. */
  throttleMs = 0
  private readonly buffer: Buffer
  private at: number

  constructor(buffer: Buffer, flexible: boolean, from = 0) {
    this.buffer = buffer
    this.flexible = flexible
    this.at = from
  }

  get offset(): number {
    return this.at
  }

  get remaining(): number {
    return this.buffer.length - this.at
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.buffer.readInt8(this.take(1))
  }

  int16(): number {
    return this.buffer.readInt16BE(this.take(2))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.take(4))
  }

  /** The throttle time of an answer: how long the broker reads nothing more from the connection, ms. */
  throttle(): void {
    this.throttleMs = this.int32()
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.take(4))
  }

  /** An offset, a time: anything that must be a safe integer. */
  int64(): number {
    return readInt64(this.buffer, this.take(8))
  }

  bigint64(): bigint {
    return this.buffer.readBigInt64BE(this.take(8))
  }

  /** As Kafka's tools print it: 22 characters of base64url. */
  uuid(): string {
    return this.raw(UUID_BYTES).toString('base64url')
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.take(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw corrupt('a varint has more than 5 bytes')
  }

  string(): string {
    const value = this.nullableString()
    if (value === null) throw corrupt('a string that must be there is null')
    return value
  }

  nullableString(): string | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int16()
    if (length === -1) return null
    const at = this.take(length)
    return this.buffer.toString('utf8', at, at + length)
  }

  bytes(): Buffer {
    const value = this.nullableBytes()
    if (value === null) throw corrupt('bytes that must be there are null')
    return value
  }

  nullableBytes(): Buffer | null {
    const length = this.length()
    return length === -1 ? null : this.raw(length)
  }

  /** The next bytes, without a length before them. */
  raw(length: number): Buffer {
    const at = this.take(length)
    return this.buffer.subarray(at, at + length)
  }

  /** A null array reads as an empty one. */
  array<T>(read: (reader: ByteReader) => T): T[] {
    const count = this.length()
    if (count > this.remaining) throw corrupt(`an array of ${count} items in ${this.remaining} bytes`)
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read(this))
    return items
  }

  /** An array of structures: `read` takes the fields of one, and its end is passed over here. */
  structures<T>(read: () => T): T[] {
    return this.array(() => this.structure(read))
  }

  /** A structure whose tagged fields say nothing. */
  structure<T>(read: () => T): T {
    const fields = read()
    this.endStructure()
    return fields
  }

  /** An answer as nearly all are: the throttle time, the fields, the end. */
  answer<T>(read: () => T): T {
    this.throttle()
    return this.structure(read)
  }

  /**
   * The end of a structure: its tagged fields. Reads nothing in a classic version.
   * @param known called with each tag and a reader of its value; unknown tags are passed over
   */
  endStructure(known?: (tag: number, value: ByteReader) => void): void {
    if (!this.flexible) return
    const count = this.uvarint()
    if (count > this.remaining) throw corrupt(`${count} tagged fields in ${this.remaining} bytes`)
    for (let index = 0; index < count; index++) {
      const tag = this.uvarint()
      const value = this.raw(this.uvarint())
      known?.(tag, new ByteReader(value, true))
    }
  }

  private length(): number {
    return this.flexible ? this.uvarint() - 1 : this.int32()
  }

  /** Moves on; returns where the bytes taken begin. */
  private take(length: number): number {
    const from = this.at
    const end = from + length
    if (length < 0 || end > this.buffer.length)
      throw corrupt(`${length} bytes are needed at ${from}, ${this.buffer.length - from} are there`)
    this.at = end
    return from
  }
}

export function corrupt(message: string): LogError {
  return new LogError('CORRUPT', message)
}

/** @throws LogError `CORRUPT` when it is not a safe integer */
function readInt64(buffer: Buffer, at: number): number {
  const value = buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)
  if (!Number.isSafeInteger(value)) throw corrupt(`an int64 beyond 2^53 at ${at}`)
  return value
}

/** A timestamp: its writer may choose any int64. Beyond 2^53 only about. */
export const readLooseInt64 = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)
