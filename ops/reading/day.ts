/** The standing of a day, and of a slot in it: from the rows of the ledger and of its payouts (decision 0039). Pure. */
import { orNull } from '../../schemas/none.ts'
import type {
  Day,
  DayKey,
  LeftOutReason,
  Payment,
  PaymentState,
  Payout,
  SlotDay,
  SlotLeftOut,
} from '../../schemas/types.ts'
import { paidOf } from './day-paid.ts'

/**
 * - `COUNTING`: it goes on, or not all of its epochs have closed.
 * - `COUNTED`: it has ended, and nothing is sent of it: the rule says so, or nobody has a count.
 * - `NOT_WHOLE`: it has ended, and the ledger lacks a part of it, so nothing is sent.
 * - `CLOSING`: it has ended, and the calls that close it are on their way.
 * - `CLOSED`: the contract has them all.
 * - `UNPAID`: one of these calls can never be sent.
 */
export const DAY_STANDINGS = ['COUNTING', 'COUNTED', 'NOT_WHOLE', 'CLOSING', 'CLOSED', 'UNPAID'] as const
export type DayStanding = (typeof DAY_STANDINGS)[number]

/** Why a call leaves a slot out: schemas/Payment.avsc says what each means. */
export const LEFT_OUT_REASONS = [
  'UNKNOWN',
  'UNAVAILABLE',
  'HIGHER_ON_CHAIN',
  'PAID_OTHERWISE',
  'MARKED_UNPAID',
  'NONE_REMAINING',
  'QUOTA_LOWERED',
  'QUOTA_RAISED',
  'DAY_CLOSED',
  'DAY_OVER',
] as const satisfies readonly LeftOutReason[]

/** One call of a run: as it was written, and what has become of it; either may be gone from the log, or not be read yet. */
export interface RunPart {
  readonly epochId: number
  readonly number: number
  readonly payout: Payout | undefined
  readonly payment: Payment | undefined
}

export interface RunStatus {
  /** The counts are those as of the CLOSE of this epoch. */
  readonly epochId: number
  /** Calls. */
  readonly parts: number
  /** Calls by their outcome; calls of which nothing is known yet are PLANNED. */
  readonly states: Partial<Record<PaymentState, number>>
  readonly slots: number
  /** Slots in the calls. */
  readonly sent: number
  /** Slots for which the contract had the same already. */
  readonly present: number
  /** Slots that the contract had paid before the call, mostly by another sequencer of the market. */
  readonly paidBefore: number
  /** Slots that were left out, by why. */
  readonly leftOut: Partial<Record<LeftOutReason, number>>
  /** Slots of calls that can never be sent, without slots that were left out. */
  readonly unpaid: number
  /** Slots with the quota among those that were left out since the day is over. */
  readonly overdue: number
  /** As the contract was told; 0 while nobody is paid. */
  readonly eligibleNodes: number
  /** No call of the run has fixed that number: it was on the contract already, mostly of another sequencer. */
  readonly numberFound: boolean
  /** Quota of the contract, to which the run is held; 0 while nobody is paid. */
  readonly quota: number
  /** The reason why a call is not further, or was given up; of several calls the first reason. */
  readonly error: string
}

export interface DayStatus extends DayKey {
  readonly standing: DayStanding
  readonly ended: boolean
  readonly whole: boolean
  /** dailySnapshotQuota as of the newest release that is known. */
  readonly quota: number
  /** First and last epoch that were released in it, as far as is known; null: none has closed, and no release was seen. */
  readonly firstEpoch: number | null
  readonly lastEpoch: number | null
  /** Lowest release block of the epochs counted; null: not known. */
  readonly firstBlock: number | null
  /** Epochs that were counted. */
  readonly epochs: number
  /** Epochs among them that closed when the day had ended. */
  readonly late: number
  readonly slots: number
  readonly eligibleSlots: number
  readonly accepted: number
  readonly counted: number
  /** When the tick of its first release was written, ms; null: not seen. */
  readonly beganAt: number | null
  /** When its newest epoch was counted, ms; null: none was. */
  readonly changedAt: number | null
  /** The newest telling in the course of the day. */
  readonly told: RunStatus | null
  readonly closing: RunStatus | null
  /** Slots that the contract has paid; null: nobody has looked, and the list of the closing is no longer in the log. */
  readonly paid: number | null
  /** Slots for which the contract has something else than the ledger, by the newest run. */
  readonly drift: number
}

