import type { AvroSchema } from './load.ts'

const PRIMITIVES: readonly string[] = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']

/**
 * The schema with each named type under its full name and without namespaces: a registry or another producer may write
 * the same name in either form. A name without dots lies in its own namespace, else in that of what encloses it (Avro
 * 1.12, Names).
 */
export function withFullNames(schema: AvroSchema, enclosing = ''): AvroSchema {
  if (typeof schema === 'string') return PRIMITIVES.includes(schema) ? schema : fullName(schema, enclosing)
  if (Array.isArray(schema)) return schema.map((branch) => withFullNames(branch, enclosing))
  if ('items' in schema) return { ...schema, items: withFullNames(schema.items, enclosing) }
  if ('values' in schema) return { ...schema, values: withFullNames(schema.values, enclosing) }
  if (!('name' in schema)) return schema
  const { namespace = enclosing, ...rest } = schema as { namespace?: string } & typeof schema
  const name = fullName(schema.name, namespace)
  if (!('fields' in rest)) return { ...rest, name }
  const within = name.slice(0, Math.max(0, name.lastIndexOf('.')))
  return { ...rest, name, fields: rest.fields.map((field) => ({ ...field, type: withFullNames(field.type, within) })) }
}

const fullName = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`

export const shortName = (fullName: string): string => fullName.slice(fullName.lastIndexOf('.') + 1)
