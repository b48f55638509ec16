/** The look-ups, asked of the process that runs on a data directory: over its query API. */
import type { Market, Page, SubmissionItem } from '../api/schema.ts'
import { ORIGINS } from '../api/view/origin.ts'
import { askRunning } from '../ground/running-process.ts'
import { type EpochQuery, type EpochStatus, nextOf } from '../reading/epoch.ts'
import { ITEMS_MAX, inOrder, matches, type WhyAnswer, type WhyItem, type WhyQuery } from '../reading/why.ts'
import { pagesOf } from './pages.ts'

/** Undefined when no process runs there. */
export async function askWhy(dataDir: string, query: WhyQuery): Promise<WhyAnswer | undefined> {
  const items: WhyItem[] = []
  for (const { path, narrow } of listsWith(query))
    for await (const page of pagesOf<SubmissionItem>(dataDir, path, narrow)) {
      if (page === undefined) return undefined
      for (const { origin: _, ...item } of page.items) if (matches(query, item)) items.push(item)
      if (items.length > ITEMS_MAX) break
    }
  return { items: items.sort(inOrder).slice(0, ITEMS_MAX), truncated: items.length > ITEMS_MAX }
}

/** The lists of the API in which a submission that is asked for may be. */
function listsWith({ slotId, epochId, projectId, submissionId, dataMarket }: WhyQuery) {
  if (submissionId !== undefined) return [{ path: `/v1/submissions/${encodeURIComponent(submissionId)}`, narrow: {} }]
  const narrow = { epoch: epochId?.toString(), project: projectId, market: dataMarket }
  return ORIGINS.map((origin) => ({ path: `/v1/slots/${slotId}/verdicts`, narrow: { origin, ...narrow } }))
}

export async function askEpoch(
  dataDir: string,
  { epochId, dataMarket }: EpochQuery,
): Promise<readonly EpochStatus[] | undefined> {
  const known = await askRunning<Page<Market>>(dataDir, '/v1/markets', {})
  if (!known) return undefined
  const markets = dataMarket === undefined ? known.items.map((market) => market.dataMarket) : [dataMarket]
  const statuses: EpochStatus[] = []
  for (const market of markets) {
    const missing = unknown(market, epochId)
    const found = await askRunning<EpochStatus>(dataDir, `/v1/epochs/${epochId}`, { market }, missing)
    if (found === undefined) return undefined
    statuses.push(withoutTimes(found))
  }
  return statuses
}

/** The look-up in the log does not give them. */
function withoutTimes(detail: EpochStatus): EpochStatus {
  const { dataMarket, epochId, phase, outcome, next, releaseBlock, earlierReleaseBlock, skippedInBlock, refused } =
    detail
  const { closeBlock, begin, end } = detail
  const { submissions, verdicts, reasons, projects, batches, endCall } = detail
  const blocks = { releaseBlock, earlierReleaseBlock, skippedInBlock, refused, closeBlock, begin, end }
  const where = { dataMarket, epochId, phase, outcome, next, ...blocks }
  return { ...where, submissions, verdicts, reasons, projects, batches, endCall }
}

const unknown = (dataMarket: string, epochId: number): EpochStatus => ({
  dataMarket,
  epochId,
  phase: 'UNKNOWN',
  outcome: null,
  next: nextOf('UNKNOWN', null),
  releaseBlock: null,
  earlierReleaseBlock: null,
  skippedInBlock: null,
  refused: '',
  closeBlock: null,
  begin: null,
  end: null,
  submissions: 0,
  verdicts: 0,
  reasons: {},
  projects: [],
  batches: [],
  endCall: null,
})
