/** The answers of the deployed collector's endpoints, from the view. */
import type { EpochKey, Submission } from '../../../schemas/types.ts'
import { isMarker } from '../../../topology/topics.ts'
import type { EpochProgress } from '../../reading/epoch-progress.ts'
import { lookedUp, silently } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'
import type { Asked } from '../asked.ts'
import type { SubmissionItem } from '../schema.ts'
import { keyOf } from '../view/keys.ts'
import { epochParts, TABLE } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'
import { winnerOf } from './epochs.ts'
import { isVoteSecret } from './secrecy.ts'
import { listOfSlot, listVerdicts } from './submissions.ts'

const PAGE = 500
/** Discarded projects that are named, as many as the collector names. */
const PROJECTS_MAX = 50
/** Pages of a slot's submissions that are looked through for one of the kind asked for. */
const PAGES_MAX = 10

/** The collector kept what had passed all checks and the limit of its slot. */
const wasTaken = ({ verdict }: SubmissionItem): boolean => verdict === null || verdict.stage === 'consensus'

export function batchCount(reader: ViewReader, key: EpochKey): { totalBatches: number } | undefined {
  const row = reader.getJson<EpochProgress>(keyOf(TABLE.epochs, ...epochParts(key)))
  return row?.batches === undefined || row.batches === null ? undefined : { totalBatches: row.batches }
}

async function* itemsOf({ reader, topics }: Asked, key: EpochKey): AsyncGenerator<SubmissionItem> {
  let cursor: string | undefined
  do {
    const page = await listVerdicts(reader, topics, key, { limit: PAGE, cursor })
    yield* page.items
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
}

/** Slots with a submission in the epoch that was taken. */
export async function activeNodes(asked: Asked, key: EpochKey): Promise<number> {
  const slots = new Set<number>()
  for await (const item of itemsOf(asked, key)) if (wasTaken(item)) slots.add(item.slotId)
  return slots.size
}

/** Every submission taken, with signature and header as they were sent; before the close without CID and signature. */
export async function submissionDetails(asked: Asked, key: EpochKey): Promise<{ submissions: readonly object[] }> {
  const wanted = new Map<number, Set<number>>()
  for await (const { position, ...item } of itemsOf(asked, key))
    if (wasTaken({ position, ...item })) {
      const offsets = wanted.get(position.partition) ?? new Set()
      wanted.set(position.partition, offsets.add(position.offset))
    }
  const told = isVoteSecret(asked.reader, key) ? withoutVote : detailOf
  const details: { submissionID: string; submissionData: object }[] = []
  for (const [partition, offsets] of wanted)
    for await (const submission of submissionsAt(asked, partition, offsets))
      details.push({ submissionID: submission.submissionId, submissionData: told(submission) })
  return { submissions: details.sort((a, b) => (a.submissionID < b.submissionID ? -1 : 1)) }
}

async function* submissionsAt(
  { log, topics }: Asked,
  partition: number,
  offsets: ReadonlySet<number>,
): AsyncGenerator<Submission> {
  const { name } = topics.submissions
  let [from, last] = [Number.POSITIVE_INFINITY, 0]
  for (const offset of offsets) [from, last] = [Math.min(from, offset), Math.max(last, offset)]
  for await (const records of scan(log, { topic: name, partition }, { from, to: last + 1, tell: silently }))
    for (const record of records) {
      const event = offsets.has(record.offset) ? lookedUp(topics.submissions, partition, record)?.value : undefined
      if (event && !isMarker(event)) yield event
    }
}

/** As Go writes it: what is zero or empty is left out. */
function detailOf({ slotId, deadline, snapshotCid, epochId, projectId, signature, header }: Submission): object {
  const request = { slotID: slotId, deadline, snapshotCID: snapshotCid, epochID: epochId, projectID: projectId }
  return { request: withoutEmpty(request), ...withoutEmpty({ signature, header }) }
}
/** A signature tells whether a guess of the CID is right. */
const withoutVote = (submission: Submission): object => detailOf({ ...submission, snapshotCid: '', signature: '' })
const withoutEmpty = (fields: object): object => Object.fromEntries(Object.entries(fields).filter(([, value]) => value))

interface Outvoted {
  readonly winner: string
  /** CIDs by slot. */
  readonly slots: Record<string, string[]>
}

/** Submissions whose CID did not win, by project. */
export async function discarded(asked: Asked, key: EpochKey): Promise<{ projects: readonly object[] | null }> {
  const byProject = new Map<string, Outvoted>()
  for await (const { verdict, projectId, slotId, snapshotCid } of itemsOf(asked, key)) {
    if (verdict?.reason !== 'OUTVOTED' || snapshotCid === null) continue
    const known = byProject.get(projectId)
    const winner = known?.winner ?? winnerOf(asked.reader, key, projectId)
    if (winner === undefined) continue
    const project = known ?? { winner, slots: {} }
    byProject.set(projectId, project)
    project.slots[slotId] = [...(project.slots[slotId] ?? []), snapshotCid]
  }
  const projects = [...byProject].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, PROJECTS_MAX)
  if (projects.length === 0) return { projects: null }
  return { projects: projects.map(([projectID, project]) => ({ projectID, details: discardedDetails(project) })) }
}

const discardedDetails = ({ winner, slots }: Outvoted) => ({
  mostFrequentSnapshotCID: winner,
  discardedSubmissionCount: Object.values(slots).reduce((sum, cids) => sum + cids.length, 0),
  discardedSubmissions: slots,
})

/** When the slot last sent one that was taken; RFC 3339. */
export async function lastSubmission(
  { reader, topics }: Asked,
  market: string,
  slotId: number,
  simulated: boolean,
): Promise<string | undefined> {
  let cursor: string | undefined
  const kind = { market, origin: 'OWNER', ...(simulated && { epoch: 0 }) } as const
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const { items, next } = await listOfSlot(reader, topics, slotId, { ...kind, limit: PAGE, cursor })
    const taken = items.filter((item) =>
      simulated ? item.verdict?.reason === 'SIMULATION' : item.epochId > 0 && wasTaken(item),
    )
    const times = taken.flatMap(({ receivedAt }) => receivedAt ?? [])
    if (times.length > 0) return times.sort().at(-1)!
    if (next === null) return undefined
    cursor = next
  }
  return undefined
}
