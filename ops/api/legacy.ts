/**
 * The read endpoints of the deployed event collector under `/legacy`, so that dashboards made for it go on working: JSON in
 * the body, a token in it, its envelope and its words (docs/api.md says what differs). A number that cannot be known is refused,
 * where the collector says 0: an invented number is worse than none.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { printableJson } from '../base/printable.ts'
import type { ApiSource, Asked } from './asked.ts'
import { activeNodes, batchCount, discarded, lastSubmission, submissionDetails } from './queries/legacy.ts'
import { countsAfter, currentDay, eligibleNodes, submissionsByDay } from './queries/legacy-days.ts'
import { discardedByDay } from './queries/legacy-discarded.ts'
import { marketsSeen } from './queries/status.ts'
import type { ApiSources } from './sources.ts'

const BODY_BYTES_MAX = 16 * 1024

const body = z.object({
  token: z.string().default(''),
  dataMarketAddress: z.string().default(''),
  epochID: z.number().optional(),
  slotID: z.number().optional(),
  day: z.number().optional(),
  pastDays: z.number().optional(),
  page: z.number().optional(),
})
type Body = z.infer<typeof body>

/** Refused with a status and a text, as the collector refuses. */
class LegacyRefusal extends Error {
  readonly status: number
  constructor(status: number, text: string) {
    super(text)
    this.status = status
  }
}

type Answer = (asked: Asked, dataMarket: string, body: Body, query: Query) => Promise<unknown>
type Query = Readonly<Record<string, unknown>>

/** Days of one answer; the contract is asked for days that are not in the log. */
const PAST_DAYS_MAX = 1_000

const epochOf = ({ epochID }: Body): number => {
  if (epochID === undefined || !Number.isSafeInteger(epochID) || epochID < 0)
    throw new LegacyRefusal(400, 'EpochID is missing or invalid')
  return epochID
}
const slotOf = ({ slotID }: Body): number => {
  if (slotID === undefined || !Number.isSafeInteger(slotID) || slotID < 1)
    throw new LegacyRefusal(400, `Invalid slotID: ${slotID ?? 0}`)
  return slotID
}
const checkDay = ({ day }: Body): void => {
  if (day === undefined || !Number.isSafeInteger(day) || day < 1)
    throw new LegacyRefusal(400, 'Day must be greater than or equal to 1')
}
const pageIn = ({ page = 0 }: Body): number => {
  if (!Number.isSafeInteger(page) || page < 0) throw new LegacyRefusal(400, `Invalid page: ${page}`)
  return page
}
const found = <T>(value: T | undefined, text: string): T => {
  if (value === undefined) throw new LegacyRefusal(500, text)
  return value
}
/** Today. */
async function todayOf(asked: Asked, dataMarket: string): Promise<number> {
  const today = await currentDay(asked, dataMarket)
  if (today === undefined) throw new LegacyRefusal(400, 'Failed to fetch current day')
  return today
}
async function dayOf(asked: Asked, dataMarket: string, given: Body): Promise<number> {
  const today = await todayOf(asked, dataMarket)
  checkDay(given)
  if (given.day! > today) throw new LegacyRefusal(400, `Day must not exceed the current day (${today})`)
  return given.day!
}
/** Today first. */
async function pastDaysOf(asked: Asked, dataMarket: string, { pastDays = 0 }: Body): Promise<readonly number[]> {
  if (!Number.isSafeInteger(pastDays) || pastDays < 1) throw new LegacyRefusal(400, 'Past days should be at least 1')
  const today = await todayOf(asked, dataMarket)
  if (pastDays > today) throw new LegacyRefusal(400, `Past days cannot exceed the current day (${today})`)
  if (pastDays > PAST_DAYS_MAX) throw new LegacyRefusal(400, `Past days cannot exceed ${PAST_DAYS_MAX}`)
  return Array.from({ length: pastDays }, (_, i) => today - i)
}
const withSlots = ({ includeSlotDetails }: Query): boolean => includeSlotDetails === 'true'
const CONTRACT_SILENT = 'Failed to fetch from the contract what is no longer in the log'

