/** The records that were put aside recently, as doctor tells it. */
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { countLetters } from '../dead-letters/letters.ts'
import type { Finding } from './finding.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
/** Letters looked at, the newest: somebody may write any number of them. */
const LOOKED_AT = 10_000
/** Kinds told, those with the most. */
const KINDS_TOLD = 5

export async function examineLetters(log: Log, topics: Topics, now: number): Promise<Finding> {
  const check = 'dead letters'
  const counts = await countLetters(log, topics, { since: now - DAY_MS, newest: LOOKED_AT })
  if (counts.length === 0) return { check, ok: true, detail: 'none in the last 24 hours' }
  const letters = counts.reduce((sum, one) => sum + one.letters, 0)
  const kinds = counts.slice(0, KINDS_TOLD).map((one) => `${one.letters} ${one.reason} of ${one.topic}`)
  const detail = `${letters} in the last 24 hours: ${kinds.join(', ')}`
  return { check, ok: true, detail, advice: 'See `sequencer dead-letters list`, and find out who writes them.' }
}
