/** The first state of a payout, and the rows that the payer writes about it. */

import { payoutNumberOf } from '../../schemas/anchor-keys.ts'
import { NONE } from '../../schemas/none.ts'
import type { AnchorKey, AnchorProgress, Payment, PaymentKey, Payout, PayoutAnswer } from '../../schemas/types.ts'
import { changedRows, newProgress } from './anchor-records.ts'

/** Scopes of payouts lie beside the scopes of epochs, which are dropped when their batches are done. */
export const payoutScope = ({ dataMarket, epochId }: AnchorKey): string => `${payoutScopes(dataMarket)}${epochId}`

/** The common prefix of all scopes of a market. */
export const payoutScopes = (dataMarket: string): string => `payouts/${dataMarket}/`

/** @param firstOffset part of the run, in `payouts` */
export function newPayout(
  key: AnchorKey,
  { payoutOf: day, purpose, part, parts, slotIds }: Payout,
  offset: number,
  firstOffset: number,
): AnchorProgress {
  const held = { quota: 0, afterBlock: NONE, afterHash: '', answer: null }
  const payout = { day, purpose, part, parts, slots: slotIds.length, firstOffset, ...held }
  return { ...newProgress(key), call: 'REWARD', batchOffset: offset, payout }
}

export const paymentKey = ({ key, payout }: AnchorProgress): PaymentKey => ({
  dataMarket: key.dataMarket,
  day: payout!.day,
  epochId: key.epochId,
  number: payoutNumberOf(key),
})

/** The rows of `payments` for a step. */
export const newPayments = (before: AnchorProgress | undefined, after: AnchorProgress): Payment[] =>
  changedRows(before, after, paymentOf, { paymentState: 'REORGED' })

const NO_ANSWER: PayoutAnswer = {
  ...{ slots: Buffer.alloc(0), eligibleNodes: 0, quota: 0, contractQuota: 0, numberFound: false },
  ...{ present: 0, paidBefore: [], paid: NONE, leftOut: [] },
}

function paymentOf(at: AnchorProgress): Payment {
  const { batchOffset: payoutOffset, nonce, attempt: attempts, transactionHash, blockNumber, blockHash } = at
  const { purpose, part, parts, slots, quota: heldTo, answer } = at.payout!
  const { present, paidBefore, paid: looked, leftOut, eligibleNodes, numberFound, slots: bits } = answer ?? NO_ANSWER
  const state = stateOf(at)
  const quota = answer && eligibleNodes > 0 ? answer.quota : heldTo
  const paid = state === 'FINAL' ? looked : NONE
  const counts = { slots, sent: bitsIn(bits), present, paidBefore, paid, leftOut, eligibleNodes, quota, numberFound }
  const where = { nonce, attempts, transactionHash, blockNumber, blockHash }
  const about = { purpose, payoutOffset, part, parts }
  return { paymentState: state, ...about, ...counts, ...where, error: at.error, reorgs: at.reorgs }
}

function stateOf({ phase, rawTransactions }: AnchorProgress): Payment['paymentState'] {
  switch (phase) {
    case 'QUEUED':
      return 'READY'
    case 'SIGNING':
    case 'SENDING':
      return rawTransactions.length === 0 ? 'READY' : 'SENT'
    case 'MINED':
    case 'FINAL':
      return phase
    case 'LATE':
      return 'SUPERSEDED'
    case 'FAILED':
      return 'UNPAID'
    default:
      return 'PLANNED'
  }
}

function bitsIn(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1
  return count
}
