/** Avro types as avsc builds them, bounded where it is not: what a damaged record may cost, and which numbers are safe. */
import avro from 'avsc'
import type { AvroSchema } from './load.ts'

/** The types of a subject's union in order, or its one type. */
export function branchesOf(schema: AvroSchema): readonly avro.Type[] {
  const type = avro.Type.forSchema(schema as avro.Schema, { typeHook: ownType })
  return Array.isArray(schema) ? (type as avro.types.UnwrappedUnionType).types : [type]
}

/** The part of avsc's internals that our types need. */
interface Tap {
  readonly buf: Buffer
  readonly pos: number
  readLong(): number
  writeLong(value: number): void
}

interface TextTap {
  readonly buf: Buffer & Record<'latin1Write' | 'utf8Write', (text: string, at: number, bytes: number) => number>
  pos: number
  writeLong(value: number): void
  writeString(text: string): void
}

/** avsc itself stops at 2^53 − 2 and garbles what lies below −2^52; our bound on ids, blocks and deadlines is 2^53 − 1. */
class SafeLongType extends avro.types.LongType {
  _check(value: unknown, _flags: unknown, hook?: (value: unknown, type: avro.Type) => void): boolean {
    const fits = isLong(value)
    if (!fits) hook?.(value, this)
    return fits
  }

  _read(tap: Tap): number {
    const value = tap.readLong()
    if (!isLong(value)) throw new RangeError(`the long ${value} lies outside −2^52 … 2^53 − 1`)
    return value
  }

  _write(tap: Tap, value: number): void {
    if (!isLong(value)) throw new RangeError(`the long ${value} lies outside −2^52 … 2^53 − 1`)
    tap.writeLong(value)
  }
}

/** Below −2^52 the zigzag form 2·|n| − 1 is an odd number above 2^53, which a double cannot hold. */
const LONG_MIN = -(2 ** 52)

const isLong = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= LONG_MIN

/** Below, a loop of avsc's is faster than a call that leaves JavaScript. */
const SHORT_TEXT = 24

/** avsc writes texts of up to 64 bytes character by character; most of ours are ids, CIDs and hashes of 36 to 130 in ASCII. */
class TextType extends avro.types.StringType {
  _write(tap: TextTap, text: string): void {
    const bytes = Buffer.byteLength(text)
    if (bytes < SHORT_TEXT) {
      tap.writeString(text)
      return
    }
    tap.writeLong(bytes)
    const at = tap.pos
    tap.pos += bytes
    if (tap.pos > tap.buf.length) return // avsc looks at the position afterwards, and asks for a larger buffer
    if (bytes === text.length) tap.buf.latin1Write(text, at, bytes)
    else tap.buf.utf8Write(text, at, bytes)
  }
}

/** An item takes a byte at least, so no count may exceed the bytes left: a damaged one must not fill the memory. */
class BoundedArrayType extends avro.types.ArrayType {
  _read(tap: Tap): unknown[] {
    const itemsType = this.itemsType as unknown as { _read(tap: Tap): unknown }
    const items: unknown[] = []
    for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
      if (count < 0) {
        count = -count
        tap.readLong() // the block's size in bytes
      }
      if (count > tap.buf.length - tap.pos) throw new RangeError(`an array of ${count} items does not fit`)
      for (let i = 0; i < count; i++) items.push(itemsType._read(tap))
    }
    return items
  }
}

function ownType(schema: avro.Schema, options: object): avro.Type | undefined {
  if (schema === 'long' || (typeof schema === 'object' && 'type' in schema && schema.type === 'long'))
    return new SafeLongType()
  if (schema === 'string') return new TextType()
  const isArray = typeof schema === 'object' && 'items' in schema
  return isArray ? new BoundedArrayType(schema as avro.schema.ArrayType, options) : undefined
}
