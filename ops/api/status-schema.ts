/** The shapes of `/v1/processes` and `/v1/status`, beside those of schema.ts. */
import { z } from 'zod'
import { EPOCH_OUTCOMES, EPOCH_PHASES } from '../reading/epoch-phases.ts'
import { PROCESS_STATES, STANDINGS } from '../reading/processes.ts'
import { roleStatus, STANDING_HELP } from './roles-schema.ts'
import { dataMarket } from './schema.ts'

const text = z.string()
const whole = z.int().min(0)
const wholeOrNone = whole.nullable()
const time = whole.describe('Ms since 1970.')

const processRole = z.object({
  role: text.describe('A role, or a part of one that has a health of its own.'),
  standing: z.enum(STANDINGS).describe(STANDING_HELP),
  detail: text,
  since: time,
})

const signerOfProcess = z.object({
  address: text,
  balanceWei: text.nullable().describe('Decimal; null: no transaction was prepared yet.'),
  balanceAt: time.nullable(),
  nonce: wholeOrNone.describe('The highest that it has signed.'),
})

const process = z
  .object({
    instanceId: text,
    state: z
      .enum(PROCESS_STATES)
      .describe('SILENT: it has not reported of late. AHEAD: its clock is ahead of ours, so nobody can say.'),
    heardAt: time,
    startedAt: time,
    version: text,
    roles: z.array(processRole),
    acknowledged: wholeOrNone.describe(
      'Submissions that its intake acknowledged in the last minute; null without one.',
    ),
    signer: signerOfProcess.nullable().describe('Signer of the process that sends transactions.'),
  })
  .meta({ id: 'Process' })

export const processes = z.object({
  items: z.array(process),
  more: whole.describe('Processes that there is no room for.'),
  roles: z.array(roleStatus).describe('Each role, whether anybody has it or not.'),
  signer: signerOfProcess.nullable().describe('As the process says that sends transactions; null: none has said so.'),
})

const epochReport = z.object({
  dataMarket,
  epochId: whole,
  phase: z.enum(EPOCH_PHASES),
  outcome: z.enum(EPOCH_OUTCOMES).nullable(),
  releasedAt: time.nullable(),
  closedAt: time.nullable(),
  finalAt: time.nullable().describe('The call that ends the epoch was final, and all batches.'),
  submissions: wholeOrNone.describe('Acknowledged submissions.'),
  counted: wholeOrNone.describe('Submissions in its batches; null before they are cut.'),
  batches: wholeOrNone,
  projects: whole.describe('Projects with a winner.'),
  projectsWithoutQuorum: whole,
  agreement: z.number().min(0).max(1).nullable(),
})

const marketReport = z.object({
  dataMarket,
  served: z.boolean(),
  headEpoch: wholeOrNone,
  epochs: z.array(epochReport).describe('Newest first.'),
  agreement: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .describe('Votes for the winners, as a share of all votes, in the newest epoch whose votes are counted.'),
  toAnchor: z
    .object({ p50: z.number(), p95: z.number(), epochs: whole })
    .nullable()
    .describe('Seconds from the release to the end on the chain, of so many epochs.'),
})

/** As `sequencer status` prints it. */
export const status = z
  .object({
    at: time,
    chain: z.object({ blockNumber: whole, at: time }).nullable().describe('Newest block that became a tick.'),
    markets: z.array(marketReport),
    roles: z.array(roleStatus.extend({ behind: wholeOrNone.describe('Records that a stage has not taken.') })),
    processes: z.array(process),
    moreProcesses: whole,
    signer: z.object({
      address: text.nullable(),
      balanceWei: text.nullable(),
      balanceAt: time.nullable(),
      nonce: wholeOrNone,
      pending: whole.describe('Batches and ending calls on their way.'),
      inFlight: whole.describe('Those with a transaction that is sent and not final.'),
    }),
    submissionsPerMinute: wholeOrNone.describe('Acknowledged by all intakes in the last minute; null: none runs.'),
  })
  .meta({ id: 'Status' })

export type ProcessesAnswer = z.infer<typeof processes>
export type StatusAnswer = z.infer<typeof status>
