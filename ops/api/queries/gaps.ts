/** The epochs that went wrong, or were never released. */
import { isEnding } from '../../../schemas/anchor-keys.ts'
import type { EpochKey } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import { type EpochPhase, isLost } from '../../reading/epoch-phases.ts'
import { type EpochProgress, isReleased, outcomeOf, phaseOf } from '../../reading/epoch-progress.ts'
import type { Gap, Page } from '../schema.ts'
import { keyOf, partsOf, prefixOf } from '../view/keys.ts'
import { epochParts, fromJson, type Heads, TABLE, type Unanchored } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { anchorItem } from './batches.ts'
import { headsOf } from './heads.ts'
import { type PageQuery, pageOf } from './page.ts'

/** Epochs that a later one has overtaken, that failed, or that were refused or never released. Newest first. */
export function listGaps(reader: ViewReader, topics: Topics, page: PageQuery, market?: string): Promise<Page<Gap>> {
  const prefix = market === undefined ? prefixOf(TABLE.unanchored) : prefixOf(TABLE.unanchored, market)
  return pageOf(reader, { prefix, page, newestFirst: true }, (key, row) => {
    const [, dataMarket, epochId] = partsOf(key)
    return gapOf(reader, topics, { dataMarket: dataMarket!, epochId: Number(epochId) }, fromJson<Unanchored>(row))
  })
}

function gapOf(reader: ViewReader, topics: Topics, key: EpochKey, row: Unanchored): Gap | undefined {
  if (row.last === undefined) return stuckOf(reader, topics, key)
  return isStanding(reader, key.dataMarket, row) ? notReleased(key, row.last, row) : undefined
}

/** The release that showed the gap is on the chain still. One that nobody remembers any more is taken for it. */
function isStanding(reader: ViewReader, dataMarket: string, { before, skippedInBlock }: Unanchored): boolean {
  const row = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts({ dataMarket, epochId: before! })))
  return !row || (isReleased(row) && (skippedInBlock === undefined || skippedInBlock === row.releaseBlock))
}

function notReleased(key: EpochKey, lastEpochId: number, { before, skippedInBlock }: Unanchored): Gap {
  const after = `epoch ${before} was released after epoch ${key.epochId - 1}`
  if (skippedInBlock === undefined) return { ...key, lastEpochId, phase: 'UNKNOWN', outcome: null, detail: after }
  const detail = `${after}, in block ${skippedInBlock}, as the market’s owner chose`
  return { ...key, lastEpochId, phase: 'SKIPPED', outcome: null, detail }
}

function stuckOf(reader: ViewReader, topics: Topics, key: EpochKey): Gap | undefined {
  const row = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts(key)))
  if (!row) return undefined
  const [phase, outcome] = [phaseOf(row), outcomeOf(row)]
  if (phase === 'REFUSED') return { ...key, lastEpochId: key.epochId, phase, outcome, detail: row.refused }
  const heads = headsOf(reader, key.dataMarket)
  const overtaken = isLost(outcome) ? '' : overtakenBy(phase, key.epochId, heads)
  if (overtaken === undefined) return undefined
  const detail = overtaken || errorsOf(reader, topics, key, row) || withoutRows(row, heads)
  return { ...key, lastEpochId: key.epochId, phase, outcome, detail }
}

/** Each batch gets a row when it is taken, in order: those that have none were given up, or their rows are gone with the topic. */
const withoutRows = ({ anchors }: EpochProgress, { final }: Heads): string =>
  Object.keys(anchors).length > 0
    ? ''
    : `the topic anchors says nothing of it, though epoch ${final} is anchored: its rows are gone, or it was given up; the contract knows (audit --rpc)`

/** The step that a later epoch has and this one lacks; undefined when none has: it is merely not done yet. */
function overtakenBy(phase: EpochPhase, epochId: number, { closed, batched, final }: Heads): string | undefined {
  switch (phase) {
    case 'OPEN':
      return epochId < closed ? `epoch ${closed} is closed, this one is not` : undefined
    case 'ORPHANED':
      return epochId < closed ? `epoch ${closed} is closed, this one was not released again` : undefined
    case 'COUNTING':
      return epochId < batched ? `epoch ${batched} has its batches, this one has none` : undefined
    case 'STORING':
    case 'MINING':
    case 'CONFIRMING':
      return epochId < final ? '' : undefined
    default:
      return undefined
  }
}

/** The last errors of the epoch's anchors. */
function errorsOf(reader: ViewReader, topics: Topics, key: EpochKey, row: EpochProgress): string {
  const words = Object.keys(row.anchors).flatMap((index) => {
    const anchor = anchorItem(reader, topics, { ...key, batchIndex: Number(index) })
    if (!anchor || anchor.state === 'FINAL') return []
    const name = isEnding(anchor) ? 'the ending call' : `batch ${anchor.batchIndex}`
    return [`${name} is ${anchor.state}${anchor.error && `: ${anchor.error}`}`]
  })
  return words.join('; ')
}

/** Block in which the market's owner skipped the epoch; null when that is not known of it. */
export async function skipOf(reader: ViewReader, { dataMarket, epochId }: EpochKey): Promise<number | null> {
  const prefix = prefixOf(TABLE.unanchored, dataMarket)
  const after = keyOf(TABLE.unanchored, ...epochParts({ dataMarket, epochId: epochId + 1 }))
  const [found] = await reader.range({ prefix, after, newestFirst: true, limit: 1 })
  const row = found && fromJson<Unanchored>(found[1])
  const isOf = row?.last !== undefined && row.last >= epochId && isStanding(reader, dataMarket, row)
  return isOf ? (row.skippedInBlock ?? null) : null
}
