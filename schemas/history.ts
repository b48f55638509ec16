/**
 * Keeps every version of a subject that was ever released, as history/<subject>/<n>.avsc. `npm run schemas:history` adds
 * the current one where it is new; with `--check` it only says what is missing. A test reads each version with the newest
 * and the reverse.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { assertFullTransitive } from './compatibility.ts'
import { type AvroSchema, loadRecords, schemaFolder, subjectSchema } from './load.ts'
import { SUBJECTS, type Subject } from './subjects.ts'

const FOLDER = fileURLToPath(new URL('history/', schemaFolder()))

/** The versions of a subject, oldest first. */
export function historyOf(subject: string, folder = FOLDER): readonly AvroSchema[] {
  const versions = `${folder}${subject}`
  if (!existsSync(versions)) return []
  return readdirSync(versions)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((file) => JSON.parse(readFileSync(`${versions}/${file}`, 'utf8')) as AvroSchema)
}

/**
 * Subjects whose current schema is not the newest version in the folder; with `write` they are added. A change of words
 * (`doc`) alone is no new version. Throws `SchemaIncompatibleError` for a change that a subject must not go through.
 */
export function updateHistory({ write, folder = FOLDER }: { write: boolean; folder?: string }): readonly string[] {
  const records = loadRecords()
  const missing: string[] = []
  for (const [name, subject] of Object.entries<Subject>(SUBJECTS)) {
    const schema = withoutDocs(subjectSchema(subject, records))
    const versions = historyOf(name, folder)
    if (JSON.stringify(versions.at(-1)) === JSON.stringify(schema)) continue
    assertFullTransitive(name, versions, schema)
    missing.push(name)
    if (!write) continue
    mkdirSync(`${folder}${name}`, { recursive: true })
    writeFileSync(`${folder}${name}/${versions.length + 1}.avsc`, `${JSON.stringify(schema, null, 1)}\n`)
  }
  return missing
}

/** The schema without its words: what decides how bytes are read. */
export function withoutDocs(schema: AvroSchema): AvroSchema {
  return JSON.parse(JSON.stringify(schema, (key, value) => (key === 'doc' ? undefined : value))) as AvroSchema
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const write = !process.argv.includes('--check')
  const subjects = updateHistory({ write })
  for (const subject of subjects) process.stdout.write(`${write ? 'added' : 'not in history'}: ${subject}\n`)
  if (!write && subjects.length > 0) process.exitCode = 1
}
