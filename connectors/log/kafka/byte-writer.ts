import { TWO_32, UUID_BYTES } from './byte-reader.ts'
import { writeUvarint } from './uvarint.ts'

/**
 * The primitive types of Kafka's protocol (protocol guide, "Protocol Primitive Types"). A version of a request is either
 * classic (lengths of fixed size) or flexible (lengths as unsigned varints plus one, tagged fields behind each structure;
 * KIP-482). The reader and the writer know which, so that one encoder serves the versions on both sides of the change.
 */

const INITIAL_BYTES = 512

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

  /** An array of structures: `write` gives the fields of one, and its end is written here. */
  structures<T>(items: readonly T[], write: (item: T) => void): void {
    this.array(items, (item) => {
      write(item)
      this.endStructure()
    })
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
