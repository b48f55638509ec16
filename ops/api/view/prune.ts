/** Takes rows out of the view: those older than what the topics keep, and the oldest submissions when there are too many. */

import type { Topics } from '../../../topology/topics.ts'
import { standingOfBatch } from '../../reading/epoch-phases.ts'
import { HOUR_MS } from './commit.ts'
import { keyOf, number, partsOf, prefixOf } from './keys.ts'
import type { Origin } from './origin.ts'
import { bytesOf, type Counts, indexKeys, json, KEPT, type Kept, NONE_KEPT, type SubmissionRow, TABLE } from './rows.ts'
import type { ViewReader, ViewWrite } from './store.ts'

/** Rows looked at in one piece. */
const PIECE_ROWS = 2_000
/** Submissions that merely claim a slot go first, so that a sender of such submissions pushes out no others. */
const FIRST_TO_GO = ['UNPROVEN', 'OWNER'] as const satisfies readonly Origin[]

/**
 * @param before submissions older than this go, and epochs in which nothing was written since; ms
 * @returns the writes to make now; empty when nothing (more) is old enough
 */
export async function expired(reader: ViewReader, topics: Topics, before: number): Promise<readonly ViewWrite[]> {
  for (const origin of FIRST_TO_GO) {
    const oldest = await oldestOf(reader, origin, PIECE_ROWS)
    const old = oldest.filter(({ row: { time } }) => time < before)
    if (old.length > 0) return removal(reader, origin, old)
  }
  const [oldest] = await reader.range({ prefix: prefixOf(TABLE.hours), limit: 1 })
  if (!oldest) return []
  const [, hourText, ...epoch] = partsOf(oldest[0])
  const hour = Number(hourText)
  if ((hour + 1) * HOUR_MS > before) return []
  const newest = reader.getJson<Counts>(keyOf(TABLE.counts, ...epoch))?.hour ?? 0
  const rest = newest > hour ? [] : await rowsOfEpoch(reader, topics, epoch)
  return [...rest, oldest[0]].map(del)
}

/**
 * @param max submissions that may stay
 * @returns the writes to make now; empty when there are no more than that
 */
export async function surplus(reader: ViewReader, max: number): Promise<readonly ViewWrite[]> {
  const kept = reader.getJson<Kept>(KEPT) ?? NONE_KEPT
  const tooMany = Math.min(kept.OWNER + kept.UNPROVEN - max, PIECE_ROWS)
  if (tooMany <= 0) return []
  const origin = kept.UNPROVEN > 0 ? 'UNPROVEN' : 'OWNER'
  const oldest = await oldestOf(reader, origin, tooMany)
  if (oldest.length === 0) return []
  return [...(await removal(reader, origin, oldest)), ...forgotten(reader, oldest)]
}

interface Old {
  readonly parts: readonly string[]
  readonly row: SubmissionRow
}

async function oldestOf(reader: ViewReader, origin: Origin, limit: number): Promise<readonly Old[]> {
  const keys = await reader.range({ prefix: prefixOf(TABLE.byAge, origin), limit })
  return keys.flatMap(([key]) => {
    const parts = partsOf(key).slice(3)
    const row = reader.getJson<SubmissionRow>(keyOf(TABLE.submissions, ...parts))
    return row ? [{ parts, row }] : []
  })
}

async function removal(reader: ViewReader, origin: Origin, old: readonly Old[]): Promise<ViewWrite[]> {
  const kept = reader.getJson<Kept>(KEPT) ?? NONE_KEPT
  const keys = old.flatMap(({ parts, row }) => [
    keyOf(TABLE.submissions, ...parts),
    keyOf(TABLE.verdicts, ...parts),
    keyOf(TABLE.submissionIds, row.submissionId.toLowerCase(), ...parts),
    ...indexKeys(parts, origin, row),
    ...(row.signature === null || row.copy ? [] : [keyOf(TABLE.signatures, parts[2]!, row.signature)]),
  ])
  const left = { ...kept, [origin]: kept[origin] - old.length }
  return [...keys.map(del), { type: 'put', key: KEPT, value: json(left) }]
}

/** Anybody can name an epoch that there is not: what is counted of such a one goes with the last of its submissions. */
function forgotten(reader: ViewReader, old: readonly Old[]): ViewWrite[] {
  const byEpoch = new Map<string, Old[]>()
  for (const one of old) {
    const id = keyOf(...one.parts.slice(0, 2))
    byEpoch.set(id, [...(byEpoch.get(id) ?? []), one])
  }
  return [...byEpoch].flatMap(([id, ofEpoch]) => {
    const epoch = partsOf(id)
    const counts = reader.getJson<Counts>(keyOf(TABLE.counts, ...epoch))
    if (!counts || reader.get(keyOf(TABLE.epochs, ...epoch))) return []
    const submissions = counts.submissions - ofEpoch.length
    const hours = new Set(ofEpoch.map(({ row: { time } }) => Math.floor(time / HOUR_MS)))
    if (submissions > 0) hours.delete(counts.hour)
    else hours.add(counts.hour)
    const key = keyOf(TABLE.counts, ...epoch)
    const left: ViewWrite = submissions > 0 ? { type: 'put', key, value: json({ ...counts, submissions }) } : del(key)
    return [left, ...[...hours].map((hour) => del(keyOf(TABLE.hours, number(hour), ...epoch)))]
  })
}

const del = (key: string): ViewWrite => ({ type: 'del', key })

/** Everything of an epoch but its submissions; there is little of it: verdicts only if their submissions were never read. */
async function rowsOfEpoch(reader: ViewReader, { anchors }: Topics, epoch: readonly string[]): Promise<string[]> {
  const keys = [TABLE.epochs, TABLE.counts, TABLE.unanchored, TABLE.tallies].map((table) => keyOf(table, ...epoch))
  for (const table of [TABLE.verdicts, TABLE.projects, TABLE.batchOfProject, TABLE.batches, TABLE.anchors])
    for (const [key, row] of await reader.range({
      prefix: prefixOf(table, ...epoch),
      limit: Number.MAX_SAFE_INTEGER,
    })) {
      keys.push(key)
      if (table !== TABLE.anchors) continue
      const [, ...parts] = partsOf(key)
      const { state, cid } = anchors.value.decode(bytesOf(row))
      keys.push(keyOf(TABLE.anchorsByStanding, standingOfBatch(state), ...parts), keyOf(TABLE.batchCids, cid, ...parts))
    }
  return keys
}
