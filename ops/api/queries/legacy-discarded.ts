/** The submissions of a slot in a day that were outvoted, as the deployed collector gives them. */
import type { Day, DayKey, Verdict } from '../../../schemas/types.ts'
import type { Asked } from '../asked.ts'
import { keyOf, number, partsOf, prefixOf } from '../view/keys.ts'
import { bytesOf, TABLE } from '../view/rows.ts'
import { winnerOf } from './epochs.ts'
import { dayIn, isIn } from './legacy-days.ts'

const CHUNK_ROWS = 1_000
/** Rows of a slot that are looked through for one day; at two votes an epoch, days of 50,000 epochs. */
const SLOT_ROWS_MAX = 100_000
const DISCARDED_PAGE = 50

interface Discarded {
  readonly projectID: string
  readonly details: { finalizedCID: string; discardedSubmissionCount: number; discardedSubmissions: string[] }
}

/**
 * The submissions of a slot in a day whose CID did not win, by project and winner. `none`: nothing of anybody was discarded in the
 * day. Undefined: nothing of this slot.
 */
export async function discardedByDay(asked: Asked, key: DayKey, slotId: number, page: number) {
  const day = dayIn(asked, key)
  const found = day ? await outvotedOf(asked, key.dataMarket, slotId, day) : []
  const isNone = !day || day.accepted === day.counted
  if (found.length === 0)
    return isNone ? { slotID: slotId, discardedSubmissions: [], totalPages: 0, currentPage: page } : undefined
  const currentPage = Math.max(1, page)
  const first = (currentPage - 1) * DISCARDED_PAGE
  return {
    slotID: slotId,
    discardedSubmissions: found.slice(first, first + DISCARDED_PAGE),
    totalPages: Math.ceil(found.length / DISCARDED_PAGE),
    currentPage,
  }
}

async function outvotedOf(
  { reader, topics }: Asked,
  dataMarket: string,
  slotId: number,
  { epochs }: Day,
): Promise<Discarded[]> {
  const found = new Map<string, Discarded>()
  const slot = number(slotId)
  const prefix = prefixOf(TABLE.slotEpochs, slot, 'OWNER')
  let after = keyOf(TABLE.slotEpochs, slot, 'OWNER', number(epochs[0]?.first ?? 0))
  const last = epochs.at(-1)?.last ?? 0
  for (let looked = 0; looked < SLOT_ROWS_MAX; ) {
    const rows = await reader.range({ prefix, after, limit: CHUNK_ROWS })
    for (const [id] of rows) {
      const [, , , epochId, market, ...position] = partsOf(id)
      if (Number(epochId) > last) return inOrder(found)
      if (market !== dataMarket || !isIn(epochs, Number(epochId))) continue
      const row = reader.get(keyOf(TABLE.verdicts, dataMarket, epochId!, slot, ...position))
      const verdict = row && topics.verdicts.value.decode(bytesOf(row))
      if (verdict?.reason !== 'OUTVOTED') continue
      const winner = winnerOf(reader, { dataMarket, epochId: Number(epochId) }, verdict.projectId)
      if (winner !== undefined) addTo(found, verdict, winner)
    }
    if (rows.length < CHUNK_ROWS) break
    looked += rows.length
    after = rows.at(-1)![0]
  }
  return inOrder(found)
}

function addTo(
  found: Map<string, Discarded>,
  { projectId, snapshotCid }: Pick<Verdict, 'projectId' | 'snapshotCid'>,
  finalizedCID: string,
): void {
  const id = keyOf(projectId, finalizedCID)
  const details = found.get(id)?.details ?? { finalizedCID, discardedSubmissionCount: 0, discardedSubmissions: [] }
  details.discardedSubmissionCount++
  details.discardedSubmissions.push(snapshotCid)
  found.set(id, { projectID: projectId, details })
}

const inOrder = (found: ReadonlyMap<string, Discarded>): Discarded[] =>
  [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
