/** The look-ups, asked of the process that runs on a data directory: over its query API. */
import type { Market, Page, SubmissionItem } from '../api/schema.ts'
import { ORIGINS } from '../api/view/origin.ts'
import { askRunning } from '../ground/running-process.ts'
import { type EpochQuery, type EpochStatus, nextOf } from '../reading/epoch.ts'
import { ITEMS_MAX, inOrder, matches, type WhyAnswer, type WhyItem, type WhyQuery } from '../reading/why.ts'

const PAGE = '500'
const NOTHING: Page<SubmissionItem> = { items: [], next: null }

/** Undefined when no process runs there. */
export async function askWhy(dataDir: string, query: WhyQuery): Promise<WhyAnswer | undefined> {
  const { slotId, epochId, projectId, submissionId, dataMarket } = query
  const lists =
    submissionId === undefined
      ? ORIGINS.map((origin) => ({
          path: `/v1/slots/${slotId}/verdicts`,
          narrow: { origin, epoch: epochId?.toString(), project: projectId, market: dataMarket },
        }))
      : [{ path: `/v1/submissions/${encodeURIComponent(submissionId)}`, narrow: {} }]
  const items: WhyItem[] = []
  for (const { path, narrow } of lists) {
    let cursor: string | undefined
    do {
      const page = await askRunning<Page<SubmissionItem>>(dataDir, path, { ...narrow, limit: PAGE, cursor }, NOTHING)
      if (page === undefined) return undefined
      for (const { origin: _, ...item } of page.items) if (matches(query, item)) items.push(item)
      cursor = page.next ?? undefined
    } while (cursor !== undefined && items.length <= ITEMS_MAX)
  }
  return { items: items.sort(inOrder).slice(0, ITEMS_MAX), truncated: items.length > ITEMS_MAX }
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
