/** The verdicts of a slot's submissions, with the rule that decided each. */
import type { Anchor, AnchorState, EpochKey, Submission, Verdict, VerdictReason } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { isMarker, type Topics } from '../../topology/topics.ts'
import { ACCEPT_HELP, isAccepted, REASON_HELP, type RejectReason } from '../../topology/verdict.ts'
import { anchorsOfEpoch, batchOf } from './anchors.ts'
import { type KeyFilter, submissionPartitions, submissionsOf, verdictPartitions, verdictsOf } from './keys.ts'
import { lookedUp } from './read.ts'
import { readAt, scan } from './scan.ts'

/** At least `slotId` or `submissionId`. Each further field narrows the search and makes it faster. */
export interface WhyQuery {
  readonly slotId?: number | undefined
  readonly epochId?: number | undefined
  readonly projectId?: string | undefined
  readonly submissionId?: string | undefined
  /** Lower case. */
  readonly dataMarket?: string | undefined
}

export interface WhyItem {
  readonly status: 'DECIDED' | 'PENDING'
  readonly submissionId: string
  readonly dataMarket: string
  readonly epochId: number
  readonly slotId: number
  readonly projectId: string
  /** null: the query API was asked, and votes are secret until their epoch is closed. */
  readonly snapshotCid: string | null
  /** Where the submission lies in the topic `submissions`. */
  readonly position: { readonly partition: number; readonly offset: number }
  /** ISO time of the intake; null when the submission is no longer in the log. */
  readonly receivedAt: string | null
  readonly verdict: {
    readonly reason: VerdictReason
    readonly accepted: boolean
    readonly stage: string
    readonly rule: string
    /** null, as the next: it may tell such a vote. */
    readonly expected: string | null
    readonly actual: string | null
    readonly blockNumber: number
    /** The meaning of the reason, and the remedy. */
    readonly help: string
  } | null
  /** The batch that counts the submission; null when none does, or does not yet. */
  readonly batch: {
    readonly batchIndex: number
    readonly cid: string
    readonly state: AnchorState
    readonly transactionHash: string
  } | null
}

export interface WhyAnswer {
  readonly items: readonly WhyItem[]
  /** More matched than ITEMS_MAX; the oldest are shown. */
  readonly truncated: boolean
}

export const ITEMS_MAX = 500

export async function why(log: Log, topics: Topics, query: WhyQuery): Promise<WhyAnswer> {
  const verdicts = await findVerdicts(log, topics, query)
  const items = await findSubmissions(log, topics, query, verdicts)
  for (const one of verdicts.values()) items.push(await decidedItem(log, topics, one))
  items.sort(inOrder)
  return { items: await withBatches(log, topics, items.slice(0, ITEMS_MAX)), truncated: items.length > ITEMS_MAX }
}

export const inOrder = (a: WhyItem, b: WhyItem): number =>
  a.epochId - b.epochId || a.position.partition - b.position.partition || a.position.offset - b.position.offset

interface Decided {
  readonly verdict: Verdict
  readonly dataMarket: string
  readonly epochId: number
}
const placeOf = (partition: number, offset: number): string => `${partition}/${offset}`

async function findVerdicts(log: Log, topics: Topics, query: WhyQuery): Promise<Map<string, Decided>> {
  const found = new Map<string, Decided>()
  const { name } = topics.verdicts
  const mayMatch = epochFilter(query, (epoch) => verdictsOf(topics, epoch))
  for (const partition of verdictPartitions(topics, query))
    for await (const records of scan(log, { topic: name, partition }))
      for (const record of records) {
        if (!mayMatch(record.key) || record.value === null || found.size > ITEMS_MAX) continue
        const read = lookedUp(topics.verdicts, partition, record)
        if (!read?.value) continue
        const {
          key: { dataMarket, epochId },
          value: verdict,
        } = read
        if (!matches(query, { ...verdict, dataMarket, epochId })) continue
        found.set(placeOf(verdict.position.partition, verdict.position.offset), { verdict, dataMarket, epochId })
      }
  return found
}

/** Acknowledged submissions without a verdict. */
async function findSubmissions(
  log: Log,
  topics: Topics,
  query: WhyQuery,
  verdicts: ReadonlyMap<string, Decided>,
): Promise<WhyItem[]> {
  const items: WhyItem[] = []
  const { name } = topics.submissions
  const mayMatch = epochFilter(query, (epoch) => submissionsOf(topics, epoch))
  for (const partition of submissionPartitions(topics, query))
    for await (const records of scan(log, { topic: name, partition }))
      for (const record of records) {
        if (!mayMatch(record.key) || record.value === null || items.length > ITEMS_MAX) continue
        if (verdicts.has(placeOf(partition, record.offset))) continue
        const read = lookedUp(topics.submissions, partition, record)
        if (!read?.value || isMarker(read.value)) continue
        const {
          key: { dataMarket },
          value: event,
        } = read
        if (matches(query, { ...event, dataMarket }))
          items.push(pending({ ...event, dataMarket, position: { partition, offset: record.offset } }))
      }
  return items
}

