import fc from 'fast-check'
import type { AvroSchema } from '../../schemas/load.ts'

/** Any value of an Avro schema, in the form that the codec gives back. */
export function arbitraryOf(schema: AvroSchema, named = new Map<string, AvroSchema>()): fc.Arbitrary<unknown> {
  if (typeof schema === 'string') return PRIMITIVES[schema]?.() ?? arbitraryOf(named.get(schema)!, named)
  if (Array.isArray(schema)) return fc.oneof(...schema.map((branch) => arbitraryOf(branch, named)))
  if ('name' in schema) named.set(schema.name, schema)
  if ('symbols' in schema) return fc.constantFrom(...schema.symbols)
  if ('items' in schema) return fc.array(arbitraryOf(schema.items, named), { maxLength: 4 })
  if ('fields' in schema)
    return fc.record(Object.fromEntries(schema.fields.map((field) => [field.name, arbitraryOf(field.type, named)])))
  return arbitraryOf((schema as { type: AvroSchema }).type, named)
}

const PRIMITIVES: Record<string, () => fc.Arbitrary<unknown>> = {
  string: () => fc.string({ unit: 'binary', maxLength: 40 }),
  /** What avsc alone can write and read: below −2^52 it loses a bit without a word, and it stops at 2^53 − 2. */
  long: () => fc.integer({ min: -(2 ** 52), max: 2 ** 53 - 2 }),
  int: () => fc.integer(),
  double: () => fc.double(),
  boolean: () => fc.boolean(),
  bytes: () => fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  null: () => fc.constant(null),
}
