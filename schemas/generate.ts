/** Writes types.ts from the *.avsc files. Run with `npm run schemas:generate`; a test fails when the result differs. */
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type AvroSchema, loadRecords } from './load.ts'

const PRIMITIVES: Record<string, string> = {
  string: 'string',
  long: 'number',
  int: 'number',
  double: 'number',
  boolean: 'boolean',
  bytes: 'Uint8Array',
  null: 'null',
}

export function generateTypes(): string {
  const declarations = new Map<string, string>()
  for (const record of loadRecords().values()) declare(record, declarations)
  return `// Generated from schemas/*.avsc by schemas/generate.ts. Do not edit.\n\n${[...declarations.values()].join('\n')}`
}

function declare(schema: AvroSchema & object, declarations: Map<string, string>): string {
  const { name } = schema as { name: string }
  if (declarations.has(name)) return name
  declarations.set(name, '')
  if ('symbols' in schema) {
    declarations.set(name, `export type ${name} =\n${schema.symbols.map((symbol) => `  | '${symbol}'`).join('\n')}\n`)
  } else if ('fields' in schema) {
    const fields = schema.fields.map((field) => {
      const doc = field.doc ? `  /** ${field.doc} */\n` : ''
      return `${doc}  readonly ${field.name}: ${typeOf(field.type, declarations)}`
    })
    const doc = schema.doc ? `/** ${schema.doc} */\n` : ''
    declarations.set(name, `${doc}export interface ${name} {\n${fields.join('\n')}\n}\n`)
  }
  return name
}

function typeOf(schema: AvroSchema, declarations: Map<string, string>): string {
  if (typeof schema === 'string') return PRIMITIVES[schema] ?? schema
  if (Array.isArray(schema)) return schema.map((branch) => typeOf(branch, declarations)).join(' | ')
  if ('items' in schema) return `readonly ${wrap(typeOf(schema.items, declarations))}[]`
  if ('values' in schema) return `Readonly<Record<string, ${typeOf(schema.values, declarations)}>>`
  if ('fields' in schema || 'symbols' in schema) return declare(schema, declarations)
  return typeOf(schema.type, declarations)
}

const wrap = (type: string): string => (type.includes(' ') ? `(${type})` : type)

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(new URL('types.ts', import.meta.url), generateTypes())
}
