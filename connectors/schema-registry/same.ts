import avro from 'avsc'
import { withFullNames } from '../../schemas/full-names.ts'
import type { AvroSchema } from '../../schemas/load.ts'

/** Whether the same bytes mean the same: equal in the canonical form, without words, aliases and defaults (Avro 1.12). */
export function sameOnTheWire(one: AvroSchema, other: AvroSchema): boolean {
  const canonical = (schema: AvroSchema) => JSON.stringify(avro.Type.forSchema(schema as avro.Schema).schema())
  return canonical(one) === canonical(other)
}

/** Whether nothing differs, words included; a registry may give properties and names back in another form. */
export const sameText = (one: AvroSchema, other: AvroSchema): boolean =>
  sorted(withFullNames(one)) === sorted(withFullNames(other))

const sorted = (schema: AvroSchema): string =>
  JSON.stringify(schema, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
