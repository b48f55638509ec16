/**
 * Which changes a schema may go through. FULL_TRANSITIVE: the newest version reads records of every older one, and every
 * older one reads records of the newest. Source: Avro 1.12 specification, "Schema Resolution".
 */
import { shortName, withFullNames } from './full-names.ts'
import type { AvroField, AvroSchema } from './load.ts'

type RecordSchema = Extract<AvroSchema, { type: 'record' }>
type EnumSchema = Extract<AvroSchema, { type: 'enum' }>
type NamedSchema = RecordSchema | EnumSchema

export type CompatibilityRule =
  | 'TYPE_CHANGED'
  | 'NAME_CHANGED'
  | 'FIELD_WITHOUT_DEFAULT'
  | 'SYMBOL_UNKNOWN'
  | 'BRANCH_UNKNOWN'

export interface Incompatibility {
  /** Path from the subject's root, e.g. `Batch.json` or `Submission.position[LogPosition].offset`. */
  readonly field: string
  readonly rule: CompatibilityRule
  readonly detail: string
}

/** Why a subject's new version is refused. `found` names each field and rule. */
export class SchemaIncompatibleError extends Error {
  readonly code = 'SCHEMA_INCOMPATIBLE'
  readonly found: readonly Incompatibility[]
  constructor(subject: string, found: readonly Incompatibility[]) {
    const lines = found.map(({ field, rule, detail }) => `${field}: ${rule} (${detail})`)
    super(`${subject}: the schema is not FULL_TRANSITIVE compatible: ${lines.join('; ')}`)
    this.name = 'SchemaIncompatibleError'
    this.found = found
  }
}

/** Throws `SchemaIncompatibleError` unless `next` and each of `versions` can read each other. */
export function assertFullTransitive(subject: string, versions: readonly AvroSchema[], next: AvroSchema): void {
  const found = versions.flatMap((version) => [
    ...incompatibilities(version, next),
    ...incompatibilities(next, version),
  ])
  const distinct = new Map(found.map((item) => [`${item.field}/${item.rule}`, item]))
  if (distinct.size > 0) throw new SchemaIncompatibleError(subject, [...distinct.values()])
}

/** The reasons why `reader` cannot read records written with `writer`; empty when it can. */
export function incompatibilities(written: AvroSchema, read: AvroSchema): readonly Incompatibility[] {
  const [writer, reader] = [withFullNames(written), withFullNames(read)]
  const comparison: Comparison = { writers: namedIn(writer), readers: namedIn(reader), seen: new Set(), found: [] }
  compare(writer, reader, shortName(nameOf(reader)), comparison)
  return comparison.found
}

interface Comparison {
  readonly writers: ReadonlyMap<string, AvroSchema>
  readonly readers: ReadonlyMap<string, AvroSchema>
  /** Pairs of named types already compared (a type may refer to itself). */
  readonly seen: Set<string>
  readonly found: Incompatibility[]
}

function compare(writerSchema: AvroSchema, readerSchema: AvroSchema, path: string, comparison: Comparison): void {
  const writer = spelledOut(writerSchema, comparison.writers)
  const reader = spelledOut(readerSchema, comparison.readers)
  if (Array.isArray(writer) || Array.isArray(reader)) {
    compareUnions(writer, reader, path, comparison)
    return
  }
  const [from, to] = [kindOf(writer), kindOf(reader)]
  if (from !== to && !PROMOTIONS[from]?.includes(to)) {
    comparison.found.push({ field: path, rule: 'TYPE_CHANGED', detail: `${from} is read as ${to}` })
    return
  }
  if (isNamed(writer) && isNamed(reader) && !isNewPair(writer, reader, path, comparison)) return
  if (isRecord(writer) && isRecord(reader)) compareFields(writer, reader, path, comparison)
  else if (isEnum(writer) && isEnum(reader)) compareSymbols(writer, reader, path, comparison)
  else if (hasItems(writer) && hasItems(reader)) compare(writer.items, reader.items, `${path}[]`, comparison)
  else if (hasValues(writer) && hasValues(reader)) compare(writer.values, reader.values, `${path}{}`, comparison)
}

