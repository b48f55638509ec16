import type { AvroSchema } from './load.ts'
import { NotAvroError, type RegisteredSchema, type SchemaRegistry } from './registry.ts'

/** The schemas that records may have been written with, by id. */
export interface WriterSchemas {
  readonly schemas: ReadonlyMap<number, AvroSchema | NotAvroError>
  add(schema: RegisteredSchema): void
  /** Asks the registry, once at a time for each id. Rejects while the schema cannot be had. */
  learn(id: number): Promise<void>
}

/** Holds at most as many schemas as the registry has. */
export function createWriterSchemas(registry: Pick<SchemaRegistry, 'schemaOf'>): WriterSchemas {
  const schemas = new Map<number, AvroSchema | NotAvroError>()
  const asked = new Map<number, Promise<void>>()

  const ask = async (id: number): Promise<void> => void schemas.set(id, await schemaIn(registry, id))

  return {
    schemas,
    add: ({ id, schema }) => void schemas.set(id, schema),
    learn: (id) => {
      if (schemas.has(id)) return Promise.resolve()
      const asking = asked.get(id) ?? ask(id).finally(() => asked.delete(id))
      asked.set(id, asking)
      return asking
    },
  }
}

/** Records of a schema that is none of Avro are dead letters, not a reason to wait. */
async function schemaIn(registry: Pick<SchemaRegistry, 'schemaOf'>, id: number): Promise<AvroSchema | NotAvroError> {
  try {
    return await registry.schemaOf(id)
  } catch (error) {
    if (error instanceof NotAvroError) return error
    throw error
  }
}
