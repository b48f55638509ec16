/**
 * The read endpoints of the deployed event collector under `/legacy`, so that dashboards made for it go on working: JSON in
 * the body, a token in it, its envelope and its words (docs/api.md says what differs). What belongs to rewards is refused:
 * this sequencer does not count days, and an invented number is worse than none.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { printableJson } from '../base/printable.ts'
import type { ApiSource, Asked } from './asked.ts'
import type { ApiDoor } from './door.ts'
import { activeNodes, batchCount, discarded, lastSubmission, submissionDetails } from './queries/legacy.ts'
import { marketsSeen } from './queries/status.ts'

const BODY_BYTES_MAX = 16 * 1024

const body = z.object({
  token: z.string().default(''),
  dataMarketAddress: z.string().default(''),
  epochID: z.number().optional(),
  slotID: z.number().optional(),
  day: z.number().optional(),
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

type Answer = (asked: Asked, dataMarket: string, body: Body) => Promise<unknown>

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
const found = <T>(value: T | undefined, text: string): T => {
  if (value === undefined) throw new LegacyRefusal(500, text)
  return value
}
const notCounted: Answer = async () => {
  throw new LegacyRefusal(
    501,
    'This sequencer counts neither days nor eligible submissions; ask the contract (slotSubmissionCount, eligibleNodesForDay).',
  )
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
  totalSubmissions: notCounted,
  eligibleNodesCount: notCounted,
  eligibleNodesCountPastDays: notCounted,
  eligibleSlotSubmissionCount: notCounted,
  discardedSubmissionsByDay: notCounted,
}

export function addLegacy(api: FastifyInstance, door: ApiDoor, token: string | undefined): void {
  if (token === undefined) return
  void api.register(async (legacy) => {
    legacy.removeAllContentTypeParsers() // clients of the collector name any type, or none
    legacy.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (_request, text, done) =>
      done(null, text),
    )
    legacy.options('/legacy/*', (_request, reply) =>
      reply
        .code(204)
        .header('access-control-allow-methods', 'GET, POST, OPTIONS')
        .header('access-control-allow-headers', 'content-type, x-request-id')
        .send(),
    )
    for (const [name, answer] of Object.entries(ENDPOINTS))
      legacy.route({
        method: ['GET', 'POST'],
        url: `/legacy/${name}`,
        exposeHeadRoute: false,
        handler: (request, reply) => answerLegacy(request.body, reply, door.source(), token, answer),
      })
  })
}

async function answerLegacy(given: unknown, reply: FastifyReply, source: ApiSource, token: string, answer: Answer) {
  const requestID = randomUUID()
  reply.header('x-request-id', requestID)
  try {
    const asked = parseBody(given)
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
