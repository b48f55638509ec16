/**
 * A schema registry in one JSON file: what the embedded run uses instead of a server. Ids count from 1 in the order of
 * registration and never change, so the records of a data directory stay readable over restarts and upgrades.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assertFullTransitive } from '../../schemas/compatibility.ts'
import {
  EMPTY_REGISTRY,
  type RegistryContent,
  registered,
  type SchemaRegistry,
  schemaAt,
  versionsIn,
} from '../../schemas/registry.ts'
import { SchemaRegistryError } from './errors.ts'

const FORMAT = 1

/**
 * Opens the registry, empty when there is no file yet. One process at a time: the data directory's lock sees to that.
 * A registration resolves when it is durable (written beside, fsynced, renamed). Registrations made while a write is under
 * way share the next one.
 */
export async function openFileRegistry(path: string): Promise<SchemaRegistry> {
  let content = await readRegistry(path)
  let durable = content
  let writing: Promise<void> = Promise.resolve()

  const persist = async (): Promise<void> => {
    if (durable === content) return
    const written = content
    await writeRegistry(path, written)
    durable = written
  }

  return {
    async register(subject, schema) {
      const known = versionsIn(content, subject)
      const [next, id] = registered(content, subject, schema)
      if (next !== content && known.length > 0)
        assertFullTransitive(
          subject,
          known.map((version) => version.schema),
          schema,
        )
      content = next
      writing = writing.then(persist, persist)
      await writing
      return id
    },
    schemaOf: async (id) => schemaAt(content, id),
    versions: async (subject) => versionsIn(content, subject),
  }
}

async function readRegistry(path: string): Promise<RegistryContent> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_REGISTRY
    throw new SchemaRegistryError('IO_ERROR', `the schema registry ${path} cannot be read`, error)
  }
  try {
    return checkedContent(JSON.parse(text))
  } catch (error) {
    throw new SchemaRegistryError(
      'CORRUPT',
      `the schema registry ${path} is damaged: ${(error as Error).message}`,
      error,
    )
  }
}

function checkedContent(value: unknown): RegistryContent {
  const { format, schemas, subjects } = (value ?? {}) as Record<string, unknown>
  if (format !== FORMAT) throw new Error(`format ${JSON.stringify(format)}, expected ${FORMAT}`)
  if (!Array.isArray(schemas)) throw new Error('"schemas" is no list')
  if (typeof subjects !== 'object' || subjects === null || Array.isArray(subjects))
    throw new Error('"subjects" is no object')
  for (const [subject, ids] of Object.entries(subjects)) {
    const fits = (id: unknown) => Number.isInteger(id) && (id as number) >= 1 && (id as number) <= schemas.length
    if (!Array.isArray(ids) || !ids.every(fits)) throw new Error(`subject ${subject} names an id that has no schema`)
  }
  return { schemas, subjects: subjects as RegistryContent['subjects'] }
}

/** After a crash the file is the old one or the new one, whole. */
async function writeRegistry(path: string, content: RegistryContent): Promise<void> {
  const beside = `${path}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(beside, 'w')
    try {
      await file.writeFile(`${JSON.stringify({ format: FORMAT, ...content }, null, 1)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
    await syncFolder(dirname(path))
  } catch (error) {
    throw new SchemaRegistryError('IO_ERROR', `the schema registry ${path} cannot be written`, error)
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
