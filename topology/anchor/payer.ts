/**
 * Payouts on their way to the chain (decision 0039): a finite state machine each, in the stage `anchor`, whose nonces and
 * fillers it shares. One payout of a market is under way at a time, those of a day in the order of `payouts`, so that each dry
 * run sees the effects of all calls before it, and an older count never follows a newer one.
 */

import { payoutKey } from '../../schemas/anchor-keys.ts'
import { isNone, NONE } from '../../schemas/none.ts'
import type { AnchorKey, AnchorPhase, AnchorProgress, AnchorResult, Payout } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import type { AnchorRules } from '../anchor-rules.ts'
import { isUnmined } from './anchor-records.ts'
import { hasEnded, intend, waitForTurn } from './anchor-transitions.ts'
import { newPayout, paymentKey, payoutScope, payoutScopes } from './payer-records.ts'
import type { PaymentRows } from './payer-rows.ts'
import { applyPayoutResult, pauseBefore } from './payer-transitions.ts'

const OVERTAKEN = 'a newer run of the day has the counts'
const BEFORE_NONCE: readonly AnchorPhase[] = ['PREPARING', 'QUEUED']
const IN_BLOCK: readonly AnchorPhase[] = ['MINED', 'FINAL']

export interface PayerPorts {
  readonly progress: ScopedStore<AnchorProgress>
  readonly rules: AnchorRules
  readonly advance: (before: AnchorProgress | undefined, after: AnchorProgress) => void
  /** By the result, `after` may have left the nonce that `before` had. */
  readonly keepNonce: (before: AnchorProgress, after: AnchorProgress, result: AnchorResult) => void
  readonly rows: PaymentRows
}

export function createPayer({ progress, rules, advance, keepNonce, rows }: PayerPorts) {
  const { payoutsOf, takeTurn, dropWhenDone } = createTurns({ progress, rules, advance })
  return {
    takeTurn,

    plan(dataMarket: string, payout: Payout, offset: number): void {
      const key = payoutKey(dataMarket, payout.epochId, payout.number)
      if (progress.get(payoutScope(key), `${key.batchIndex}`)) return
      const planned = newPayout(key, payout, offset, offset)
      const first = payoutsOf(dataMarket).find((other) => isSameRun(planned, other))
      advance(undefined, first ? newPayout(key, payout, offset, first.payout!.firstOffset) : planned)
      rows.add(paymentKey(planned), (day) => payoutsOf(dataMarket).some((other) => other.payout!.day === day))
      takeTurn(dataMarket)
    },

    answer(before: AnchorProgress, result: AnchorResult): void {
      const after = applyPayoutResult(before, result, rules)
      if (after === before) return
      advance(before, after)
      keepNonce(before, after, result)
      takeTurn(before.key.dataMarket)
    },

    dropWhenDone,
  }
}

type TurnPorts = Pick<PayerPorts, 'progress' | 'rules' | 'advance'>

/** Whose turn it is. */
function createTurns({ progress, rules, advance }: TurnPorts) {
  /** In the order of `payouts`: at most two runs of COUNTS of a day, and the closings of days that can still be paid. */
  const payoutsOf = (dataMarket: string): AnchorProgress[] => {
    const scopes = [...progress.scopes()].filter((scope) => scope.startsWith(payoutScopes(dataMarket)))
    const entries = scopes.flatMap((scope) => [...progress.entries(scope)].map(([, entry]) => entry))
    return entries.sort((a, b) => a.batchOffset - b.batchOffset)
  }

  /** A CLOSE is done with when all its payouts have come, and nothing more is to be seen of any. */
  const dropWhenDone = (key: AnchorKey): void => {
    const scope = payoutScope(key)
    const entries = [...progress.entries(scope)].map(([, entry]) => entry)
    if (!entries.every((one) => one.step === 'DONE' && hasEnded(one))) return
    const hasAllOf = (one: AnchorProgress): boolean =>
      entries.filter((other) => isSameRun(one, other)).length === one.payout!.parts
    if (entries.every(hasAllOf)) progress.dropScope(scope)
  }

  const supersede = (dataMarket: string): void => {
    const all = payoutsOf(dataMarket)
    for (const one of all)
      if (isOvertaken(one, all)) {
        advance(one, { ...intend(one, 'DONE'), phase: 'LATE', error: OVERTAKEN })
        dropWhenDone(one.key)
      }
  }

  /**
   * A question about another state than the state behind the newest call is asked again, once the outcome of that call is known.
   */
  const holdBack = (dataMarket: string): void => {
    const all = payoutsOf(dataMarket)
    const isMoving = all.some(isUnmined)
    const { afterHash } = newestBlock(all)
    for (const one of all)
      if (BEFORE_NONCE.includes(one.phase) && (isMoving || one.payout!.afterHash !== afterHash))
        advance(one, waitForTurn(one, one.error))
  }

  const prepareNext = (dataMarket: string): void => {
    const all = payoutsOf(dataMarket)
    if (all.some((one) => BEFORE_NONCE.includes(one.phase) || isUnmined(one))) return
    const next = nextOf(all)
    if (!next) return
    const payout = { ...next.payout!, quota: quotaOfRun(next, all), ...newestBlock(all) }
    advance(next, { ...intend(next, 'PREPARE'), phase: 'PREPARING', delayMs: pauseBefore(next, rules), payout })
  }

  const takeTurn = (dataMarket: string): void => {
    supersede(dataMarket)
    holdBack(dataMarket)
    prepareNext(dataMarket)
  }

  return { payoutsOf, takeTurn, dropWhenDone }
}

/**
 * The first that waits of each day, and of these the one that was put off least often: a day that the contract does not take yet, or
 * refuses, holds up no other day.
 */
function nextOf(all: readonly AnchorProgress[]): AnchorProgress | undefined {
  const waiting = all.filter(({ phase }) => phase === 'WAITING')
  const firsts = waiting.filter((one, at) => waiting.findIndex(({ payout }) => payout!.day === one.payout!.day) === at)
  return firsts.toSorted((a, b) => a.retries - b.retries)[0]
}

const isSameRun = (a: AnchorProgress, b: AnchorProgress): boolean =>
  a.key.epochId === b.key.epochId && a.payout!.day === b.payout!.day && a.payout!.purpose === b.payout!.purpose

/** Counts that have no nonce, where a newer run of the day has come. */
const isOvertaken = (one: AnchorProgress, all: readonly AnchorProgress[]): boolean =>
  one.payout!.purpose === 'COUNTS' &&
  isNone(one.nonce) &&
  !hasEnded(one) &&
  all.some(
    (other) => other.payout!.day === one.payout!.day && other.batchOffset > one.batchOffset && !isSameRun(one, other),
  )

/** The block of the call that was mined last. */
function newestBlock(all: readonly AnchorProgress[]): { readonly afterBlock: number; readonly afterHash: string } {
  const calls = all.filter(({ phase, nonce }) => !isNone(nonce) && IN_BLOCK.includes(phase))
  const newest = calls.toSorted((a, b) => b.blockNumber - a.blockNumber)[0]
  return newest ? { afterBlock: newest.blockNumber, afterHash: newest.blockHash } : { afterBlock: NONE, afterHash: '' }
}

/** The quota with which a call of the run has paid; a call that was to pay nobody has none, or that of the calls before. */
function quotaOfRun(next: AnchorProgress, all: readonly AnchorProgress[]): number {
  for (const one of all) {
    const { answer } = one.payout!
    if (answer && answer.eligibleNodes > 0 && answer.quota > 0 && IN_BLOCK.includes(one.phase) && isSameRun(one, next))
      return answer.quota
  }
  return 0
}
