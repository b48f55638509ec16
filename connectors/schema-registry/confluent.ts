/**
 * A schema registry with Confluent's interface (Confluent's own, Apicurio, Karapace). Subjects are `<topic>-key` and
 * `<topic>-value` (TopicNameStrategy), each at level FULL_TRANSITIVE; ids are the registry's.
 *
 * Schemas are read by id through `@kafkajs/confluent-schema-registry`, which follows references between schemas. The rest
 * is plain HTTP: that client cannot list versions, refuses to register a union, and sets a subject's level only after its
 * first schema. Source: Confluent Schema Registry API reference, v1.
 */
import avro from 'avsc'
import { assertFullTransitive } from '../../schemas/compatibility.ts'
import type { AvroSchema } from '../../schemas/load.ts'
import type { RegisteredSchema, SchemaRegistry } from '../../schemas/registry.ts'
import { createSchemaReader } from './confluent-reader.ts'
import { SchemaRegistryError } from './errors.ts'
import { createRegistryHttp, type RegistryEndpoint } from './http.ts'

export const LEVEL = 'FULL_TRANSITIVE'

const NO_SUBJECT = 40401
/** A subject without a level of its own: Confluent's code, and what Apicurio says instead. */
const NO_LEVEL = [40408, NO_SUBJECT]

export interface SubjectVersion extends RegisteredSchema {
  readonly version: number
}

export interface ConfluentRegistry extends SchemaRegistry {
  readonly url: string
  subjects(): Promise<readonly string[]>
  versions(subject: string): Promise<readonly SubjectVersion[]>
  /** The subject's own compatibility level; undefined when it has none (then the registry's global one holds). */
  level(subject: string): Promise<string | undefined>
  /** Sets the level to FULL_TRANSITIVE unless it is so. Rejects with `MISMATCH` when the registry did not keep it. */
  ensureLevel(subject: string): Promise<void>
  /** Removes a subject with all its versions for good; records with its ids cannot be read any more. */
  deleteSubject(subject: string): Promise<void>
}

/** Nothing is asked of the registry yet. */
export function createConfluentRegistry(endpoint: RegistryEndpoint): ConfluentRegistry {
  const http = createRegistryHttp(endpoint)
  const schemaOf = createSchemaReader(http)

  const versions = async (subject: string): Promise<readonly SubjectVersion[]> => {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const listed = await http.request('GET', path)
    if (!listed.ok && listed.code === NO_SUBJECT) return []
    const numbers = bodyOf<readonly number[]>(listed, subject)
    const all = await Promise.all(numbers.map((version) => http.request('GET', `${path}/${version}`)))
    return all.map((answer) => {
      const { version, id, schema } = bodyOf<{ version: number; id: number; schema: string }>(answer, subject)
      return { version, id, schema: JSON.parse(schema) as AvroSchema }
    })
  }

  const level = async (subject: string): Promise<string | undefined> => {
    const answer = await http.request('GET', `/config/${encodeURIComponent(subject)}`)
    if (!answer.ok && NO_LEVEL.includes(answer.code)) return undefined
    return bodyOf<{ compatibilityLevel: string }>(answer, subject).compatibilityLevel
  }

  const ensureLevel = async (subject: string): Promise<void> => {
    if ((await level(subject)) === LEVEL) return
    bodyOf(await http.request('PUT', `/config/${encodeURIComponent(subject)}`, { compatibility: LEVEL }), subject)
    const kept = await level(subject)
    if (kept !== LEVEL)
      throw new SchemaRegistryError(
        'MISMATCH',
        `${http.url} keeps ${subject} at level ${kept ?? 'none'}, although ${LEVEL} was set`,
      )
  }

  /** A registry that has the very text is not written to, so a process that only runs needs no right to write. */
  const register = async (subject: string, schema: AvroSchema): Promise<number> => {
    await ensureLevel(subject)
    const known = await versions(subject)
    const text = JSON.stringify(schema)
    const same = known.findLast((version) => JSON.stringify(version.schema) === text)
    if (same) return same.id
    assertFullTransitive(
      subject,
      known.map((version) => version.schema),
      schema,
    )
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const { id } = bodyOf<{ id: number }>(await http.request('POST', path, { schema: text }), subject)
    const kept = await schemaOf(id)
    if (!sameOnTheWire(kept, schema))
      throw new SchemaRegistryError('MISMATCH', `${http.url} gave ${subject} id ${id}, which is another schema`)
    return id
  }

  return {
    url: http.url,
    register,
    schemaOf,
    versions,
    subjects: async () => bodyOf<readonly string[]>(await http.request('GET', '/subjects'), 'subjects'),
    level,
    ensureLevel,
    deleteSubject: async (subject) => {
      const path = `/subjects/${encodeURIComponent(subject)}`
      for (const step of [path, `${path}?permanent=true`]) {
        const answer = await http.request('DELETE', step)
        if (!answer.ok && answer.status !== 404) bodyOf(answer, subject)
      }
    },
  }
}

function bodyOf<T>(answer: Awaited<ReturnType<ReturnType<typeof createRegistryHttp>['request']>>, subject: string): T {
  if (answer.ok) return answer.body as T
  const { code, message } = answer
  throw new SchemaRegistryError('REFUSED', `the registry refuses ${subject} (${code}): ${message}`)
}

/** Whether the same bytes mean the same: equal in the canonical form, without words, aliases and defaults (Avro 1.12). */
export function sameOnTheWire(one: AvroSchema, other: AvroSchema): boolean {
  const canonical = (schema: AvroSchema) => JSON.stringify(avro.Type.forSchema(schema as avro.Schema).schema())
  return canonical(one) === canonical(other)
}