function epochFilter(
  { dataMarket, epochId }: WhyQuery,
  filterOf: (key: { dataMarket: string; epochId: number }) => KeyFilter,
): KeyFilter {
  if (dataMarket === undefined || epochId === undefined) return (key) => key !== null
  return filterOf({ dataMarket, epochId })
}

type Found = { readonly [Field in keyof WhyQuery]-?: NonNullable<WhyQuery[Field]> }

export function matches(query: WhyQuery, found: Found): boolean {
  return (
    (query.slotId === undefined || query.slotId === found.slotId) &&
    (query.epochId === undefined || query.epochId === found.epochId) &&
    (query.projectId === undefined || query.projectId === found.projectId) &&
    (query.submissionId === undefined || query.submissionId === found.submissionId.toLowerCase()) &&
    (query.dataMarket === undefined || query.dataMarket === found.dataMarket)
  )
}

type Received = Pick<
  WhyItem,
  'submissionId' | 'dataMarket' | 'epochId' | 'slotId' | 'projectId' | 'snapshotCid' | 'position'
>

/** @param receivedAt ms */
export function pending({ receivedAt, ...received }: Received & { readonly receivedAt: number }): WhyItem {
  const { submissionId, dataMarket, epochId, slotId, projectId, snapshotCid, position } = received
  const identity = { submissionId, dataMarket, epochId, slotId, projectId, snapshotCid }
  const at = new Date(receivedAt).toISOString()
  return { status: 'PENDING', ...identity, position, receivedAt: at, verdict: null, batch: null }
}

/** @param receivedAt ms; null when the submission is no longer there */
export function decided(verdict: Verdict, { dataMarket, epochId }: EpochKey, receivedAt: number | null): WhyItem {
  const { submissionId, slotId, projectId, snapshotCid, position, reason, stage, rule, expected, actual, blockNumber } =
    verdict
  const accepted = isAccepted(reason)
  const help = accepted ? ACCEPT_HELP[reason] : (REASON_HELP[reason as RejectReason] ?? '')
  return {
    status: 'DECIDED',
    submissionId,
    dataMarket,
    epochId,
    slotId,
    projectId,
    snapshotCid,
    position: { partition: position.partition, offset: position.offset },
    receivedAt: receivedAt === null ? null : new Date(receivedAt).toISOString(),
    verdict: { reason, accepted, stage, rule, expected, actual, blockNumber, help },
    batch: null,
  }
}

async function decidedItem(log: Log, topics: Topics, { verdict, dataMarket, epochId }: Decided): Promise<WhyItem> {
  const { position } = verdict
  const { name: topic } = topics.submissions
  const record = await readAt(log, { topic, partition: position.partition }, position.offset)
  const submission =
    record && (lookedUp(topics.submissions, position.partition, record)?.value as Submission | undefined)
  return decided(verdict, { dataMarket, epochId }, submission?.receivedAt ?? null)
}

/** Adds to the counted ones the batch that holds their project. */
async function withBatches(log: Log, topics: Topics, items: readonly WhyItem[]): Promise<readonly WhyItem[]> {
  const epochs = new Map<string, ReadonlyMap<string, WhyItem['batch']>>()
  const answers: WhyItem[] = []
  for (const item of items) {
    if (item.verdict?.reason !== 'COUNTED') answers.push(item)
    else {
      const epoch = `${item.dataMarket}/${item.epochId}`
      const batches = epochs.get(epoch) ?? (await batchByProject(log, topics, item))
      epochs.set(epoch, batches)
      answers.push({ ...item, batch: batches.get(item.projectId) ?? null })
    }
  }
  return answers
}

async function batchByProject(
  log: Log,
  topics: Topics,
  { dataMarket, epochId }: WhyItem,
): Promise<ReadonlyMap<string, WhyItem['batch']>> {
  const byProject = new Map<string, WhyItem['batch']>()
  for (const [batchIndex, anchor] of await anchorsOfEpoch(log, topics, { dataMarket, epochId })) {
    const batch = await batchOf(log, topics, anchor)
    for (const projectId of batch?.projectIds ?? []) byProject.set(projectId, { batchIndex, ...anchorFacts(anchor) })
  }
  return byProject
}

const anchorFacts = ({ cid, state, transactionHash }: Anchor) => ({ cid, state, transactionHash })
