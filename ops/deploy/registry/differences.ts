/** The differences between two texts of a schema, field by field; a registry's own comparison may overlook words and defaults. */
import { shortName, withFullNames } from '../../../schemas/full-names.ts'
import type { AvroSchema } from '../../../schemas/load.ts'

export interface Difference {
  /** Path from the subject's root, as in check: `Submission.position[LogPosition].offset`. */
  readonly where: string
  /** The old text; absent when the part is new. */
  readonly before?: string
  /** The present text; absent when the part is gone. */
  readonly after?: string
}

/** In the order of the paths of `after`, then what is gone. */
export function differences(before: AvroSchema, after: AvroSchema): readonly Difference[] {
  const [old, now] = [describe(before), describe(after)]
  const found: Difference[] = []
  for (const [where, text] of now) {
    const was = old.get(where)
    if (was === undefined) found.push({ where, after: text })
    else if (was !== text) found.push({ where, before: was, after: text })
  }
  for (const [where, text] of old) if (!now.has(where)) found.push({ where, before: text })
  return found
}

/** Path → what stands there, of every field, enum and text of words. */
function describe(schema: AvroSchema): ReadonlyMap<string, string> {
  const lines = new Map<string, string>()
  const full = withFullNames(schema)
  if (Array.isArray(full)) lines.set('(branches)', full.map(typeText).join(', '))
  for (const branch of Array.isArray(full) ? full : [full]) walk(branch, typeText(branch), lines)
  return lines
}

function walk(schema: AvroSchema, path: string, lines: Map<string, string>): void {
  if (typeof schema === 'string') return
  if (Array.isArray(schema)) {
    for (const branch of schema) walk(branch, `${path}[${typeText(branch)}]`, lines)
    return
  }
  if ('doc' in schema && schema.doc) lines.set(`${path} (words)`, schema.doc)
  if ('symbols' in schema) lines.set(`${path} (symbols)`, `${schema.symbols.join(', ')}${defaultText(schema.default)}`)
  if ('items' in schema) walk(schema.items, `${path}[]`, lines)
  if ('values' in schema) walk(schema.values, `${path}{}`, lines)
  if (!('fields' in schema)) return
  for (const field of schema.fields) {
    const at = `${path}.${field.name}`
    lines.set(at, `${typeText(field.type)}${defaultText(field.default)}`)
    if (field.doc) lines.set(`${at} (words)`, field.doc)
    walk(field.type, at, lines)
  }
}

const defaultText = (value: unknown): string => (value === undefined ? '' : ` = ${JSON.stringify(value)}`)

function typeText(schema: AvroSchema): string {
  if (typeof schema === 'string') return shortName(schema)
  if (Array.isArray(schema)) return schema.map(typeText).join(' | ')
  if ('name' in schema) return shortName(schema.name)
  if ('items' in schema) return `${typeText(schema.items)}[]`
  if ('values' in schema) return `{${typeText(schema.values)}}`
  return schema.type
}
