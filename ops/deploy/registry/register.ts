import type { ConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { LEVEL } from '../../../connectors/schema-registry/levels.ts'
import { sameText } from '../../../schemas/same-schema.ts'
import { shownUrl } from '../../base/shown-url.ts'
import { type CheckReport, checkRegistry } from './check.ts'
import type { Desired } from './desired.ts'
import { versionsOf } from './versions.ts'

export interface Registered {
  readonly subject: string
  readonly id: number
  readonly version: number
  /** The schema was not there before. */
  readonly added: boolean
  /** The registry has the very text; else it has another of the same meaning: `diff` shows what it left out. */
  readonly textKept: boolean
}

export type RegisterReport =
  | { readonly ok: false; readonly check: CheckReport }
  | { readonly ok: true; readonly registry: string; readonly level: string; readonly subjects: readonly Registered[] }

/** Registers every subject, or none when any of them would break a reader. Its report was read back. */
export async function registerSchemas(
  desired: Desired,
  registry: ConfluentRegistry,
  prefix: string,
): Promise<RegisterReport> {
  const check = await checkRegistry(desired, registry, prefix)
  if (!check.ok) return { ok: false, check }
  const before = new Map(check.subjects.map(({ subject, versions }) => [subject, versions]))
  const subjects: Registered[] = []
  for (const [name, schema] of desired) {
    const subject = prefix + name
    const id = await registry.register(subject, schema)
    const versions = await versionsOf(registry, subject)
    const kept = versions.findLast((version) => version.id === id)
    const textKept = kept !== undefined && sameText(kept.schema, schema)
    const added = versions.length > before.get(subject)!
    subjects.push({ subject, id, version: kept?.version ?? 0, added, textKept })
  }
  return { ok: true, registry: shownUrl(registry.url), level: LEVEL, subjects }
}
