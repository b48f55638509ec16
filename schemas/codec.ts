/**
 * Bytes ↔ values in the Confluent wire format: magic byte 0, schema id as int32 big-endian, Avro binary. Everything is
 * looked up once in `createCodec`, so that both directions are synchronous afterwards. Records of every version that the
 * registry knows are read as the newest one.
 */
import avro from 'avsc'
import { type AvroSchema, loadRecords, subjectSchema } from './load.ts'
import type { RegisteredSchema, SchemaRegistry } from './registry.ts'
import { SUBJECTS, type Subject, type SubjectName } from './subjects.ts'

const MAGIC = 0
const HEADER_BYTES = 5
const SCRATCH_BYTES = 64 * 1024

export interface AvroSerde<T> {
  encode(value: T): Uint8Array
  /** Throws `CodecError` on another magic byte, an unknown schema id, or bytes that do not fit the schema. */
  decode(bytes: Uint8Array): T
}

export interface Codec {
  serde<T>(subject: SubjectName): AvroSerde<T>
}

export class CodecError extends Error {
  readonly code: 'NOT_FRAMED' | 'UNKNOWN_SCHEMA' | 'UNREADABLE'
  constructor(code: CodecError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'CodecError'
    this.code = code
  }
}

/**
 * Registers every subject under `<prefix><subject>` and builds the serdes, with a resolver for each other version that the
 * registry knows, so that old records stay readable. Rejects when the registry cannot be reached or refuses a schema.
 */
export async function createCodec(registry: SchemaRegistry, prefix = ''): Promise<Codec> {
  const records = loadRecords()
  const serdes = new Map(
    await Promise.all(
      Object.entries<Subject>(SUBJECTS).map(async ([name, subject]) => {
        const schema = subjectSchema(subject, records)
        const id = await registry.register(prefix + name, schema)
        const versions = await registry.versions(prefix + name)
        return [name, createSerde(prefix + name, { id, schema }, versions, subject.branch)] as const
      }),
    ),
  )
  return { serde: <T>(subject: SubjectName) => serdes.get(subject) as AvroSerde<T> }
}

export function createSerde(
  name: string,
  current: RegisteredSchema,
  versions: readonly RegisteredSchema[],
  branch?: (value: object) => number,
): AvroSerde<unknown> {
  const branches = branchesOf(current.schema)
  const readers = readersByWriter(current, versions, branches)
  const valueAt = branch ? HEADER_BYTES + 1 : HEADER_BYTES
  let scratch = Buffer.allocUnsafe(SCRATCH_BYTES)

  const encode = (value: unknown): Uint8Array => {
    const index = branch ? branch(value as object) : 0
    scratch.writeUInt8(MAGIC, 0)
    scratch.writeInt32BE(current.id, 1)
    if (branch) scratch.writeUInt8(index << 1, HEADER_BYTES) // a union is its branch as a zigzag long, then the value
    const end = branches[index]!.encode(value, scratch, valueAt)
    if (end < 0) {
      // avsc answers −(bytes missing) when the buffer is short
      scratch = Buffer.allocUnsafe(2 * (scratch.length - end))
      return encode(value)
    }
    return Buffer.from(scratch.subarray(0, end))
  }

  const decode = (bytes: Uint8Array): unknown => {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (buffer.length < HEADER_BYTES || buffer[0] !== MAGIC)
      throw new CodecError(
        'NOT_FRAMED',
        `${name}: no Confluent frame (magic byte 0 and a schema id) in ${buffer.length} bytes`,
      )
    const writerId = buffer.readInt32BE(1)
    const reader = readers.get(writerId)
    if (!reader)
      throw new CodecError(
        'UNKNOWN_SCHEMA',
        `${name}: schema id ${writerId} is not known, expected ${[...readers.keys()].join(' or ')}`,
      )
    return readValue(name, buffer, branch ? buffer[HEADER_BYTES] : undefined, reader, valueAt)
  }
  return { encode, decode }
}

function readValue(
  name: string,
  buffer: Buffer,
  branchByte: number | undefined,
  reader: readonly (BranchReader | undefined)[],
  valueAt: number,
): unknown {
  // a branch is a zigzag long; ours are below 64, so one even byte
  const branchReader = branchByte === undefined ? reader[0] : branchByte & 1 ? undefined : reader[branchByte >> 1]
  if (!branchReader || buffer.length < valueAt)
    throw new CodecError('UNREADABLE', `${name}: union branch byte ${branchByte} does not exist`)
  let decoded: { value: unknown; offset: number }
  try {
    decoded = branchReader.type.decode(buffer, valueAt, branchReader.resolver)
  } catch (error) {
    throw new CodecError('UNREADABLE', `${name}: ${buffer.length} bytes do not hold one value`, error)
  }
  if (decoded.offset !== buffer.length)
    throw new CodecError('UNREADABLE', `${name}: ${buffer.length} bytes do not hold one value`)
  return decoded.value
}

/** How one branch of a writer's schema is read; `resolver` is undefined when the writer's schema is the reader's. */
interface BranchReader {
  readonly type: avro.Type
  readonly resolver?: Resolver
}
type Resolver = ReturnType<avro.Type['createResolver']>

/** Writer schema id → readers by the writer's branch; undefined for a branch that the current schema lacks. */
function readersByWriter(
  current: RegisteredSchema,
  versions: readonly RegisteredSchema[],
  branches: readonly avro.Type[],
): ReadonlyMap<number, readonly (BranchReader | undefined)[]> {
  const readers = new Map<number, readonly (BranchReader | undefined)[]>()
  for (const version of versions) {
    if (version.id === current.id) continue
    const written = branchesOf(version.schema)
    readers.set(
      version.id,
      written.map((writer) => {
        const type = branches.find((branch) => branch.name === writer.name)
        return type && { type, resolver: type.createResolver(writer) }
      }),
    )
  }
  readers.set(
    current.id,
    branches.map((type) => ({ type })),
  )
  return readers
}

/** The types of a subject's union in order, or its one type. */
function branchesOf(schema: AvroSchema): readonly avro.Type[] {
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
  const isArray = typeof schema === 'object' && 'items' in schema
  return isArray ? new BoundedArrayType(schema as avro.schema.ArrayType, options) : undefined
}
