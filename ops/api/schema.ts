/**
 * The shape of every answer of the query API: what its description (OpenAPI), its tests and the console's types are made
 * from. Times are ms of the records in the log; blocks, epochs and slots are whole numbers; addresses are lower case.
 */
import { z } from 'zod'
import type { VerdictReason } from '../../schemas/types.ts'
import { CANDIDATES_MAX } from '../../topology/shared/parts.ts'
import { ACCEPT_REASONS, REJECT_REASONS } from '../../topology/verdict.ts'
import { BATCH_STANDINGS, BATCH_STATES, EPOCH_OUTCOMES, EPOCH_PHASES } from '../reading/epoch-phases.ts'
import { EQUIVOCATIONS_MAX } from './view/bounds.ts'
import { ORIGIN_HELP, ORIGINS } from './view/origin.ts'

/** Items of one page, when not asked for otherwise and at most. */
export const PAGE_DEFAULT = 50
export const PAGE_MAX = 500

const text = z.string()
export const dataMarket = text.regex(/^0x[0-9a-f]{40}$/).describe('Data market contract.')
const whole = z.int().min(0)
const wholeOrNone = whole.nullable()
const time = (what: string) =>
  whole.nullable().describe(`${what}, ms since 1970 as the log has it; null: not (yet) seen.`)

const phase = z.enum(EPOCH_PHASES).describe('How far it is; of one that lost a batch, where that was.')
const outcome = z.enum(EPOCH_OUTCOMES).nullable().describe('Why not all of it is on the chain; null: no reason so far.')

const REASONS = [...ACCEPT_REASONS, ...REJECT_REASONS, 'UNKNOWN'] as const
export const reason = z.enum(REASONS satisfies readonly VerdictReason[])

const state = z.enum(BATCH_STATES).describe('How far the batch, or the ending call, is.')
export const reasons = z.partialRecord(reason, whole).describe('Final verdicts by reason.')

/** A page of a list. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next: text.nullable().describe('Pass it as `cursor` for the next page; null: there is none.'),
  })

const epochFields = {
  dataMarket,
  epochId: whole,
  phase,
  outcome,
  releaseBlock: wholeOrNone,
  closeBlock: wholeOrNone,
  begin: wholeOrNone.describe('First source-chain block.'),
  end: wholeOrNone.describe('Last source-chain block.'),
  releasedAt: time('The tick of the release'),
  closedAt: time('The tick that closed it'),
  batchedAt: time('Its batches were cut'),
  storedAt: time('The last of its batches was stored'),
  minedAt: time('The last of its batches was mined'),
  finalAt: time('The call that ends the epoch was final, and all batches'),
  submissions: whole.describe('Acknowledged submissions.'),
  reasons,
}

export const epochSummary = z
  .object({
    ...epochFields,
    projects: whole.describe('Projects with a winner.'),
    projectsWithoutQuorum: whole,
    agreement: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .describe('Votes for the winners of all projects, as a share of all votes; null before the votes are counted.'),
    counted: wholeOrNone.describe('Submissions in its batches; null before they are cut.'),
    batches: wholeOrNone.describe('null before they are cut.'),
    batchesFinal: whole,
  })
  .meta({ id: 'EpochSummary' })

const batchStatus = z
  .object({
    batchIndex: whole,
    state,
    cid: text,
    projects: whole,
    submissions: whole,
    transactionHash: text,
    blockNumber: whole,
    attestations: whole,
    attested: z.boolean(),
    error: text,
  })
  .meta({ id: 'BatchStatus' })

/** The content of `sequencer epoch`, with times. */
export const epochDetail = z
  .object({
    ...epochFields,
    earlierReleaseBlock: wholeOrNone.describe('Block of an earlier release of it, which left the chain; else null.'),
    skippedInBlock: wholeOrNone.describe('Block in which the market’s owner skipped it; else null.'),
    refused: text.describe('Why its release opened no epoch, in words; empty for one that has none such.'),
    next: text.describe('The next step, in words.'),
    verdicts: whole.describe('Submissions that have one.'),
    projects: z.array(z.object({ projectId: text, snapshotCid: text, votes: whole, voters: whole })),
    batches: z.array(batchStatus),
    endCall: z.object({ state, transactionHash: text }).nullable(),
  })
  .meta({ id: 'EpochDetail' })

export const gap = z
  .object({
    dataMarket,
    epochId: whole.describe('The first epoch of the gap.'),
    lastEpochId: whole.describe('The last one; the same for a single epoch.'),
    phase,
    outcome,
    detail: text,
  })
  .meta({ id: 'Gap' })

const candidate = z.object({ snapshotCid: text, votes: whole })
export const project = z
  .object({
    projectId: text,
    snapshotCid: text.describe('The winner; empty without a quorum.'),
    votes: whole.describe('Slots that reported the winner.'),
    voters: whole.describe('Slots that voted.'),
    candidates: z.array(candidate).describe(`The winner, then those with most votes; at most ${CANDIDATES_MAX}.`),
    equivocations: z.array(whole).describe(`Slots that signed more than one CID; the first ${EQUIVOCATIONS_MAX}.`),
    batchIndex: wholeOrNone,
  })
  .meta({ id: 'Project' })

