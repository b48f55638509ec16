/** Submissions and their verdicts: of an epoch, of a slot, by id. Each as `sequencer why` prints it. */
import type { EpochKey, VerdictReason } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import { decided, pending, type WhyItem } from '../../reading/why.ts'
import type { Page, SubmissionItem } from '../schema.ts'
import { keyOf, number, partsOf, prefixOf } from '../view/keys.ts'
import { type Origin, originOf } from '../view/origin.ts'
import { anchorParts, bytesOf, epochParts, fromJson, type SubmissionRow, TABLE } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { type PageQuery, pageOf } from './page.ts'
import { isVoteSecret, withoutVote } from './secrecy.ts'

export interface VerdictQuery extends PageQuery {
  readonly slot?: number | undefined
  readonly reason?: VerdictReason | undefined
  readonly project?: string | undefined
}

/** By slot, then by their place in the log. */
export function listVerdicts(
  reader: ViewReader,
  topics: Topics,
  key: EpochKey,
  query: VerdictQuery,
): Promise<Page<SubmissionItem>> {
  const parts = [...epochParts(key), ...(query.slot === undefined ? [] : [number(query.slot)])]
  const find = finder(reader, topics, query)
  const list = { prefix: prefixOf(TABLE.submissions, ...parts), page: query, filtered: isFiltered(query) }
  return pageOf(reader, list, (at, row) => find(partsOf(at).slice(1), row))
}

interface SlotQuery extends VerdictQuery {
  readonly origin: Origin
  readonly epoch?: number | undefined
  readonly market?: string | undefined
}

/** The newest first; with `epoch` only submissions of that epoch, the last by its place in the log first. */
export function listOfSlot(
  reader: ViewReader,
  topics: Topics,
  slotId: number,
  query: SlotQuery,
): Promise<Page<SubmissionItem>> {
  const { epoch, market, origin } = query
  const find = finder(reader, topics, query)
  const whose = [number(slotId), origin]
  const ofEpoch = epoch === undefined ? [] : [number(epoch), ...(market === undefined ? [] : [market])]
  const list = {
    prefix:
      epoch === undefined
        ? prefixOf(TABLE.slotSubmissions, ...whose)
        : prefixOf(TABLE.slotEpochs, ...whose, ...ofEpoch),
    page: query,
    newestFirst: true,
    filtered: market !== undefined || isFiltered(query),
  }
  return pageOf(reader, list, (at) => {
    const parts = partsOf(at).slice(1)
    const [slot, , ...rest] = parts
    const [dataMarket, epochId, ...position] =
      epoch === undefined ? rest.slice(1) : [rest[1]!, rest[0]!, ...rest.slice(2)]
    return (market ?? dataMarket) === dataMarket ? find([dataMarket!, epochId!, slot!, ...position]) : undefined
  })
}

/** An id is the collector's word: nothing keeps two submissions from having the same. */
export function submissionsById(
  reader: ViewReader,
  topics: Topics,
  submissionId: string,
  page: PageQuery,
): Promise<Page<SubmissionItem>> {
  const find = finder(reader, topics, {})
  const prefix = prefixOf(TABLE.submissionIds, submissionId.toLowerCase())
  return pageOf(reader, { prefix, page }, (at) => find(partsOf(at).slice(2)))
}

type Filter = Pick<VerdictQuery, 'reason' | 'project'>
const isFiltered = ({ reason, project }: Filter): boolean => reason !== undefined || project !== undefined

/** Finds submissions that the filter lets through, by the parts of their key, with verdict and batch. */
function finder(reader: ViewReader, topics: Topics, { reason, project }: Filter) {
  const batches = new Map<string, SubmissionItem['batch']>()
  const batchOf = (key: EpochKey, projectId: string): SubmissionItem['batch'] => {
    const id = keyOf(TABLE.batchOfProject, ...epochParts(key), projectId)
    if (!batches.has(id)) batches.set(id, findBatch(reader, topics, key, id))
    return batches.get(id)!
  }
  const secret = new Map<string, boolean>()
  const isSecret = (key: EpochKey): boolean => {
    const id = keyOf(...epochParts(key))
    if (!secret.has(id)) secret.set(id, isVoteSecret(reader, key))
    return secret.get(id)!
  }
  return (
    parts: readonly string[],
    row = reader.get(keyOf(TABLE.submissions, ...parts)),
  ): SubmissionItem | undefined => {
    if (!row) return undefined
    const submission = fromJson<SubmissionRow>(row)
    if (project !== undefined && submission.projectId !== project) return undefined
    const [dataMarket, epochId, slotId, partition, offset] = parts
    const key = { dataMarket: dataMarket!, epochId: Number(epochId) }
    const found = reader.get(keyOf(TABLE.verdicts, ...parts))
    const verdict = found && topics.verdicts.value.decode(bytesOf(found))
    if (reason !== undefined && verdict?.reason !== reason) return undefined
    const { receivedAt, copy } = submission
    const origin = originOf(verdict?.reason, copy)
    const told = isSecret(key) ? withoutVote : (item: WhyItem) => item
    if (!verdict) {
      const position = { partition: Number(partition), offset: Number(offset) }
      const item = pending({ ...submission, ...key, slotId: Number(slotId), position, receivedAt: receivedAt! })
      return { ...told(item), origin }
    }
    const batch = verdict.reason === 'COUNTED' ? batchOf(key, verdict.projectId) : null
    return { ...told({ ...decided(verdict, key, receivedAt), batch }), origin }
  }
}

/** The batch that holds a project, as soon as it is on its way to the chain. @param id key of the row that names it */
function findBatch(reader: ViewReader, topics: Topics, key: EpochKey, id: string): SubmissionItem['batch'] {
  const batchIndex = reader.getJson<number>(id)
  if (batchIndex === undefined) return null
  const row = reader.get(keyOf(TABLE.anchors, ...anchorParts({ ...key, batchIndex })))
  if (!row) return null
  const { cid, state, transactionHash } = topics.anchors.value.decode(bytesOf(row))
  return { batchIndex, cid, state, transactionHash }
}
