/**
 * The anchor stage: a finite state machine per batch, one per epoch for the call that ends it, and one per payout. It decides, the
 * connector acts: every intent is in the log before its effect, every effect answers through the log.
 */

import { END_OF_BATCHES, isEnding, isNonceOnly, isPayout } from '../../schemas/anchor-keys.ts'
import type {
  AnchorKey,
  AnchorProgress,
  AnchorResult,
  Batch,
  EpochSummary,
  MarketKey,
  PaymentKey,
  Payout,
} from '../../schemas/types.ts'
import type { ProcessorContext, ProcessorSupplier } from '../../streams/processor.ts'
import { ANCHOR_RULES_DEFAULTS, type AnchorRules } from '../anchor-rules.ts'
import type { AnchorStores } from '../anchor-stores.ts'
import type { MarketRules } from '../rules.ts'
import { type BatchEvent, isEpochSummary } from '../topics.ts'
import { createEndings } from './anchor-endings.ts'
import { createForgetting } from './anchor-forgetting.ts'
import { createGapCloser } from './anchor-gaps.ts'
import { createNonceLedger } from './anchor-ledger.ts'
import { createNonceQueue } from './anchor-queue.ts'
import { newProgress } from './anchor-records.ts'
import { type AnchorOutputs, createRegister } from './anchor-register.ts'
import { applyResult, hasEnded, intend } from './anchor-transitions.ts'
import { createPayer } from './payer.ts'
import { createPaymentRows, type PaymentRows } from './payer-rows.ts'

/**
 * Takes `batches`, `payouts` and `anchor-results`, one partition each. One task with one signer: it alone assigns nonces.
 *
 * The ending call is planned when every batch of the epoch is FINAL, or LATE or FAILED for good. Those two do not hold it
 * back: validators attest only after it, and one bad batch must not cost the epoch its good ones. A batch that is mined does:
 * a reorg may take it out again, and then it could need a nonce behind that of the ending call (decision 0007). When the
 * chain goes back behind what is final, all that it lost is sent again, in the order of nonces (decision 0029).
 */
export const planAnchor =
  (
    stores: AnchorStores,
    rulesOf: (dataMarket: string) => Pick<MarketRules, 'daysKept'>,
    options: Partial<AnchorRules> = {},
  ): ProcessorSupplier<MarketKey | AnchorKey, BatchEvent | Payout | AnchorResult, AnchorOutputs> =>
  (context) => {
    const rules = { ...ANCHOR_RULES_DEFAULTS, ...options }
    const takeOut = (key: PaymentKey): void => context.outputs.payments.sendTombstone(key)
    const rows = createPaymentRows({ rows: context.store(stores.payments), rulesOf, takeOut })
    const anchor = createAnchor(context, stores, rules, rows)
    return {
      process(key, value) {
        if ('outcome' in value) {
          if ('batchIndex' in key) anchor.answer(key, value) // the key of every result has one
        } else if ('payoutOf' in value) anchor.pay(key.dataMarket, value, context.origin.offset)
        else if (isEpochSummary(value)) anchor.endEpoch(key.dataMarket, value)
        else if (value.part > 0)
          return undefined // a batch that was planned with its first
        else anchor.plan(key.dataMarket, value, context.origin.offset)
        context.requestCommit() // a batch takes five turns through the log: none waits for the next interval
        return undefined
      },
    }
  }

type Context = ProcessorContext<AnchorOutputs>

function createAnchor(context: Context, stores: AnchorStores, rules: AnchorRules, rows: PaymentRows) {
  const progress = context.store(stores.progress)
  const queue = createNonceQueue(context, stores, rules)
  const { read, advance, assignNonces } = createRegister(context, progress, queue)
  const { nextNonce, giveBack } = queue
  const ledger = createNonceLedger({ progress, rules, nextNonce, advance })
  const closeGap = createGapCloser({ progress, rules, nextNonce, giveBack, advance })
  const endings = createEndings({ read, advance, giveUpNonce: ledger.fillAgain })
  const payer = createPayer({ progress, rules, advance, keepNonce: ledger.keepNonce, rows })
  const { stopWatching, dropWhenDone } = createForgetting({ progress, read, advance, dropPayout: payer.dropWhenDone })

  const plan = (dataMarket: string, batch: Batch, offset: number): void => {
    const { epochId, batchIndex } = batch
    const key = { dataMarket, epochId, batchIndex }
    if (read(key)) return
    advance(undefined, { ...intend(newProgress(key, batch), 'STORE'), phase: 'STORING', batchOffset: offset })
  }

  const endEpoch = (dataMarket: string, { summaryOf, batches }: EpochSummary): void => {
    const key = { dataMarket, epochId: summaryOf, batchIndex: END_OF_BATCHES }
    if (!read(key)) advance(undefined, { ...newProgress(key), phase: 'WAITING', batches })
    endings.prepareWhenDue(key)
    for (const one of ledger.forgetOldest()) dropWhenDone(one)
  }

  const answer = (key: AnchorKey, result: AnchorResult): void => {
    const before = read(key)
    if (!before && isNonceOnly(key) && result.outcome === 'UNFILLED') goOnBehindGap(key, result)
    if (!before) return // the epoch is done and dropped
    if (isPayout(key)) payer.answer(before, result)
    else answerOfEpoch(key, before, result)
    assignNonces()
    dropWhenDone(key)
  }

  const goOnBehindGap = (key: AnchorKey, result: AnchorResult): void => {
    for (const one of closeGap(key, result)) {
      if (isPayout(one)) payer.takeTurn(one.dataMarket)
      dropWhenDone(one)
    }
    assignNonces()
  }

  const answerOfEpoch = (key: AnchorKey, before: AnchorProgress, result: AnchorResult): void => {
    const after = applyResult(before, endings.fitting(before, result), rules)
    if (after === before) return
    // First the ending: what is sent for the batch's nonce lets all be mined that waits behind it.
    if (hasEnded(before) && !hasEnded(after)) endings.hold(after)
    advance(before, after)
    ledger.keepNonce(before, after, result)
    endings.prepareWhenDue(key)
    const hasEndedEpoch = isEnding(key) && after.phase === 'FINAL' && before.phase !== 'FINAL'
    if (hasEndedEpoch) stopWatching(key.dataMarket, key.epochId - rules.watchEpochs)
  }

  return { plan, endEpoch, pay: payer.plan, answer }
}
