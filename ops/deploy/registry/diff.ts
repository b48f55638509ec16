import type { ConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { historyOf, withoutDocs } from '../../../schemas/history.ts'
import type { AvroSchema } from '../../../schemas/load.ts'
import { shownUrl } from '../../base/shown-url.ts'
import type { Desired } from './desired.ts'
import { type Difference, differences } from './differences.ts'
import { versionsOf } from './versions.ts'

export interface SubjectDiff {
  readonly subject: string
  /** The version compared with; 0 when the subject has none. */
  readonly version: number
  readonly differences: readonly Difference[]
}

export interface DiffReport {
  readonly same: boolean
  readonly against: string
  readonly subjects: readonly SubjectDiff[]
}

/** With the newest version in the history, which holds no words. */
export function diffHistory(desired: Desired, folder?: string): DiffReport {
  const subjects = [...desired].map(([subject, schema]) => {
    const versions = historyOf(subject, folder)
    return compare(subject, versions.at(-1), versions.length, withoutDocs(schema))
  })
  return { same: subjects.every(isSame), against: 'history', subjects }
}

/** With the newest version that the registry has. */
export async function diffRegistry(desired: Desired, registry: ConfluentRegistry, prefix: string): Promise<DiffReport> {
  const subjects = await Promise.all(
    [...desired].map(async ([name, schema]) => {
      const newest = (await versionsOf(registry, prefix + name)).at(-1)
      return compare(prefix + name, newest?.schema, newest?.version ?? 0, schema)
    }),
  )
  return { same: subjects.every(isSame), against: shownUrl(registry.url), subjects }
}

const isSame = ({ version, differences }: SubjectDiff): boolean => version > 0 && differences.length === 0

const compare = (subject: string, before: AvroSchema | undefined, version: number, after: AvroSchema): SubjectDiff => ({
  subject,
  version,
  differences: before === undefined ? [] : differences(before, after),
})