/** False when the names differ, which is a fault, and when the two were compared already. */
function isNewPair(writer: NamedSchema, reader: NamedSchema, path: string, { seen, found }: Comparison): boolean {
  if (writer.name !== reader.name) {
    found.push({ field: path, rule: 'NAME_CHANGED', detail: `${writer.name} is read as ${reader.name}` })
    return false
  }
  if (seen.has(writer.name)) return false
  seen.add(writer.name)
  return true
}

function compareFields(writer: RecordSchema, reader: RecordSchema, path: string, comparison: Comparison): void {
  for (const field of reader.fields) {
    const written = writer.fields.find((candidate) => candidate.name === field.name)
    if (written) compare(written.type, field.type, `${path}.${field.name}`, comparison)
    else if (!hasDefault(field))
      comparison.found.push({
        field: `${path}.${field.name}`,
        rule: 'FIELD_WITHOUT_DEFAULT',
        detail: 'a field that one version lacks must have a default in the other',
      })
  }
}

function compareSymbols(writer: EnumSchema, reader: EnumSchema, path: string, comparison: Comparison): void {
  if (reader.default !== undefined) return
  for (const symbol of writer.symbols)
    if (!reader.symbols.includes(symbol))
      comparison.found.push({
        field: path,
        rule: 'SYMBOL_UNKNOWN',
        detail: `${symbol} is not in the other version, and the enum has no default`,
      })
}

function compareUnions(writer: AvroSchema, reader: AvroSchema, path: string, comparison: Comparison): void {
  const readerBranches = Array.isArray(reader) ? reader : [reader]
  for (const branch of Array.isArray(writer) ? writer : [writer]) {
    const name = nameOf(spelledOut(branch, comparison.writers))
    const match = readerBranches.find((candidate) => nameOf(spelledOut(candidate, comparison.readers)) === name)
    if (match !== undefined) compare(branch, match, `${path}[${shortName(name)}]`, comparison)
    else
      comparison.found.push({
        field: path,
        rule: 'BRANCH_UNKNOWN',
        detail: `${shortName(name)} is no branch of the other version`,
      })
  }
}

/** The types as which a reader may read a written primitive (Avro 1.12, Schema Resolution). */
const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
}

function namedIn(schema: AvroSchema, named = new Map<string, AvroSchema>()): ReadonlyMap<string, AvroSchema> {
  if (typeof schema === 'string') return named
  if (Array.isArray(schema)) for (const branch of schema) namedIn(branch, named)
  else {
    if (isNamed(schema)) named.set(schema.name, schema)
    if ('fields' in schema) for (const field of schema.fields) namedIn(field.type, named)
    if ('items' in schema) namedIn(schema.items, named)
    if ('values' in schema) namedIn(schema.values, named)
  }
  return named
}

const spelledOut = (schema: AvroSchema, named: ReadonlyMap<string, AvroSchema>): AvroSchema =>
  typeof schema === 'string' ? (named.get(schema) ?? schema) : schema

const kindOf = (schema: Exclude<AvroSchema, AvroSchema[]>): string =>
  typeof schema === 'string' ? schema : schema.type

function nameOf(schema: AvroSchema): string {
  if (Array.isArray(schema)) return 'union'
  return typeof schema === 'object' && isNamed(schema) ? schema.name : kindOf(schema)
}

const isNamed = (schema: AvroSchema): schema is NamedSchema => typeof schema === 'object' && 'name' in schema
const isRecord = (schema: AvroSchema): schema is RecordSchema => typeof schema === 'object' && 'fields' in schema
const isEnum = (schema: AvroSchema): schema is EnumSchema => typeof schema === 'object' && 'symbols' in schema
const hasItems = (schema: AvroSchema): schema is Extract<AvroSchema, { type: 'array' }> =>
  typeof schema === 'object' && 'items' in schema
const hasValues = (schema: AvroSchema): schema is Extract<AvroSchema, { type: 'map' }> =>
  typeof schema === 'object' && 'values' in schema
const hasDefault = (field: AvroField): boolean => field.default !== undefined
