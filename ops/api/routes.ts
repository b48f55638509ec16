/** Every route of the query API: its parameters, its answer, and the source of the answer. */
import { z } from 'zod'
import { systemClock } from '../../connectors/system-clock.ts'
import type { DayKey, EpochKey } from '../../schemas/types.ts'
import { proofSchema, proofText } from '../reading/proof/format.ts'
import type { Asked } from './asked.ts'
import { dayDetail as dayDetailShape, days, payments, slotDays } from './days-schema.ts'
import { health } from './health-schema.ts'
import * as take from './params.ts'
import { peers } from './peers-schema.ts'
import { badRequest, notFound } from './problem.ts'
import { batchDetail, listAnchors, listBatches, signerOf } from './queries/batches.ts'
import { dayDetail, daysOfSlot, listDays, paymentsOfDay, slotsOfDay } from './queries/days.ts'
import { epochDetail, listEpochs, listProjects } from './queries/epochs.ts'
import { listGaps } from './queries/gaps.ts'
import { topPeers } from './queries/peers.ts'
import { proofFor } from './queries/proofs.ts'
import { processesOf, stateOf } from './queries/state.ts'
import { healthOf, listMarkets, marketsSeen } from './queries/status.ts'
import { listOfSlot, listVerdicts, submissionsById } from './queries/submissions.ts'
import * as give from './schema.ts'
import { processes, status } from './status-schema.ts'

export interface Route {
  /** As OpenAPI writes it. */
  readonly path: string
  readonly summary: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly answer: z.ZodType
  /** The route may answer that there is no such thing. */
  readonly mayMiss: boolean
  /** The route tells of more than the view, so an answer is not kept for the next request. */
  readonly live: boolean
  handle(asked: Asked, params: unknown, query: unknown): Promise<unknown>
  /** How the answer is written; as compact JSON when absent. */
  readonly write?: ((answer: never) => string) | undefined
}

interface RouteOf<P extends z.ZodRawShape, Q extends z.ZodRawShape, A extends z.ZodType> {
  readonly summary: string
  readonly params?: P
  readonly query?: Q
  readonly answer: A
  readonly write?: (answer: z.output<A>) => string
  readonly live?: boolean
  /** Undefined: there is no such thing. */
  handle(
    asked: Asked,
    params: z.output<z.ZodObject<P>>,
    query: z.output<z.ZodObject<Q>>,
  ): Promise<z.input<A> | undefined>
}

function route<P extends z.ZodRawShape, Q extends z.ZodRawShape, A extends z.ZodType>(
  path: string,
  { summary, params, query, answer, write, live = false, handle }: RouteOf<P, Q, A>,
): Route {
  return {
    path,
    summary,
    params: z.object(params ?? {}),
    query: z.strictObject(query ?? {}),
    answer,
    mayMiss: params !== undefined,
    write,
    live,
    async handle(asked, parsedParams, parsedQuery) {
      const found = await handle(asked, parsedParams as never, parsedQuery as never)
      if (found === undefined) throw notFound(`there is no ${path} for ${JSON.stringify(parsedParams)} in the log`)
      return found
    },
  }
}

/** The market that `?market=` names; without it the only one. */
function marketOf({ reader, rules }: Asked, market: string | undefined): string {
  if (market !== undefined) return market
  const [only, ...others] = marketsSeen(reader, rules)
  if (others.length > 0)
    throw badRequest(`there are ${others.length + 1} data markets: name one, with ?market= or --data-market`)
  return only!.dataMarket
}
const epochKey = (asked: Asked, epochId: number, market: string | undefined): EpochKey => ({
  dataMarket: marketOf(asked, market),
  epochId,
})
const dayKey = (asked: Asked, day: number, market: string | undefined): DayKey => ({
  dataMarket: marketOf(asked, market),
  day,
})

const { market, page, filters } = take

