/**
 * Bytes ↔ values in the Confluent wire format: magic byte 0, schema id as int32 big-endian, Avro binary. Everything is
 * looked up once in `createCodec`, so that both directions are synchronous afterwards. Records of every version that the
 * registry knows are read as the newest one.
 */
import { HEADER_BYTES, MAGIC, schemaIdIn } from './envelope.ts'
import { loadRecords, subjectSchema } from './load.ts'
import { createReader } from './reader.ts'
import type { RegisteredSchema, SchemaRegistry } from './registry.ts'
import { SUBJECTS, type Subject, type SubjectName } from './subjects.ts'
import { createWriterSchemas, type WriterSchemas } from './writer-schemas.ts'

/**
 * Encoded values lie one behind the other in buffers of this size, so that a small value needs no buffer and no copy of its own.
 */
const SHARED_BYTES = 64 * 1024
/** A value from here on gets a buffer of its own. */
const LARGE_BYTES = 16 * 1024

/** Where large values are encoded, as their length is not known before: one at a time, so all serdes share it. It grows to the largest. */
let scratch = Buffer.allocUnsafeSlow(LARGE_BYTES)

export interface AvroSerde<T> {
  encode(value: T): Uint8Array
  /** Throws `CodecError` on another magic byte, an unknown schema id, or bytes that do not fit the schema. */
  decode(bytes: Uint8Array): T
}

export interface Codec {
  serde<T>(subject: SubjectName): AvroSerde<T>
  /**
   * The schema id that the bytes name when its schema is not known here yet: `learn` it, and every serde can read them.
   * Undefined for one that no registry gives (they count from 1): nobody can ever read that.
   */
  missing(bytes: Uint8Array | null): number | undefined
  /** Asks the registry for a schema. Rejects while it cannot be had. */
  learn(id: number): Promise<void>
  /** Asks the registry for every version of these subjects. Rejects while it cannot be asked. */
  learnVersions(subjects: readonly SubjectName[]): Promise<void>
}

/**
 * Registers every subject under `<prefix><subject>` and builds the serdes, with a resolver for each other version that the
 * registry knows, so that old records stay readable. Rejects when the registry cannot be reached or refuses a schema.
 */
export async function createCodec(registry: SchemaRegistry, prefix = ''): Promise<Codec> {
  const records = loadRecords()
  const writers = createWriterSchemas(registry)
  const serdes = new Map(
    await Promise.all(
      Object.entries<Subject>(SUBJECTS).map(async ([name, subject]) => {
        const schema = subjectSchema(subject, records)
        const id = await registry.register(prefix + name, schema)
        for (const version of await registry.versions(prefix + name)) writers.add(version)
        writers.add({ id, schema })
        return [name, createSerde(prefix + name, { id, schema }, writers.schemas, subject.branch)] as const
      }),
    ),
  )
  return {
    serde: <T>(subject: SubjectName) => serdes.get(subject) as AvroSerde<T>,
    missing: (bytes) => {
      const id = bytes === null ? undefined : schemaIdIn(bytes)
      return id === undefined || id <= 0 || writers.schemas.has(id) ? undefined : id
    },
    learn: writers.learn,
    learnVersions: async (subjects) => {
      for (const name of subjects) for (const version of await registry.versions(prefix + name)) writers.add(version)
    },
  }
}

/** @param schemas the writers' by id, which may grow; what was written with one that is not there cannot be read */
export function createSerde(
  name: string,
  current: RegisteredSchema,
  schemas: WriterSchemas['schemas'],
  branch?: (value: object) => number,
): AvroSerde<unknown> {
  const reader = createReader(name, current, schemas)
  const { branches } = reader
  const valueAt = branch ? HEADER_BYTES + 1 : HEADER_BYTES
  let shared = Buffer.allocUnsafe(SHARED_BYTES)
  let used = 0
  /** Whether the last value was: then the next one mostly is, and does not fit into the rest of the shared buffer. */
  let isLarge = false

  /** @returns where it ends, or −(bytes missing) */
  const write = (value: unknown, into: Buffer, at: number): number => {
    const index = branch ? branch(value as object) : 0
    into[at] = MAGIC
    into.writeInt32BE(current.id, at + 1)
    if (branch) into[at + HEADER_BYTES] = index << 1 // a union is its branch as a zigzag long, then the value
    return branches[index]!.encode(value, into, at + valueAt)
  }
  const renew = (): void => {
    shared = Buffer.allocUnsafe(SHARED_BYTES)
    used = 0
  }
  const encodeLarge = (value: unknown): Uint8Array => {
    const end = write(value, scratch, 0)
    if (end < 0) {
      scratch = Buffer.allocUnsafeSlow(scratch.length - end)
      return encodeLarge(value)
    }
    isLarge = end >= LARGE_BYTES
    return Buffer.from(scratch.subarray(0, end))
  }
  const encode = (value: unknown): Uint8Array => {
    if (isLarge) return encodeLarge(value)
    if (SHARED_BYTES - used < valueAt) renew()
    const end = write(value, shared, used)
    if (end >= 0) {
      const bytes = shared.subarray(used, end)
      used = end
      return bytes
    }
    const length = SHARED_BYTES - used - end
    if (length < LARGE_BYTES) {
      renew()
      return encode(value)
    }
    return encodeLarge(value)
  }

  return { encode, decode: reader.decode }
}
