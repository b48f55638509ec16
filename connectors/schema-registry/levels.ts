import { z } from 'zod'
import { SchemaRegistryError } from './errors.ts'
import { bodyOf, NO_SUBJECT, type RegistryHttp } from './http.ts'

/** Every version of a subject reads every other. */
export const LEVEL = 'FULL_TRANSITIVE'

/** A subject without a level of its own: Confluent's code, and what Apicurio says instead. */
const NO_LEVEL = [40408, NO_SUBJECT]

export interface Levels {
  /** The subject's own compatibility level; undefined when it has none (then the registry's global one holds). */
  level(subject: string): Promise<string | undefined>
  /** Sets the level to FULL_TRANSITIVE unless it is so. Rejects with `REGISTRY_MISMATCH` when the registry did not keep it. */
  ensureLevel(subject: string): Promise<void>
}

export function createLevels(http: RegistryHttp): Levels {
  const pathOf = (subject: string) => `/config/${encodeURIComponent(subject)}`

  const level = async (subject: string): Promise<string | undefined> => {
    const answer = await http.request('GET', pathOf(subject))
    if (!answer.ok && NO_LEVEL.includes(answer.code)) return undefined
    return bodyOf(answer, subject, z.object({ compatibilityLevel: z.string() })).compatibilityLevel
  }

  const ensureLevel = async (subject: string): Promise<void> => {
    if ((await level(subject)) === LEVEL) return
    bodyOf(await http.request('PUT', pathOf(subject), { compatibility: LEVEL }), subject, z.unknown())
    const kept = (await level(subject)) ?? 'none'
    if (kept === LEVEL) return
    const what = `${http.url} keeps ${subject} at level ${kept}, although ${LEVEL} was set`
    throw new SchemaRegistryError('REGISTRY_MISMATCH', what)
  }
  return { level, ensureLevel }
}
