import avro from 'avsc'
import type { AvroSchema } from '../../schemas/load.ts'

/** Whether the same bytes mean the same: equal in the canonical form, without words, aliases and defaults (Avro 1.12). */
export function sameOnTheWire(one: AvroSchema, other: AvroSchema): boolean {
  const canonical = (schema: AvroSchema) => JSON.stringify(avro.Type.forSchema(schema as avro.Schema).schema())
  return canonical(one) === canonical(other)
}
