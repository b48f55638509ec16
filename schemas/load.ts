import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Subject } from './subjects.ts'

export type AvroSchema =
  | string
  | AvroSchema[]
  | { type: 'record'; name: string; namespace?: string; doc?: string; fields: readonly AvroField[] }
  | { type: 'enum'; name: string; symbols: readonly string[]; default?: string }
  | { type: 'array'; items: AvroSchema }
  | { type: 'map'; values: AvroSchema }
  | { type: 'long' | 'int' | 'string' | 'bytes'; logicalType?: string }
export interface AvroField {
  name: string
  type: AvroSchema
  doc?: string
  default?: unknown
}

/** The folder of the *.avsc files: beside this file in the sources, two levels up from dist/schemas. */
export function schemaFolder(): URL {
  const beside = new URL('./', import.meta.url)
  return existsSync(new URL('Submission.avsc', beside)) ? beside : new URL('../../schemas/', import.meta.url)
}

/** Every record of schemas/*.avsc by name, as written: references to other records are plain names. */
export function loadRecords(folder = schemaFolder()): ReadonlyMap<string, AvroSchema & object> {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.avsc'))
    .sort()
  return new Map(
    files.map((file) => [file.slice(0, -'.avsc'.length), JSON.parse(readFileSync(new URL(file, folder), 'utf8'))]),
  )
}

/** The self-contained schema of a subject: each name is spelled out where it is first used. */
export function subjectSchema(subject: Subject, records = loadRecords()): AvroSchema {
  const spelled = new Set<string>()
  const types = subject.types.map((name) => inline(name, records, spelled))
  return types.length === 1 ? types[0]! : types
}

function inline(
  schema: AvroSchema,
  records: ReadonlyMap<string, AvroSchema & object>,
  spelled: Set<string>,
): AvroSchema {
  if (typeof schema === 'string') {
    const record = records.get(schema) ?? enumNamed(schema, records)
    return record && !spelled.has(schema) ? inline(record, records, spelled) : schema
  }
  if (Array.isArray(schema)) return schema.map((branch) => inline(branch, records, spelled))
  if ('name' in schema) {
    if (spelled.has(schema.name)) return schema.name
    spelled.add(schema.name)
  }
  if ('fields' in schema) {
    return {
      ...schema,
      fields: schema.fields.map((field) => ({ ...field, type: inline(field.type, records, spelled) })),
    }
  }
  if ('items' in schema) return { ...schema, items: inline(schema.items, records, spelled) }
  if ('values' in schema) return { ...schema, values: inline(schema.values, records, spelled) }
  return schema
}

/** An enum (or record) declared inside a field of some record, found by its name. */
function enumNamed(name: string, records: ReadonlyMap<string, AvroSchema & object>): (AvroSchema & object) | undefined {
  for (const record of records.values()) {
    const found = findNamed(name, record)
    if (found) return found
  }
  return undefined
}

function findNamed(name: string, schema: AvroSchema): (AvroSchema & object) | undefined {
  if (typeof schema === 'string') return undefined
  if (Array.isArray(schema)) return firstOf(schema, (branch) => findNamed(name, branch))
  if ('name' in schema && schema.name === name) return schema
  if ('fields' in schema) return firstOf(schema.fields, (field) => findNamed(name, field.type))
  if ('items' in schema) return findNamed(name, schema.items)
  if ('values' in schema) return findNamed(name, schema.values)
  return undefined
}

function firstOf<I, O>(items: readonly I[], find: (item: I) => O | undefined): O | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
