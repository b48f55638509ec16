import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newFolder } from '../../../folder.ts'

interface Record {
  doc?: string
  fields: object[]
}

const SCHEMAS = fileURLToPath(new URL('../../../../schemas/', import.meta.url))

/** A folder with the product's *.avsc files, changed by name. */
export function changedSchemas(changes: { readonly [name: string]: (record: Record) => void }): string {
  const folder = newFolder()
  cpSync(SCHEMAS, folder, { recursive: true, filter: (file) => file.endsWith('.avsc') || file === SCHEMAS })
  for (const [name, change] of Object.entries(changes)) {
    const file = join(folder, `${name}.avsc`)
    const record = JSON.parse(readFileSync(file, 'utf8')) as Record
    change(record)
    writeFileSync(file, JSON.stringify(record))
  }
  return folder
}

/** A change that every version survives. */
export const compatible = {
  SlotKey: (record: Record) => {
    record.doc = 'A seat.'
    record.fields.push({ name: 'region', type: 'string', default: 'eu' })
  },
}

/** A change that breaks the readers of older versions, and of the newest. */
export const incompatible = {
  Verdict: (record: Record) => {
    record.fields.push({ name: 'score', type: 'long' })
  },
}
