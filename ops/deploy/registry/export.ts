import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConfluentRegistry, SubjectVersion } from '../../../connectors/schema-registry/confluent.ts'
import type { Desired } from './desired.ts'

export interface ExportedSubject {
  readonly subject: string
  readonly level: string | null
  /** Oldest first. */
  readonly versions: readonly SubjectVersion[]
}

/** Every version of our subjects that the registry has. */
export async function exportSchemas(
  desired: Desired,
  registry: ConfluentRegistry,
  prefix: string,
): Promise<readonly ExportedSubject[]> {
  const subjects = await Promise.all(
    [...desired.keys()].map(async (name) => {
      const subject = prefix + name
      const [versions, level] = await Promise.all([registry.versions(subject), registry.level(subject)])
      return { subject, level: level ?? null, versions }
    }),
  )
  return subjects.filter(({ versions }) => versions.length > 0)
}

/** `<subject>/<version>.avsc`, and `index.json` with ids and levels. @returns the number of schemas */
export function writeExport(subjects: readonly ExportedSubject[], folder: string): number {
  let count = 0
  for (const { subject, versions } of subjects) {
    mkdirSync(join(folder, subject), { recursive: true })
    for (const { version, schema } of versions) {
      writeFileSync(join(folder, subject, `${version}.avsc`), `${JSON.stringify(schema, null, 1)}\n`)
      count++
    }
  }
  mkdirSync(folder, { recursive: true })
  const index = subjects.map(({ subject, level, versions }) => ({
    subject,
    level,
    versions: versions.map(({ version, id }) => ({ version, id })),
  }))
  writeFileSync(join(folder, 'index.json'), `${JSON.stringify(index, null, 1)}\n`)
  return count
}
