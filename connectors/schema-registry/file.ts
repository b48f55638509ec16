/**
 * A schema registry in a JSON file: what the embedded run uses instead of a server. Ids count from 1 in the order of
 * registration and never change, so the records of a data directory stay readable over restarts and upgrades. Without the
 * file no record can be read, so it has a checksum, and a copy beside it.
 */
import { createHash } from 'node:crypto'
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

/** The copy of a registry's file. */
export const copyOf = (path: string): string => path.replace(/(\.json)?$/, '.copy.json')

/**
 * Opens the registry. One process at a time: the data directory's lock sees to that. When the file or its copy is missing or
 * damaged, the other one counts, and is written to both. A registration resolves when it is durable (written beside, fsynced,
 * renamed). Registrations made while a write is under way share the next one.
 * @param mustExist refuse where neither is there: records were written by its ids. Else such a registry is empty
 * @throws SchemaRegistryError `REGISTRY_CORRUPT`, `REGISTRY_MISSING`, `IO_ERROR`
 */
export async function openFileRegistry(path: string, mustExist = false): Promise<SchemaRegistry> {
  const found = await readEither(path)
  if (!found && mustExist)
    throw new SchemaRegistryError(
      'REGISTRY_MISSING',
      `the schema registry ${path} is gone, and its copy: the records beside it were written by its ids. Nothing was made`,
    )
  let content = found?.content ?? EMPTY_REGISTRY
  let durable = content
  let writing: Promise<void> = Promise.resolve()
  if (found && !found.isWhole) await writeBoth(path, content)

  const persist = async (): Promise<void> => {
    if (durable === content) return
    const written = content
    await writeBoth(path, written)
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

interface Found {
  readonly content: RegistryContent
  /** True when the file and its copy are both there and say the same. */
  readonly isWhole: boolean
}

async function readEither(path: string): Promise<Found | undefined> {
  const [file, copy] = [await readRegistry(path), await readRegistry(copyOf(path))]
  const [first, second] = [file, copy].filter((one) => one !== undefined && !('fault' in one)) as Read[]
  if (first) return { content: first.content, isWhole: first.hasSum && first.sum === second?.sum }
  const damaged = [file, copy].find((one) => one !== undefined)
  if (!damaged) return undefined
  const { fault } = damaged as { readonly fault: Error }
  throw new SchemaRegistryError('REGISTRY_CORRUPT', `the schema registry ${path} is damaged: ${fault.message}`, fault)
}

interface Read {
  readonly content: RegistryContent
  readonly sum: string
  /** False for files of older versions, which have no checksum. */
  readonly hasSum: boolean
}

async function readRegistry(path: string): Promise<Read | { readonly fault: Error } | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new SchemaRegistryError('IO_ERROR', `the schema registry ${path} cannot be read`, error)
  }
  try {
    const value: unknown = JSON.parse(text)
    const content = checkedContent(value)
    const { sum } = value as { readonly sum?: unknown }
    if (sum !== undefined && sum !== sumOf(content)) throw new Error('its checksum differs from what it holds')
    return { content, sum: sumOf(content), hasSum: sum !== undefined }
  } catch (error) {
    return { fault: error as Error }
  }
}

const sumOf = ({ schemas, subjects }: RegistryContent): string =>
  createHash('sha256')
    .update(JSON.stringify([schemas, subjects]))
    .digest('hex')

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

async function writeBoth(path: string, content: RegistryContent): Promise<void> {
  await writeRegistry(path, content)
  await writeRegistry(copyOf(path), content)
}

/** After a crash the file is the old one or the new one, whole. */
async function writeRegistry(path: string, content: RegistryContent): Promise<void> {
  const beside = `${path}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(beside, 'w')
    try {
      await file.writeFile(`${JSON.stringify({ format: FORMAT, sum: sumOf(content), ...content }, null, 1)}\n`)
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