/** The content of `sequencer why` for one submission. */
export const submission = z
  .object({
    status: z.enum(['DECIDED', 'PENDING']),
    submissionId: text,
    dataMarket: text,
    epochId: whole,
    slotId: whole,
    projectId: text,
    snapshotCid: text.nullable().describe('null: secret until the epoch is closed.'),
    origin: z.enum(ORIGINS).describe(ORIGIN_HELP),
    position: z.object({ partition: whole, offset: whole }).describe('Where it lies in the topic `submissions`.'),
    receivedAt: text.nullable().describe('ISO time of the intake; null: no longer in the log.'),
    verdict: z
      .object({
        reason,
        accepted: z.boolean(),
        stage: text,
        rule: text,
        expected: text.nullable().describe('null: it may tell a vote, which is secret until the epoch is closed.'),
        actual: text.nullable().describe('The same.'),
        blockNumber: whole,
        help: text.describe('The meaning of the reason, and the remedy.'),
      })
      .nullable(),
    batch: z
      .object({ batchIndex: whole, cid: text, state, transactionHash: text })
      .nullable()
      .describe('The batch that counts it.'),
  })
  .meta({ id: 'Submission' })

const batchFields = {
  dataMarket,
  epochId: whole,
  batchIndex: whole,
  batchCount: whole.describe('Batches of the epoch.'),
  state,
  cid: text.describe('Empty until it is stored.'),
  roothash: text,
  finalizedCidsRootHash: text,
  projects: whole,
  submissions: whole,
  sizeBytes: whole,
  leavesBefore: whole.describe('Leaves of the batches before it in the tree; 0 with a tree per batch.'),
  gasEstimate: whole,
  transactionHash: text,
  blockNumber: whole,
  batchedAt: time('It was cut'),
}

export const batchSummary = z.object(batchFields).meta({ id: 'BatchSummary' })

export const attestation = z
  .object({
    validator: text,
    matches: z.boolean().nullable().describe('It attested the root that the sequencer sent; null: not readable.'),
    blockNumber: whole,
    finalized: z.boolean().describe('With this one the contract finalized the batch.'),
  })
  .meta({ id: 'Attestation' })

export const batchDetail = z
  .object({
    ...batchFields,
    contents: z.array(z.object({ projectId: text, snapshotCid: text })).describe('In the order of the batch.'),
    attestations: z.array(attestation),
    attested: z.boolean(),
    diverged: z.boolean(),
    error: text,
  })
  .meta({ id: 'BatchDetail' })

export const anchor = z
  .object({
    dataMarket,
    epochId: whole,
    batchIndex: z.int().min(-1).describe('-1: the call that ends the batches of the epoch.'),
    state,
    cid: text,
    nonce: wholeOrNone,
    attempts: whole,
    transactionHash: text,
    blockNumber: whole,
    error: text,
    attestations: z.array(attestation),
    attested: z.boolean(),
    diverged: z.boolean(),
    reorgs: whole.describe('How often the chain went back behind it after it was final or late.'),
    changedAt: time('The state was written'),
  })
  .meta({ id: 'Anchor' })

export const batchStanding = z.enum(BATCH_STANDINGS)

export const signer = z
  .object({
    nonce: wholeOrNone.describe('Highest nonce assigned so far.'),
    pending: whole.describe('Batches and ending calls on their way.'),
    inFlight: z.array(anchor).describe('Those with a transaction that is sent and not final.'),
  })
  .meta({ id: 'Signer' })

export const market = z
  .object({
    dataMarket,
    served: z.boolean().describe('A removed market finishes the epochs that were open.'),
    sinceBlock: wholeOrNone.describe('First block for which that holds; null: as configured.'),
    chainId: whole,
    protocolState: text,
    windowUnit: z.enum(['blocks', 'seconds']),
    perSlotPerEpoch: whole,
    votesMin: whole,
    shareMin: z.number(),
    batchProjectsMax: whole,
    tree: z.enum(['chained', 'fresh']),
    rewards: z.enum(['off', 'counts', 'on']).describe('Days are not counted, counted, or also told to the contract.'),
    headEpoch: wholeOrNone.describe('Newest released epoch.'),
  })
  .meta({ id: 'Market' })

export const markets = listOf(market)
export const epochs = listOf(epochSummary)
export const gaps = listOf(gap)
export const projects = listOf(project)
export const submissions = listOf(submission)
export const batches = listOf(batchSummary)
export const anchors = listOf(anchor)

export type EpochSummary = z.infer<typeof epochSummary>
export type EpochDetail = z.infer<typeof epochDetail>
export type Gap = z.infer<typeof gap>
export type Project = z.infer<typeof project>
export type SubmissionItem = z.infer<typeof submission>
export type BatchSummary = z.infer<typeof batchSummary>
export type BatchDetail = z.infer<typeof batchDetail>
export type AnchorItem = z.infer<typeof anchor>
export type Signer = z.infer<typeof signer>
export type Market = z.infer<typeof market>
export interface Page<T> {
  readonly items: T[]
  readonly next: string | null
}
