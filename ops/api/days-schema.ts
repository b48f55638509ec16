/** The shapes of days (decision 0039), beside the shapes of schema.ts. */
import { z } from 'zod'
import type { PaymentState } from '../../schemas/types.ts'
import { DAY_STANDINGS, LEFT_OUT_REASONS, SLOT_STANDINGS } from '../reading/day.ts'
import { dataMarket, listOf } from './schema.ts'

const text = z.string()
const whole = z.int().min(0)
const time = (what: string) => whole.nullable().describe(`${what}, ms since 1970 as the log has it; null: not seen.`)

const STATES = [
  'UNKNOWN',
  'PLANNED',
  'READY',
  'SENT',
  'MINED',
  'FINAL',
  'REORGED',
  'SUPERSEDED',
  'UNPAID',
] as const satisfies readonly PaymentState[]
const paymentState = z.enum(STATES)
const reason = z.enum(LEFT_OUT_REASONS)
export const purpose = z.enum(['UNKNOWN', 'COUNTS', 'CLOSING'])

const run = z
  .object({
    epochId: whole.describe('The counts are those as of the close of this epoch.'),
    parts: whole.describe('Calls.'),
    states: z.partialRecord(paymentState, whole).describe('Calls by what has become of them.'),
    slots: whole,
    sent: whole.describe('Slots in the calls.'),
    present: whole.describe('Slots for which the contract had the same already.'),
    paidBefore: whole.describe(
      'Slots that the contract had paid before the call, mostly by another sequencer of the market.',
    ),
    leftOut: z.partialRecord(reason, whole).describe('Slots that were left out, by why.'),
    unpaid: whole.describe('Slots of calls that can never be sent, without slots that were left out.'),
    overdue: whole.describe('Slots with the quota among those that were left out since the day is over.'),
    eligibleNodes: whole.describe('As the contract was told; 0 while nobody is paid.'),
    numberFound: z
      .boolean()
      .describe(
        'That number was on the contract already, and no call of the run has fixed it: mostly another sequencer has.',
      ),
    quota: whole.describe('Quota of the contract, to which the run is held; 0 while nobody is paid.'),
    error: text.describe('Why a call is not further, or was given up.'),
  })
  .meta({ id: 'PayoutRun' })

const STANDING_HELP =
  'COUNTING: it goes on. COUNTED: it has ended, and nothing is sent. NOT_WHOLE: it has ended, the ledger lacks a part of it, so nothing is sent. CLOSING: the calls that close it are on their way. CLOSED: the contract has them. UNPAID: one of these calls can never be sent.'

const dayFields = {
  dataMarket,
  day: whole.describe('Number of the contract, from 1.'),
  standing: z.enum(DAY_STANDINGS).describe(STANDING_HELP),
  ended: z.boolean().describe('All its epochs have closed.'),
  whole: z.boolean().describe('The ledger has every epoch of it, as far as it has come.'),
  quota: whole.describe('Counted submissions with which a slot has earned the day.'),
  firstEpoch: whole.nullable(),
  lastEpoch: whole.nullable(),
  firstBlock: whole.nullable().describe('Lowest release block of the epochs counted; null: not known.'),
  epochs: whole.describe('Epochs that were counted.'),
  late: whole.describe('Epochs among them that closed when the day had ended: no payout has them.'),
  slots: whole.describe('Slots with an accepted submission.'),
  eligibleSlots: whole.describe('Slots with as many counted as the quota.'),
  accepted: whole.describe('Accepted submissions of all slots.'),
  counted: whole.describe('Votes for the winning CID among them.'),
  beganAt: time('The tick of its first release'),
  changedAt: time('Its newest epoch was counted'),
  told: run.nullable().describe('The newest telling of counts in the course of the day.'),
  closing: run.nullable().describe('The calls that close the day.'),
  paid: whole
    .nullable()
    .describe(
      'Slots that the contract has paid, by its events; null: nobody has looked, and the list is no longer in the log.',
    ),
  drift: whole.describe('Slots for which the contract has something else than the ledger, by the newest calls.'),
}
export const daySummary = z.object(dayFields).meta({ id: 'Day' })

const bucket = z.object({
  from: whole,
  below: whole.nullable().describe('null: and all above.'),
  slots: whole,
})
export const dayDetail = z
  .object({
    ...dayFields,
    epochsOfDayBefore: whole.nullable().describe('Epochs from the first of the day before to the first of this one.'),
    histogram: z.array(bucket).describe('Slots by how much they have counted; a bucket begins at the quota.'),
  })
  .meta({ id: 'DayDetail' })

const slotDay = z
  .object({
    dataMarket,
    day: whole,
    slotId: whole,
    standing: z
      .enum(SLOT_STANDINGS)
      .describe(
        'COUNTING, COUNTED, NOT_WHOLE: as the day. TELLING: the call is on its way. TOLD: the contract has the count, which is below the quota. PAID. LEFT_OUT: the call does not have the slot. UNPAID: the call can never be sent.',
      ),
    accepted: whole,
    counted: whole,
    quota: whole,
    eligible: z.boolean().describe('It has as many as the quota.'),
    told: whole.describe('The count in the newest call that has the slot; 0 while none has.'),
    lastEpoch: whole.describe('The epoch that changed the counts last.'),
    leftOut: z.object({ reason, onChain: whole.describe('The contract’s count then.') }).nullable(),
    transactionHash: text.describe('Hash of the call that closes the day for the slot; empty: none yet.'),
  })
  .meta({ id: 'SlotDay' })

export const payment = z
  .object({
    dataMarket,
    day: whole,
    epochId: whole,
    number: whole.describe('Among the calls of this epoch.'),
    purpose: purpose.describe('COUNTS: in the course of the day. CLOSING: it closes the day.'),
    state: paymentState,
    part: whole,
    parts: whole,
    slots: whole,
    sent: whole,
    present: whole,
    paidBefore: z
      .array(whole)
      .describe('Slots that the contract had paid before the call, mostly by another sequencer of the market.'),
    paid: whole
      .nullable()
      .describe('Slots that the contract has paid, once the call is final; null: not known, or nobody has looked.'),
    leftOut: z.array(z.object({ slotId: whole, counted: whole, onChain: whole, reason })),
    eligibleNodes: whole,
    numberFound: z.boolean().describe('That number was on the contract already.'),
    quota: whole,
    nonce: whole.nullable(),
    attempts: whole,
    transactionHash: text,
    blockNumber: z.int().min(-1).describe('-1: in no block.'),
    error: text,
    reorgs: whole,
    changedAt: time('The state was written'),
  })
  .meta({ id: 'Payment' })

export const days = listOf(daySummary)
export const slotDays = listOf(slotDay)
export const payments = listOf(payment)

export type DaySummary = z.infer<typeof daySummary>
export type DayDetail = z.infer<typeof dayDetail>
export type SlotDayItem = z.infer<typeof slotDay>
export type PaymentItem = z.infer<typeof payment>
