/** Reads what any compatible version of a schema wrote, as the newest version. */
import type avro from 'avsc'
import { branchesOf } from './avro-types.ts'
import { CodecError } from './codec-error.ts'
import { HEADER_BYTES, schemaIdIn } from './envelope.ts'
import type { AvroSchema } from './load.ts'
import { NotAvroError, type RegisteredSchema } from './registry.ts'
import type { WriterSchemas } from './writer-schemas.ts'

/** The reading of one branch of a writer's schema; `resolver` is undefined when the writer's schema is the reader's. */
interface BranchReader {
  readonly type: avro.Type
  readonly resolver?: Resolver
}
type Resolver = ReturnType<avro.Type['createResolver']>

/** How a writer's values are read: by branch, each a reader or why there is none. A union's value has its branch before it. */
interface Writer {
  readonly isUnion: boolean
  readonly branches: readonly (BranchReader | CodecError)[]
}

export interface Reader {
  /** The types of the newest version's union in order, or its one type. */
  readonly branches: readonly avro.Type[]
  /** Throws CodecError. */
  readonly decode: (bytes: Uint8Array) => unknown
}

export function createReader(name: string, current: RegisteredSchema, schemas: WriterSchemas['schemas']): Reader {
  const branches = branchesOf(current.schema)
  const own: Writer = { isUnion: Array.isArray(current.schema), branches: branches.map((type) => ({ type })) }
  const writers = new Map<number, Writer | CodecError>([[current.id, own]])

  const meet = (id: number): Writer | CodecError => {
    if (id <= 0) return new CodecError('NOT_FRAMED', `${name}: schema id ${id}; no registry gives one below 1`)
    const schema = schemas.get(id)
    if (schema === undefined)
      return new CodecError('UNKNOWN_SCHEMA', `${name}: schema id ${id} is not known, its own is ${current.id}`)
    const writer = writerOf(name, id, schema, branches)
    writers.set(id, writer)
    return writer
  }

  const decode = (bytes: Uint8Array): unknown => {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const id = schemaIdIn(buffer)
    if (id === undefined)
      throw new CodecError(
        'NOT_FRAMED',
        `${name}: no Confluent envelope (magic byte 0 and a schema id) in ${buffer.length} bytes`,
      )
    const writer = writers.get(id) ?? meet(id)
    if (writer instanceof CodecError) throw writer
    return readValue(name, buffer, writer)
  }
  return { branches, decode }
}

function writerOf(
  name: string,
  id: number,
  schema: AvroSchema | NotAvroError,
  branches: readonly avro.Type[],
): Writer | CodecError {
  if (schema instanceof NotAvroError) return new CodecError('UNREADABLE', `${name}: ${schema.message}`, schema)
  let written: readonly avro.Type[]
  try {
    written = branchesOf(schema)
  } catch (error) {
    return new CodecError('UNREADABLE', `${name}: schema id ${id} is no Avro schema`, error)
  }
  return { isUnion: Array.isArray(schema), branches: written.map((writer) => branchReader(name, id, writer, branches)) }
}

function branchReader(
  name: string,
  id: number,
  writer: avro.Type,
  branches: readonly avro.Type[],
): BranchReader | CodecError {
  const what = `${name}: ${writer.branchName} of schema id ${id}`
  const type = branches.find((branch) => branch.branchName === writer.branchName)
  if (!type) return new CodecError('UNREADABLE', `${what} has no counterpart in the newest version`)
  try {
    return { type, resolver: type.createResolver(writer) }
  } catch (error) {
    return new CodecError('UNREADABLE', `${what} cannot be read as the newest version`, error)
  }
}

function readValue(name: string, buffer: Buffer, { isUnion, branches }: Writer): unknown {
  // a branch is a zigzag long; ours are below 64, so one even byte
  const branchByte = isUnion ? buffer[HEADER_BYTES] : 0
  const valueAt = isUnion ? HEADER_BYTES + 1 : HEADER_BYTES
  const branch = branchByte === undefined || branchByte & 1 ? undefined : branches[branchByte >> 1]
  if (!branch) throw new CodecError('UNREADABLE', `${name}: union branch byte ${branchByte} does not exist`)
  if (branch instanceof CodecError) throw branch
  let decoded: { value: unknown; offset: number }
  try {
    decoded = branch.type.decode(buffer, valueAt, branch.resolver)
  } catch (error) {
    throw new CodecError('UNREADABLE', `${name}: ${buffer.length} bytes do not hold one value`, error)
  }
  if (decoded.offset !== buffer.length)
    throw new CodecError('UNREADABLE', `${name}: ${buffer.length} bytes do not hold one value`)
  return decoded.value
}