export const ROUTES: readonly Route[] = [
  route('/v1/markets', {
    summary: 'The data markets that are configured or were ever added, whether they are served, and their rules',
    answer: give.markets,
    handle: async ({ reader, rules }) => listMarkets(reader, rules),
  }),
  route('/v1/health', {
    summary: 'How the roles of this process are, whether every stage goes on, and which epochs are stuck',
    answer: health,
    live: true,
    handle: healthOf,
  }),
  route('/v1/status', {
    summary: 'The state of things on one screen; what `sequencer status` prints, without addresses',
    query: { market },
    answer: status,
    live: true,
    handle: (asked, _, query) => stateOf(asked, query.market),
  }),
  route('/v1/processes', {
    summary: 'Every process as it last said of itself, and who works which role. Without addresses',
    answer: processes,
    live: true,
    handle: async (asked) => processesOf(asked),
  }),
  route('/v1/peers', {
    summary: 'The peers that send most to the intakes: at most 20, most refused messages first. Without addresses',
    answer: peers,
    live: true,
    handle: async ({ reports }) => topPeers(reports, systemClock.now()),
  }),
  route('/v1/epochs', {
    summary: 'Epochs, newest first',
    query: { market, ...page },
    answer: give.epochs,
    handle: ({ reader }, _, query) => listEpochs(reader, query, query.market),
  }),
  route('/v1/epochs/gaps', {
    summary: 'Epochs that were never released, closed, batched or anchored, and why',
    query: { market, ...page },
    answer: give.gaps,
    handle: ({ reader, topics }, _, query) => listGaps(reader, topics, query, query.market),
  }),
  route('/v1/epochs/{epochId}', {
    summary: 'The progress of an epoch, as `sequencer epoch` prints it',
    params: { epochId: take.epochId },
    query: { market },
    answer: give.epochDetail,
    handle: async (asked, { epochId }, query) =>
      epochDetail(asked.reader, asked.topics, epochKey(asked, epochId, query.market)),
  }),
  route('/v1/epochs/{epochId}/projects', {
    summary: 'The projects of an epoch: every candidate with its votes, and the winner',
    params: { epochId: take.epochId },
    query: { market, ...page },
    answer: give.projects,
    handle: async (asked, { epochId }, query) =>
      listProjects(asked.reader, epochKey(asked, epochId, query.market), query),
  }),
  route('/v1/epochs/{epochId}/verdicts', {
    summary: 'The submissions of an epoch with their verdicts, by slot',
    params: { epochId: take.epochId },
    query: { market, reason: filters.reason, slot: filters.slot, project: filters.project, ...page },
    answer: give.submissions,
    handle: async (asked, { epochId }, query) =>
      listVerdicts(asked.reader, asked.topics, epochKey(asked, epochId, query.market), query),
  }),
  route('/v1/slots/{slotId}/verdicts', {
    summary:
      'The submissions of a slot and their verdicts, as `sequencer why` prints them. Last received first, or of one epoch',
    params: { slotId: take.slotId },
    query: {
      market,
      origin: filters.origin,
      epoch: filters.epoch,
      reason: filters.reason,
      project: filters.project,
      ...page,
    },
    answer: give.submissions,
    handle: ({ reader, topics }, { slotId }, query) => listOfSlot(reader, topics, slotId, query),
  }),
  route('/v1/submissions/{submissionId}', {
    summary: 'A submission and its verdict. An id is the collector’s word, so there may be several',
    params: { submissionId: take.submissionId },
    query: page,
    answer: give.submissions,
    async handle({ reader, topics }, { submissionId }, query) {
      const found = await submissionsById(reader, topics, submissionId, query)
      return found.items.length > 0 || query.cursor !== undefined ? found : undefined
    },
  }),
  route('/v1/batches', {
    summary: 'Batches, newest epoch first',
    query: { market, epoch: filters.epoch, ...page },
    answer: give.batches,
    async handle(asked, _, { epoch, ...query }) {
      const of = epoch === undefined ? query.market : epochKey(asked, epoch, query.market).dataMarket
      return listBatches(asked.reader, asked.topics, query, { epoch, market: of })
    },
  }),
  route('/v1/batches/{cid}', {
    summary: 'A batch: what it holds, and where it is on its way to the chain',
    params: { cid: take.cid },
    answer: give.batchDetail,
    handle: ({ reader, topics }, { cid }) => batchDetail(reader, topics, cid),
  }),
  route('/v1/anchors', {
    summary: 'Batches and ending calls on their way to the chain, newest epoch first',
    query: { market, standing: filters.standing, ...page },
    answer: give.anchors,
    handle: ({ reader, topics }, _, query) => listAnchors(reader, topics, query, query),
  }),
  route('/v1/proofs/{epochId}/{slotId}', {
    summary: 'The file that proves a slot’s submission to be in an anchored batch, byte for byte',
    params: { epochId: take.epochId, slotId: take.slotId },
    query: { market, project: filters.project },
    answer: proofSchema.meta({ id: 'Proof' }),
    write: proofText,
    live: true,
    handle: async (asked, { epochId, slotId }, query) =>
      proofFor(asked.proofs, { ...epochKey(asked, epochId, query.market), slotId, projectId: query.project }),
  }),
  route('/v1/days', {
    summary: 'Days of the contract, newest first: counts of the slots, payouts that were sent, slots that were paid',
    query: { market, ...page },
    answer: days,
    handle: ({ reader, topics }, _, query) => listDays(reader, topics, query, query.market),
  }),
  route('/v1/days/{day}', {
    summary: 'A day, with the slots by how much of the quota they have; what `sequencer rewards --day` prints',
    params: { day: take.day },
    query: { market },
    answer: dayDetailShape,
    handle: async (asked, { day }, query) => dayDetail(asked.reader, asked.topics, dayKey(asked, day, query.market)),
  }),
  route('/v1/days/{day}/slots', {
    summary: 'The slots of a day, ascending: what each did, and what the contract was told of it',
    params: { day: take.day },
    query: { market, eligible: filters.eligible, ...page },
    answer: slotDays,
    handle: async (asked, { day }, query) =>
      slotsOfDay(asked.reader, asked.topics, dayKey(asked, day, query.market), query),
  }),
  route('/v1/days/{day}/payments', {
    summary: 'The calls that tell the contract of a day, the last first',
    params: { day: take.day },
    query: { market, purpose: filters.purpose, ...page },
    answer: payments,
    handle: async (asked, { day }, query) =>
      paymentsOfDay(asked.reader, asked.topics, dayKey(asked, day, query.market), query),
  }),
  route('/v1/slots/{slotId}/days', {
    summary: 'The days of a slot, newest first; days in which it did nothing are left out',
    params: { slotId: take.realSlotId },
    query: { market, ...page },
    answer: slotDays,
    handle: ({ reader, topics }, { slotId }, query) => daysOfSlot(reader, topics, slotId, query),
  }),
  route('/v1/signer', {
    summary: 'The nonces of the signer and what is in flight, as far as the log tells',
    answer: give.signer,
    handle: ({ reader, topics }) => signerOf(reader, topics),
  }),
]