/** The known facts of a day. */
export interface DayFacts {
  /** Absent before its first epoch has closed. */
  readonly row: Day | undefined
  readonly began: { readonly epochId: number; readonly quota: number; readonly at: number } | undefined
  readonly changedAt: number | null
  /** In the order of the run. */
  readonly told: readonly RunPart[]
  readonly closing: readonly RunPart[]
}

const NONE: Pick<Day, 'ended' | 'whole' | 'closed' | 'late' | 'slots' | 'eligibleSlots' | 'accepted' | 'counted'> = {
  ...{ ended: false, whole: true, closed: 0, late: 0 },
  ...{ slots: 0, eligibleSlots: 0, accepted: 0, counted: 0 },
}

export function dayStatus(key: DayKey, facts: DayFacts): DayStatus {
  const { row, began, changedAt } = facts
  const { ended, whole, closed, late, slots, eligibleSlots, accepted, counted } = row ?? NONE
  const [told, closing] = [runStatus(facts.told), runStatus(facts.closing, row?.quota)]
  const newest = closing ?? told
  return {
    ...key,
    standing: standingOf(row, closing),
    ended,
    whole,
    quota: row?.quota ?? began?.quota ?? 0,
    firstEpoch: row?.epochs[0]?.first ?? began?.epochId ?? null,
    lastEpoch: row?.epochs.at(-1)?.last ?? began?.epochId ?? null,
    firstBlock: row ? orNull(row.firstBlock) : null,
    epochs: closed,
    late,
    slots,
    eligibleSlots,
    accepted,
    counted,
    beganAt: began?.at ?? null,
    changedAt,
    told,
    closing,
    paid: paidOf(facts.closing),
    drift: newest ? sum(Object.values(newest.leftOut)) + newest.unpaid : 0,
  }
}

function standingOf(row: Day | undefined, closing: RunStatus | null): DayStanding {
  if (!row?.ended) return 'COUNTING'
  if (closing) {
    if (pendingOf(closing) > 0) return 'CLOSING'
    return (closing.states.UNPAID ?? 0) > 0 ? 'UNPAID' : 'CLOSED'
  }
  return row.whole ? 'COUNTED' : 'NOT_WHOLE'
}

/** Calls of which it is not decided yet what becomes of them. */
export function pendingOf({ parts, states }: Pick<RunStatus, 'parts' | 'states'>): number {
  const { FINAL = 0, UNPAID = 0, SUPERSEDED = 0 } = states
  return parts - FINAL - UNPAID - SUPERSEDED
}

/** @param parts in the order of the run; null when there are none @param quota of the day */
export function runStatus(parts: readonly RunPart[], quota = 0): RunStatus | null {
  const [first] = parts
  if (!first) return null
  const payments = parts.flatMap(({ payment }) => payment ?? [])
  const states: Partial<Record<PaymentState, number>> = {}
  const leftOut: Partial<Record<LeftOutReason, number>> = {}
  for (const { payment } of parts) add(states, payment?.paymentState ?? 'PLANNED')
  for (const payment of payments) for (const { reason } of payment.leftOut) add(leftOut, reason)
  const all = (first.payment ?? first.payout)?.parts ?? parts.length
  if (all > parts.length) add(states, 'PLANNED', all - parts.length)
  return {
    epochId: first.epochId,
    parts: all,
    states,
    slots: sum(parts.map(slotsOf)),
    sent: sum(payments.map(({ sent }) => sent)),
    present: sum(payments.map(({ present }) => present)),
    paidBefore: sum(payments.map(({ paidBefore }) => paidBefore.length)),
    leftOut,
    unpaid: sum(payments.map(unpaidOf)),
    overdue: sum(payments.map(({ leftOut }) => leftOut.filter((slot) => isOverdue(slot, quota)).length)),
    eligibleNodes: largest(payments.map(({ eligibleNodes }) => eligibleNodes)),
    numberFound: payments.some(({ numberFound }) => numberFound),
    quota: largest(payments.map(({ quota }) => quota)),
    error: payments.find(({ error }) => error !== '')?.error ?? '',
  }
}

