/**
 * A schema registry with Confluent's interface (Confluent's own, Apicurio, Karapace). Subjects are `<topic>-key` and
 * `<topic>-value` (TopicNameStrategy), each at level FULL_TRANSITIVE; ids are the registry's.
 *
 * Schemas are read by id through `@kafkajs/confluent-schema-registry`, which follows references between schemas. The rest
 * is plain HTTP: that client cannot list versions, refuses to register a union, and sets a subject's level only after its
 * first schema. Source: Confluent Schema Registry API reference, v1.
 */
import { z } from 'zod'
import { assertFullTransitive } from '../../schemas/compatibility.ts'
import type { AvroSchema } from '../../schemas/load.ts'
import type { RegisteredSchema, SchemaRegistry } from '../../schemas/registry.ts'
import { sameText } from '../../schemas/same-schema.ts'
import { createSchemaReader } from './confluent-reader.ts'
import { SchemaRegistryError } from './errors.ts'
import { bodyOf, createRegistryHttp, NO_SUBJECT, type RegistryEndpoint } from './http.ts'
import { createLevels, type Levels } from './levels.ts'
import { sameOnTheWire } from './same.ts'

export interface SubjectVersion extends RegisteredSchema {
  readonly version: number
}

export interface ConfluentRegistry extends SchemaRegistry, Levels {
  readonly url: string
  subjects(): Promise<readonly string[]>
  versions(subject: string): Promise<readonly SubjectVersion[]>
  /** Removes a subject with all its versions for good; records with its ids cannot be read any more. */
  deleteSubject(subject: string): Promise<void>
}

const whole = z.int().min(0)
/** JSON of a schema's outer form. The content shows when a record is decoded with it: a single bad version is no reason to stop. */
const avroText = z.string().transform((text, context): AvroSchema => {
  try {
    return z.union([z.string(), z.array(z.unknown()), z.looseObject({})]).parse(JSON.parse(text)) as AvroSchema
  } catch {
    context.addIssue('no Avro schema')
    return z.NEVER
  }
})

/** Nothing is asked of the registry yet. */
export function createConfluentRegistry(endpoint: RegistryEndpoint): ConfluentRegistry {
  const http = createRegistryHttp(endpoint)
  const schemaOf = createSchemaReader(http)
  const { level, ensureLevel } = createLevels(http)

  const versions = async (subject: string): Promise<readonly SubjectVersion[]> => {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const listed = await http.request('GET', path)
    if (!listed.ok && listed.code === NO_SUBJECT) return []
    const numbers = bodyOf(listed, subject, z.array(whole))
    const all = await Promise.all(numbers.map((version) => http.request('GET', `${path}/${version}`)))
    return all.map((answer) => bodyOf(answer, subject, z.object({ version: whole, id: whole, schema: avroText })))
  }

  /** A registry that has the very text is not written to, so a process that only runs needs no right to write. */
  const register = async (subject: string, schema: AvroSchema): Promise<number> => {
    await ensureLevel(subject)
    const known = await versions(subject)
    const same = known.findLast((version) => sameText(version.schema, schema))
    if (same) return same.id
    const before = known.map((version) => version.schema)
    assertFullTransitive(subject, before, schema)
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const answer = await http.request('POST', path, { schema: JSON.stringify(schema) })
    const { id } = bodyOf(answer, subject, z.object({ id: whole }))
    const kept = await schemaOf(id)
    if (!sameOnTheWire(kept, schema))
      throw new SchemaRegistryError(
        'REGISTRY_MISMATCH',
        `${http.url} gave ${subject} id ${id}, which is another schema`,
      )
    return id
  }

  return {
    url: http.url,
    register,
    schemaOf,
    versions,
    subjects: async () => bodyOf(await http.request('GET', '/subjects'), 'subjects', z.array(z.string())),
    level,
    ensureLevel,
    deleteSubject: async (subject) => {
      const path = `/subjects/${encodeURIComponent(subject)}`
      for (const step of [path, `${path}?permanent=true`]) {
        const answer = await http.request('DELETE', step)
        if (!answer.ok && answer.status !== 404) bodyOf(answer, subject, z.unknown())
      }
    },
  }
}
