import type { AvroSchema } from './load.ts'

/**
 * What the codec asks of a schema registry; a Confluent registry and the file-backed one of the embedded run both give it.
 */
export interface SchemaRegistry {
  /** The id of this schema under this subject; registers it when it is new. */
  register(subject: string, schema: AvroSchema): Promise<number>
  /** The schema of an id. Rejects when the registry does not know it. */
  schemaOf(id: number): Promise<AvroSchema>
}

/** Ids in the order of registration, kept in memory: for tests and the test driver. */
export function memoryRegistry(): SchemaRegistry {
  const texts: string[] = []
  return {
    async register(_subject, schema) {
      const text = JSON.stringify(schema)
      const known = texts.indexOf(text)
      return known >= 0 ? known + 1 : texts.push(text)
    },
    async schemaOf(id) {
      const text = texts[id - 1]
      if (text === undefined) throw new Error(`schema id ${id} is not registered`)
      return JSON.parse(text) as AvroSchema
    },
  }
}