const isOverdue = ({ reason, counted }: SlotLeftOut, quota: number): boolean =>
  reason === 'DAY_OVER' && counted >= quota

/** Unpaid slots of a call, without the slots in `leftOut`, which are counted there. */
const unpaidOf = ({ paymentState, slots, present, leftOut }: Payment): number =>
  paymentState === 'UNPAID' ? Math.max(0, slots - present - leftOut.length) : 0

const slotsOf = ({ payout, payment }: RunPart): number => payment?.slots ?? payout?.slotIds.length ?? 0

function add<K extends string>(counts: Partial<Record<K, number>>, key: K, by = 1): void {
  counts[key] = ((counts[key] as number | undefined) ?? 0) + by
}
const sum = (values: readonly (number | undefined)[]): number =>
  values.reduce<number>((all, one) => all + (one ?? 0), 0)
const largest = (values: readonly number[]): number => values.reduce((max, one) => Math.max(max, one), 0)

/**
 * - `COUNTING`, `COUNTED`, `NOT_WHOLE`: as the day.
 * - `TELLING`: the call that has the slot is on its way.
 * - `TOLD`: the contract has the count, which is below the quota.
 * - `PAID`: the contract has it, and has paid the slot.
 * - `LEFT_OUT`: the call does not have the slot; `reason` says why.
 * - `UNPAID`: the call can never be sent.
 */
export const SLOT_STANDINGS = [
  'COUNTING',
  'COUNTED',
  'NOT_WHOLE',
  'TELLING',
  'TOLD',
  'PAID',
  'LEFT_OUT',
  'UNPAID',
] as const
export type SlotStanding = (typeof SLOT_STANDINGS)[number]

export interface SlotDayStatus extends DayKey {
  readonly slotId: number
  readonly standing: SlotStanding
  readonly accepted: number
  readonly counted: number
  readonly quota: number
  readonly eligible: boolean
  /** The count in the newest payout that has the slot; 0 while none has. */
  readonly told: number
  readonly lastEpoch: number
  /** For a slot that was left out: why, and the contract's count then. */
  readonly leftOut: { readonly reason: LeftOutReason; readonly onChain: number } | null
  /** Hash of the call that has the slot; empty: none yet. */
  readonly transactionHash: string
}

export function slotDayStatus(
  { dataMarket, day, standing, quota }: Pick<DayStatus, keyof DayKey | 'standing' | 'quota'>,
  slotId: number,
  row: SlotDay,
  closing: readonly RunPart[],
): SlotDayStatus {
  const { accepted, counted, inPayout, lastEpoch } = row
  const part = closing.find(({ payout }) => payout && isWithin(payout, slotId))
  const leftOut = part?.payment?.leftOut.find((one) => one.slotId === slotId)
  return {
    dataMarket,
    day,
    slotId,
    standing: slotStanding(standing, slotId, part, leftOut),
    accepted,
    counted,
    quota,
    eligible: counted >= quota,
    told: inPayout,
    lastEpoch,
    leftOut: leftOut ? { reason: leftOut.reason, onChain: leftOut.onChain } : null,
    transactionHash: part?.payment?.transactionHash ?? '',
  }
}

const isWithin = ({ slotIds }: Payout, slotId: number): boolean =>
  slotIds.length > 0 && slotIds[0]! <= slotId && slotId <= slotIds.at(-1)! && slotIds.includes(slotId)

function slotStanding(
  standing: DayStanding,
  slotId: number,
  part: RunPart | undefined,
  leftOut: SlotLeftOut | undefined,
): SlotStanding {
  if (standing === 'COUNTING' || standing === 'NOT_WHOLE') return standing
  if (!part) return 'COUNTED'
  const { payout, payment } = part
  const isLeftOut = leftOut !== undefined
  if (!isLeftOut && payment?.paidBefore.includes(slotId)) return 'PAID'
  if (payment?.paymentState === 'UNPAID') return 'UNPAID'
  if (payment?.paymentState !== 'FINAL') return 'TELLING'
  if (isLeftOut) return 'LEFT_OUT'
  const frozen = payout!.submissions[payout!.slotIds.indexOf(slotId)]!
  return payment.quota > 0 && frozen >= payment.quota ? 'PAID' : 'TOLD'
}
