import { LogError } from '../../../streams/ports.ts'
import { writeUvarint } from './uvarint.ts'

/**
 * The primitive types of Kafka's protocol (protocol guide, "Protocol Primitive Types"). A version of a request is either
 * classic (lengths of fixed size) or flexible (lengths as unsigned varints plus one, tagged fields behind each structure;
 * KIP-482). The reader and the writer know which, so that one encoder serves the versions on both sides of the change.
 */

const INITIAL_BYTES = 512
const TWO_32 = 2 ** 32
const UUID_BYTES = 16

/** Writes into one buffer that doubles when it is full. */
export class ByteWriter {
  readonly flexible: boolean
  private buffer: Buffer
  private at = 0

  constructor(flexible: boolean, sizeBytes = INITIAL_BYTES) {
    this.flexible = flexible
    this.buffer = Buffer.allocUnsafe(sizeBytes)
  }

  get length(): number {
    return this.at
  }

  /** The written bytes: a view, valid until the next write. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.at)
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.reserve(1)
    this.buffer.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.reserve(2)
    this.buffer.writeInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.reserve(4)
    this.buffer.writeInt32BE(value, at)
  }

  /** @param value a bigint (producer ids), or a number that is a safe integer */
  int64(value: number | bigint): void {
    const at = this.reserve(8)
    if (typeof value === 'bigint') this.buffer.writeBigInt64BE(value, at)
    else if (Number.isSafeInteger(value)) {
      this.buffer.writeInt32BE(Math.floor(value / TWO_32), at)
      this.buffer.writeUInt32BE(value >>> 0, at + 4)
    } else throw new RangeError(`${value} is not a safe integer`)
  }

  /** @param value 0 … 2^32 - 1 */
  uvarint(value: number): void {
    const from = this.reserve(5)
    this.at = writeUvarint(this.buffer, from, value)
  }

  string(value: string): void {
    this.nullableString(value)
  }

  nullableString(value: string | null): void {
    if (value === null) this.shortLength(-1)
    else {
      const length = Buffer.byteLength(value)
      this.shortLength(length)
      const at = this.reserve(length)
      this.buffer.write(value, at)
    }
  }

  bytes(value: Uint8Array): void {
    this.nullableBytes(value)
  }

  nullableBytes(value: Uint8Array | null): void {
    this.lengthOf(value === null ? -1 : value.length)
    if (value !== null) this.raw(value)
  }

  /** Bytes without a length before them. */
  raw(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.buffer.set(value, at)
  }

  array<T>(items: readonly T[], write: (item: T) => void): void {
    this.lengthOf(items.length)
    for (const item of items) write(item)
  }

  nullArray(): void {
    this.lengthOf(-1)
  }

  /** @param value as `ByteReader.uuid` reads it */
  uuid(value: string): void {
    const at = this.reserve(UUID_BYTES)
    if (this.buffer.write(value, at, 'base64url') !== UUID_BYTES) throw new RangeError(`${value} is no UUID`)
  }

  /** The end of a structure: no tagged fields. Writes nothing in a classic version. */
  endStructure(): void {
    if (this.flexible) this.uvarint(0)
  }

  private shortLength(length: number): void {
    if (length > 0x7fff) throw new RangeError(`a string of ${length} bytes; at most 32,767`)
    if (this.flexible) this.uvarint(length + 1)
    else this.int16(length)
  }

  private lengthOf(length: number): void {
    if (this.flexible) this.uvarint(length + 1)
    else this.int32(length)
  }

  /** Makes room and moves on; returns where the room begins. Take it before `this.buffer`: the buffer may be another then. */
  private reserve(sizeBytes: number): number {
    const from = this.at
    const end = from + sizeBytes
    if (end > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.buffer.length * 2))
      this.buffer.copy(larger, 0, 0, from)
      this.buffer = larger
    }
    this.at = end
    return from
  }
}

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