const OF_DAYS: Readonly<Record<string, Answer>> = {
  async totalSubmissions(asked, dataMarket, given) {
    const days = await pastDaysOf(asked, dataMarket, given)
    return found(await submissionsByDay(asked, dataMarket, slotOf(given), days), CONTRACT_SILENT)
  },
  async eligibleNodesCount(asked, dataMarket, given, query) {
    const day = await dayOf(asked, dataMarket, given)
    return found(await eligibleNodes(asked, dataMarket, [day], withSlots(query)), CONTRACT_SILENT)[0]
  },
  async eligibleNodesCountPastDays(asked, dataMarket, given, query) {
    const days = await pastDaysOf(asked, dataMarket, given)
    return found(await eligibleNodes(asked, dataMarket, days, withSlots(query)), CONTRACT_SILENT)
  },
  async eligibleSlotSubmissionCount(asked, dataMarket, given) {
    const { day = 0 } = given
    if (!Number.isSafeInteger(day) || day < 1) throw new LegacyRefusal(400, 'Invalid day!')
    const epochId = epochOf(given)
    if (epochId === 0) throw new LegacyRefusal(400, 'EpochID is missing or invalid')
    const counts = await countsAfter(asked, { dataMarket, epochId }, day)
    const words = `Internal Server Error: Failed to fetch eligible submission counts for epoch ${epochId}`
    return { eligibleSubmissionCounts: found(counts, words) }
  },
  async discardedSubmissionsByDay(asked, dataMarket, given) {
    const day = await dayOf(asked, dataMarket, given)
    const slotId = slotOf(given)
    const answer = await discardedByDay(asked, { dataMarket, day }, slotId, pageIn(given))
    if (!answer) throw new LegacyRefusal(404, `No discarded submissions found for slotID ${slotId}`)
    return answer
  },
}

const ENDPOINTS: Readonly<Record<string, Answer>> = {
  batchCount: async ({ reader }, dataMarket, given) =>
    found(batchCount(reader, { dataMarket, epochId: epochOf(given) }), 'Failed to fetch the batch count'),
  epochSubmissionDetails: (asked, dataMarket, given) =>
    submissionDetails(asked, { dataMarket, epochId: epochOf(given) }),
  activeNodesCountByEpoch: (asked, dataMarket, given) => activeNodes(asked, { dataMarket, epochId: epochOf(given) }),
  discardedSubmissionsByEpoch(asked, dataMarket, given) {
    checkDay(given)
    return discarded(asked, { dataMarket, epochId: epochOf(given) })
  },
  lastSnapshotSubmission: async (asked, dataMarket, given) =>
    found(
      await lastSubmission(asked, dataMarket, slotOf(given), false),
      'Failed to fetch the last snapshot submission',
    ),
  lastSimulatedSubmission: async (asked, dataMarket, given) =>
    found(
      await lastSubmission(asked, dataMarket, slotOf(given), true),
      'Failed to fetch the last simulated submission',
    ),
  ...OF_DAYS,
}

export function addLegacy(api: FastifyInstance, sources: ApiSources, token: string | undefined): void {
  if (token === undefined) return
  void api.register(async (legacy) => {
    legacy.removeAllContentTypeParsers() // clients of the collector name any type, or none
    legacy.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (_request, text, done) =>
      done(null, text),
    )
    legacy.options('/legacy/*', (_request, reply) => answerPreflight(reply))
    for (const [name, answer] of Object.entries(ENDPOINTS))
      legacy.route({
        method: ['GET', 'POST'],
        url: `/legacy/${name}`,
        exposeHeadRoute: false,
        handler: (request, reply) => {
          const ask: Ask = (asked, market, body) => answer(asked, market, body, request.query as Query)
          return answerLegacy(request, reply, sources.source(), token, ask)
        },
      })
  })
}

const answerPreflight = (reply: FastifyReply): FastifyReply =>
  reply
    .code(204)
    .header('access-control-allow-methods', 'GET, POST, OPTIONS')
    .header('access-control-allow-headers', 'content-type, x-request-id')
    .send()

type Ask = (asked: Asked, dataMarket: string, body: Body) => Promise<unknown>

async function answerLegacy(
  request: FastifyRequest,
  reply: FastifyReply,
  source: ApiSource,
  token: string,
  answer: Ask,
) {
  const requestID = randomUUID()
  reply.header('x-request-id', requestID)
  try {
    const asked = parseBody(request.method === 'GET' ? await bodyOfGet(request) : request.body)
    if (!sameText(asked.token, token)) throw new LegacyRefusal(401, 'Incorrect Token!')
    const dataMarket = asked.dataMarketAddress.toLowerCase()
    const response = await source.view.read(async (reader) => {
      const known = marketsSeen(reader, source.rules)
      if (!known.some((market) => market.dataMarket === dataMarket))
        throw new LegacyRefusal(400, 'Invalid Data Market Address!')
      return answer({ ...source, reader }, dataMarket, asked)
    })
    const envelope = { info: { success: true, response }, requestID }
    return reply.type('application/json').send(`${printableJson(JSON.stringify(envelope))}\n`)
  } catch (error) {
    if (!(error instanceof LegacyRefusal)) throw error
    return reply.code(error.status).type('text/plain; charset=utf-8').send(`${error.message}\n`)
  }
}

/** Fastify reads the body of no GET. */
async function bodyOfGet({ raw }: FastifyRequest): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  // the answer needs the connection, also to a body that is too large
  for await (const chunk of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new LegacyRefusal(413, 'Request body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parseBody(given: unknown): Body {
  try {
    return body.parse(JSON.parse(typeof given === 'string' ? given : ''))
  } catch (error) {
    const words =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
        : 'the body is not JSON'
    throw new LegacyRefusal(400, words)
  }
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
