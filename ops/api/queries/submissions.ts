/** Submissions and their verdicts: of an epoch, of a slot, by id. What `sequencer why` prints of each. */
import type { EpochKey, VerdictReason } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import { decided, pending } from '../../lookup/why.ts'
import type { Page, SubmissionItem } from '../schema.ts'
import {
  bytesOf,
  epochParts,
  fromJson,
  keyOf,
  number,
  partsOf,
  prefixOf,
  type SubmissionRow,
  TABLE,
} from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { eachRow, fromCursor, type PageQuery, pageOf, type Row } from './page.ts'

export interface VerdictQuery extends PageQuery {
  readonly slot?: number | undefined
  readonly reason?: VerdictReason | undefined
  readonly project?: string | undefined
}

/** Rows read at once when a filter may keep most of them out. */
const CHUNK = 256

/** By slot, then by their place in the log. */
export function listVerdicts(
  reader: ViewReader,
  topics: Topics,
  key: EpochKey,
  query: VerdictQuery,
): Promise<Page<SubmissionItem>> {
  const parts = [...epochParts(key), ...(query.slot === undefined ? [] : [number(query.slot)])]
  const chunk = query.reason === undefined && query.project === undefined ? query.limit + 1 : CHUNK
  return pageOf(filtered(submissionRows(reader, topics, parts, fromCursor(query.cursor), chunk), query), query)
}

/** Newest epoch first; `epoch` and `market` narrow. */
export function listOfSlot(
  reader: ViewReader,
  topics: Topics,
  slotId: number,
  query: VerdictQuery & { readonly epoch?: number | undefined; readonly market?: string | undefined },
): Promise<Page<SubmissionItem>> {
  return pageOf(filtered(slotRows(reader, topics, slotId, query), query), query)
}

async function* slotRows(
  reader: ViewReader,
  topics: Topics,
  slotId: number,
  { market, epoch, cursor, limit }: Parameters<typeof listOfSlot>[3],
): AsyncGenerator<Row<SubmissionItem>> {
  const prefix = prefixOf(TABLE.slotEpochs, number(slotId))
  const [epochRest, within] = fromCursor(cursor)?.split('\n') ?? []
  // behind the key itself: the epoch of the cursor may have more
  const after = epochRest === undefined ? undefined : `${prefix}${epochRest}\u0000`
  for await (const [key] of eachRow(reader, { prefix, after, newestFirst: true, chunk: CHUNK })) {
    const rest = key.slice(prefix.length)
    const [, , dataMarket, epochId] = partsOf(key)
    const wanted = (market ?? dataMarket) === dataMarket && (epoch ?? Number(epochId)) === Number(epochId)
    if (!wanted) yield { at: `${rest}\n\uffff`, item: undefined }
    else
      for await (const { at, item } of submissionRows(
        reader,
        topics,
        [dataMarket!, epochId!, number(slotId)],
        rest === epochRest ? within : undefined,
        limit + 1,
      ))
        yield { at: `${rest}\n${at}`, item }
  }
}

async function* filtered(
  rows: AsyncIterable<Row<SubmissionItem>>,
  { reason, project }: VerdictQuery,
): AsyncGenerator<Row<SubmissionItem>> {
  for await (const { at, item } of rows) {
    const matches =
      (reason === undefined || item?.verdict?.reason === reason) &&
      (project === undefined || item?.projectId === project)
    yield { at, item: matches ? item : undefined }
  }
}

/** The submissions and the verdicts under some parts of their key, joined; either may be missing. */
async function* submissionRows(
  reader: ViewReader,
  topics: Topics,
  parts: readonly string[],
  rest: string | undefined,
  chunk: number,
): AsyncGenerator<Row<SubmissionItem>> {
  const from = (table: string) => {
    const prefix = prefixOf(table, ...parts)
    return eachRow(reader, { prefix, after: rest === undefined ? undefined : prefix + rest, chunk })
  }
  const [submissions, verdicts] = [from(TABLE.submissions), from(TABLE.verdicts)]
  let submission = (await submissions.next()).value as readonly [string, Buffer] | undefined
  let verdict = (await verdicts.next()).value as typeof submission
  while (submission || verdict) {
    const [one, other] = [submission?.[0].slice(1), verdict?.[0].slice(1)]
    const key = other === undefined || (one !== undefined && one < other) ? one! : other
    yield {
      at: key.slice(prefixOf('', ...parts).length),
      item: itemOf(
        reader,
        topics,
        key,
        one === key ? submission![1] : undefined,
        other === key ? verdict![1] : undefined,
      ),
    }
    if (one === key) submission = (await submissions.next()).value ?? undefined
    if (other === key) verdict = (await verdicts.next()).value ?? undefined
  }
}

function itemOf(
  reader: ViewReader,
  topics: Topics,
  key: string,
  submissionRow: Buffer | undefined,
  verdictRow: Buffer | undefined,
): SubmissionItem {
  const [, dataMarket, epochId, slotId, partition, offset] = partsOf(key)
  const epoch = { dataMarket: dataMarket!, epochId: Number(epochId) }
  const submission = submissionRow && fromJson<SubmissionRow>(submissionRow)
  if (!verdictRow) {
    const position = { partition: Number(partition), offset: Number(offset) }
    return pending({ ...submission!, ...epoch, slotId: Number(slotId), position })
  }
  const verdict = topics.verdicts.value.decode(bytesOf(verdictRow))
  const item = decided(verdict, epoch, submission?.receivedAt ?? null)
  return { ...item, batch: verdict.reason === 'COUNTED' ? batchOf(reader, topics, epoch, verdict.projectId) : null }
}

/** The batch that holds a project, as soon as it is on its way to the chain. */
function batchOf(reader: ViewReader, topics: Topics, key: EpochKey, projectId: string): SubmissionItem['batch'] {
  const batchIndex = reader.getJson<number>(keyOf(TABLE.batchOfProject, ...epochParts(key), projectId))
  if (batchIndex === undefined) return null
  const row = reader.get(keyOf(TABLE.anchors, ...epochParts(key), number(batchIndex + 1)))
  if (!row) return null
  const { cid, state, transactionHash } = topics.anchors.value.decode(bytesOf(row))
  return { batchIndex, cid, state, transactionHash }
}

/** An id is the collector's word: nothing keeps two submissions from having the same. */
export async function submissionsById(
  reader: ViewReader,
  topics: Topics,
  submissionId: string,
  page: PageQuery,
): Promise<Page<SubmissionItem>> {
  const prefix = prefixOf(TABLE.submissionIds, submissionId.toLowerCase())
  async function* rows(): AsyncGenerator<Row<SubmissionItem>> {
    const rest = fromCursor(page.cursor)
    const after = rest === undefined ? undefined : prefix + rest
    for await (const [key] of eachRow(reader, { prefix, after, chunk: page.limit + 1 })) {
      const [, , ...parts] = partsOf(key)
      const [one, other] = [TABLE.submissions, TABLE.verdicts].map((table) => reader.get(keyOf(table, ...parts)))
      if (one || other)
        yield {
          at: key.slice(prefix.length),
          item: itemOf(reader, topics, `\u0000${parts.join('\u0000')}`, one, other),
        }
    }
  }
  return pageOf(rows(), page)
}
