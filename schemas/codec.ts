/**
 * Bytes ↔ values in the Confluent wire format: magic byte 0, schema id as int32 big-endian, Avro binary. Everything is
 * looked up once in `createCodec`, so that both directions are synchronous afterwards.
 */
import avro from 'avsc'
import { type AvroSchema, loadRecords, subjectSchema } from './load.ts'
import type { SchemaRegistry } from './registry.ts'
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

/** Registers every subject under `<prefix><subject>` and builds the serdes. Rejects when the registry cannot be reached. */
export async function createCodec(registry: SchemaRegistry, prefix = ''): Promise<Codec> {
  const records = loadRecords()
  const serdes = new Map<string, AvroSerde<unknown>>()
  for (const [name, subject] of Object.entries<Subject>(SUBJECTS)) {
    const schema = subjectSchema(subject, records)
    const id = await registry.register(prefix + name, schema)
    serdes.set(name, createSerde(prefix + name, id, schema, subject.branch))
  }
  return { serde: <T>(subject: SubjectName) => serdes.get(subject) as AvroSerde<T> }
}

function createSerde(
  name: string,
  id: number,
  schema: AvroSchema,
  branch?: (value: object) => number,
): AvroSerde<unknown> {
  const type = avro.Type.forSchema(schema as avro.Schema)
  const branches = branch ? (type as avro.types.UnwrappedUnionType).types : [type]
  let scratch = Buffer.allocUnsafe(SCRATCH_BYTES)

  const encode = (value: unknown): Uint8Array => {
    const index = branch ? branch(value as object) : 0
    const start = branch ? HEADER_BYTES + 1 : HEADER_BYTES
    scratch.writeUInt8(MAGIC, 0)
    scratch.writeInt32BE(id, 1)
    if (branch) scratch.writeUInt8(index << 1, HEADER_BYTES) // a union is its branch as a zigzag long, then the value
    const end = branches[index]!.encode(value, scratch, start)
    if (end < 0) {
      // avsc answers −(bytes missing) when the buffer is short
      scratch = Buffer.allocUnsafe(2 * (scratch.length - end))
      return encode(value)
    }
    return Buffer.from(scratch.subarray(0, end))
  }

  const decode = (bytes: Uint8Array): unknown => {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (buffer.length <= HEADER_BYTES || buffer[0] !== MAGIC)
      throw new CodecError(
        'NOT_FRAMED',
        `${name}: no Confluent frame (magic byte 0 and a schema id) in ${buffer.length} bytes`,
      )
    const writerId = buffer.readInt32BE(1)
    if (writerId !== id)
      throw new CodecError('UNKNOWN_SCHEMA', `${name}: schema id ${writerId} is not known, expected ${id}`)
    const index = branch ? buffer[HEADER_BYTES]! >> 1 : 0
    const branchType = branches[index]
    if (!branchType) throw new CodecError('UNREADABLE', `${name}: union branch ${index} does not exist`)
    const { value, offset } = branchType.decode(buffer, branch ? HEADER_BYTES + 1 : HEADER_BYTES)
    if (offset !== buffer.length)
      throw new CodecError('UNREADABLE', `${name}: ${buffer.length} bytes do not hold one value`)
    return value
  }
  return { encode, decode }
}
