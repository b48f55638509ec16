/** Takes rows out of the view that are older than what the topics keep; a piece at a time, between commits. */
import type { Topics } from '../../../topology/topics.ts'
import { HOUR_MS } from './commit.ts'
import {
  bytesOf,
  type Counts,
  fromJson,
  keyOf,
  partsOf,
  prefixOf,
  queueOf,
  type SubmissionRow,
  slotParts,
  TABLE,
} from './rows.ts'
import type { ViewReader, ViewWrite } from './store.ts'

/** Rows looked at in one piece. */
const PIECE_ROWS = 2_000

/**
 * @param before rows of hours that ended before this time go
 * @returns what to delete now; empty when nothing (more) is old enough
 */
export async function expired(reader: ViewReader, topics: Topics, before: number): Promise<readonly ViewWrite[]> {
  const [oldest] = await reader.range({ prefix: prefixOf(TABLE.hours), limit: 1 })
  if (!oldest) return []
  const [, hourText, ...epoch] = partsOf(oldest[0])
  const hour = Number(hourText)
  if ((hour + 1) * HOUR_MS > before) return []
  const newest = reader.getJson<Counts>(keyOf(TABLE.counts, ...epoch))?.hour ?? 0
  const submissions = await old(reader, epoch, ({ time }) => newest <= hour || Math.floor(time / HOUR_MS) <= hour)
  const keys = submissions.flatMap(([key, { submissionId }]) => {
    const [, ...parts] = partsOf(key)
    const id = keyOf(TABLE.submissionIds, submissionId.toLowerCase(), ...parts)
    return [key, keyOf(TABLE.verdicts, ...parts), id, keyOf(TABLE.slotSubmissions, ...slotParts(parts))]
  })
  if (keys.length > 0) return keys.map((key) => ({ type: 'del', key }))
  if (newest > hour) return [{ type: 'del', key: oldest[0] }]
  const rest = await rowsOfEpoch(reader, topics, epoch)
  return [...rest, oldest[0]].map((key) => ({ type: 'del', key }))
}

async function old(
  reader: ViewReader,
  epoch: readonly string[],
  isOld: (row: SubmissionRow) => boolean,
): Promise<readonly (readonly [string, SubmissionRow])[]> {
  let after: string | undefined
  for (;;) {
    const rows = await reader.range({ prefix: prefixOf(TABLE.submissions, ...epoch), after, limit: PIECE_ROWS })
    const found = rows.map(([key, row]) => [key, fromJson<SubmissionRow>(row)] as const).filter(([, row]) => isOld(row))
    if (found.length > 0 || rows.length < PIECE_ROWS) return found
    after = rows.at(-1)![0]
  }
}

/** Everything else of an epoch; there is little of it: verdicts only if their submissions were never read. */
async function rowsOfEpoch(reader: ViewReader, { anchors }: Topics, epoch: readonly string[]): Promise<string[]> {
  const keys = [TABLE.epochs, TABLE.counts, TABLE.unsettled].map((table) => keyOf(table, ...epoch))
  for (const table of [TABLE.verdicts, TABLE.projects, TABLE.batchOfProject, TABLE.batches, TABLE.anchors])
    for (const [key, row] of await reader.range({
      prefix: prefixOf(table, ...epoch),
      limit: Number.MAX_SAFE_INTEGER,
    })) {
      keys.push(key)
      if (table !== TABLE.anchors) continue
      const [, ...parts] = partsOf(key)
      const { state, cid } = anchors.value.decode(bytesOf(row))
      keys.push(keyOf(TABLE.anchorQueues, queueOf(state), ...parts), keyOf(TABLE.batchCids, cid, ...parts))
    }
  return keys
}
