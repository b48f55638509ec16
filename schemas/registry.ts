import type { AvroSchema } from './load.ts'

/** A schema as the registry has it. The same schema under two subjects may have one id (Confluent) or two. */
export interface RegisteredSchema {
  readonly id: number
  readonly schema: AvroSchema
}

/**
 * The part of a schema registry that the codec needs; a Confluent registry and the file-backed one of the embedded run both give
 * it.
 */
export interface SchemaRegistry {
  /**
   * The id of this schema under this subject; registers it when it is new. Rejects with `SchemaIncompatibleError` when the new
   * version and a known version cannot read each other (FULL_TRANSITIVE).
   */
  register(subject: string, schema: AvroSchema): Promise<number>
  /**
   * The schema of an id. Rejects with `NotAvroError` when what the registry has is no Avro schema, and with any other error
   * when it does not know the id or cannot be asked: either may change.
   */
  schemaOf(id: number): Promise<AvroSchema>
  /** Every version of a subject, oldest first; none for an unknown subject. */
  versions(subject: string): Promise<readonly RegisteredSchema[]>
}

/** The schema registered under this id is of another kind, or cannot be parsed; asking again will not help. */
export class NotAvroError extends Error {
  readonly code = 'NOT_AVRO'
  constructor(id: number, why: string, cause?: unknown) {
    super(`schema id ${id} is no Avro schema: ${why}`, { cause })
    this.name = 'NotAvroError'
  }
}

/** The content of a registry: schema texts by id (from 1, in order of registration) and the ids under each subject. */
export interface RegistryContent {
  readonly schemas: readonly AvroSchema[]
  readonly subjects: Readonly<Record<string, readonly number[]>>
}

export const EMPTY_REGISTRY: RegistryContent = { schemas: [], subjects: {} }

/** The content after registering, and the id. The same object when nothing is new. Ids never change or go. */
export function registered(content: RegistryContent, subject: string, schema: AvroSchema): [RegistryContent, number] {
  const text = JSON.stringify(schema)
  const at = content.schemas.findIndex((known) => JSON.stringify(known) === text)
  const id = at >= 0 ? at + 1 : content.schemas.length + 1
  const ids = content.subjects[subject] ?? []
  if (ids.includes(id)) return [content, id]
  const schemas = at >= 0 ? content.schemas : [...content.schemas, JSON.parse(text) as AvroSchema]
  return [{ schemas, subjects: { ...content.subjects, [subject]: [...ids, id] } }, id]
}

export function schemaAt(content: RegistryContent, id: number): AvroSchema {
  const schema = content.schemas[id - 1]
  if (schema === undefined) throw new Error(`schema id ${id} is not registered`)
  return schema
}

export const versionsIn = (content: RegistryContent, subject: string): readonly RegisteredSchema[] =>
  (content.subjects[subject] ?? []).map((id) => ({ id, schema: schemaAt(content, id) }))

/** A registry kept in memory: for tests and the test driver. It checks no compatibility. */
export function memoryRegistry(initial: RegistryContent = EMPTY_REGISTRY): SchemaRegistry {
  let content = initial
  return {
    async register(subject, schema) {
      const [next, id] = registered(content, subject, schema)
      content = next
      return id
    },
    schemaOf: async (id) => schemaAt(content, id),
    versions: async (subject) => versionsIn(content, subject),
  }
}
