/** Whether each schema may become the newest version of its subject: against the history, and against a registry. */
import type { ConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { LEVEL } from '../../../connectors/schema-registry/levels.ts'
import { sameOnTheWire } from '../../../connectors/schema-registry/same.ts'
import { assertFullTransitive, type Incompatibility, SchemaIncompatibleError } from '../../../schemas/compatibility.ts'
import { historyOf, withoutDocs } from '../../../schemas/history.ts'
import type { AvroSchema } from '../../../schemas/load.ts'
import { sameText } from '../../../schemas/same-schema.ts'
import { shownUrl } from '../../base/shown-url.ts'
import type { Desired } from './desired.ts'
import { versionsOf } from './versions.ts'

/**
 * - `same`: a version of the subject already.
 * - `reworded`: the same bytes; words, or what a default stands for, differ.
 * - `new`: the subject has no version yet.
 * - `changed`: a further version, which reads every older one and is read by it.
 * - `refused`: the new version and an older one cannot read each other.
 */
export type SubjectState = 'same' | 'reworded' | 'new' | 'changed' | 'refused'

export interface SubjectCheck {
  readonly subject: string
  readonly state: SubjectState
  /** Number of versions of the subject. */
  readonly versions: number
  /** The subject's own level in the registry; null for none. Absent in the history. */
  readonly level?: string | null
  /** The fields and rules that refuse it. */
  readonly problems: readonly Incompatibility[]
}

export interface CheckReport {
  readonly ok: boolean
  /** `history`, or the address of the registry. */
  readonly against: string
  readonly subjects: readonly SubjectCheck[]
}

export function checkHistory(desired: Desired, folder?: string): CheckReport {
  const subjects = [...desired].map(([subject, schema]) => {
    const versions = historyOf(subject, folder)
    return judge(subject, withoutDocs(schema), versions)
  })
  return { ok: isOk(subjects), against: 'history', subjects }
}

/** Rejects with SchemaRegistryError when the registry cannot be asked. */
export async function checkRegistry(
  desired: Desired,
  registry: ConfluentRegistry,
  prefix: string,
): Promise<CheckReport> {
  const subjects = await Promise.all(
    [...desired].map(async ([name, schema]) => {
      const subject = prefix + name
      const [versions, level] = await Promise.all([versionsOf(registry, subject), registry.level(subject)])
      const known = versions.map((version) => version.schema)
      return { ...judge(subject, schema, known), level: level ?? null }
    }),
  )
  return { ok: isOk(subjects), against: shownUrl(registry.url), subjects }
}

const isOk = (subjects: readonly SubjectCheck[]): boolean => subjects.every(({ state }) => state !== 'refused')

/** For subjects that exist: `register` sets their level. */
export const levelMissing = ({ level, versions }: SubjectCheck): boolean =>
  level !== undefined && level !== LEVEL && versions > 0

function judge(subject: string, schema: AvroSchema, versions: readonly AvroSchema[]): SubjectCheck {
  const problems = problemsOf(subject, schema, versions)
  return { subject, state: stateOf(schema, versions, problems), versions: versions.length, problems }
}

function stateOf(
  schema: AvroSchema,
  versions: readonly AvroSchema[],
  problems: readonly Incompatibility[],
): SubjectState {
  if (versions.length === 0) return 'new'
  if (versions.some((version) => sameText(version, schema))) return 'same'
  if (problems.length > 0) return 'refused'
  return sameOnTheWire(versions.at(-1)!, schema) ? 'reworded' : 'changed'
}

function problemsOf(subject: string, schema: AvroSchema, versions: readonly AvroSchema[]): readonly Incompatibility[] {
  try {
    assertFullTransitive(subject, versions, schema)
    return []
  } catch (error) {
    if (error instanceof SchemaIncompatibleError) return error.found
    throw error
  }
}
