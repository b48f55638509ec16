/**
 * The life of one payout as a table: (phase, outcome) → what it is next. A payout that needs another dry run becomes WAITING;
 * payer.ts decides whose turn it is. Pure.
 */
import { isNone, NONE } from '../../schemas/none.ts'
import type { AnchorOutcome, AnchorPhase, AnchorProgress, AnchorResult, PayoutAnswer } from '../../schemas/types.ts'
import { type AnchorRules, retryDelayOf } from '../anchor-rules.ts'
import {
  backAtNothing,
  decidedIn,
  fill,
  intend,
  mined,
  NOT_SEQUENCER,
  OUT_OF_GAS,
  ready,
  reorged,
  sentAgain,
  settled,
  signed,
  stuck,
  type Transition,
  waitForTurn,
  withoutNonce,
  withShortage,
} from './anchor-transitions.ts'

/** Neither the day of the contract nor the one before: nothing of it can be paid any more. */
const DAY_OVER = 'E38'

const withAnswer = (at: AnchorProgress, answer: AnchorResult['payout']): AnchorProgress => ({
  ...at,
  payout: { ...at.payout!, answer },
})

const waiting = (at: AnchorProgress, error: string): AnchorProgress => waitForTurn(withoutNonce(at), error)

/** A payout has no end but the day's: a failure is tried again, ever more slowly. */
const again: Transition = (at, { error }) => ({ ...waiting(at, error), retries: at.retries + 1 })

const prepared: Transition = (at, result, rules) => withAnswer(ready(at, result, rules), result.payout)

const nothingToSend: Transition = (at, { payout }) => ({
  ...intend(withAnswer(at, payout), 'DONE'),
  phase: 'FINAL',
  error: '',
})

const refused: Transition = (at, result, rules) =>
  result.error === DAY_OVER
    ? { ...intend(withAnswer(at, result.payout), 'DONE'), phase: 'FAILED', error: DAY_OVER }
    : again(at, result, rules)

const inBlock: Transition = (at, result, rules) => ({ ...mined(at, result, rules), retries: 0 })

/** The connector has looked what became of each slot, if the state of that block was still to be had. */
const final: Transition = (at, result) => {
  const { answer } = at.payout!
  const next = decidedIn(answer ? withAnswer(at, withOutcome(answer, result.payout)) : at, result)
  return { ...intend(next, 'KEEP'), phase: 'FINAL', error: '' }
}

/**
 * A slot that was left out of the pay may have got it: the quota that kept it from that was lowered ahead of the call. And somebody else may have
 * fixed the number ahead of it.
 */
function withOutcome(answer: PayoutAnswer, outcome: PayoutAnswer | null | undefined): PayoutAnswer {
  if (!outcome) return { ...answer, paid: NONE }
  const [lost, paid] = [outcome.leftOut, new Set(outcome.paidBefore)]
  const kept = answer.leftOut.filter(({ slotId, reason }) => reason !== 'QUOTA_RAISED' || !paid.has(slotId))
  const told = new Set(kept.map(({ slotId }) => slotId))
  const leftOut = [...kept, ...lost.filter(({ slotId }) => !told.has(slotId))]
  return {
    ...answer,
    eligibleNodes: outcome.eligibleNodes,
    numberFound: answer.numberFound || outcome.numberFound,
    paid: isNone(outcome.paid) ? NONE : answer.paidBefore.length + outcome.paid,
    leftOut: leftOut.sort((a, b) => a.slotId - b.slotId),
  }
}

/** The nonce is used up, but not by the call: what the contract has by now is asked anew. */
const replan: Transition = (at, result, rules) => {
  const next = again(at, { ...result, error: result.error || at.error }, rules)
  return result.error === OUT_OF_GAS ? withShortage(next, at) : next
}

const nonceTaken: Transition = (at) => waiting(at, 'the nonce was used by another transaction of the signer')

/** The chain went back behind it: the same again, with the same nonce, unless the call cannot be made now. */
const takenBack: Transition = (at, { error }) => {
  const back = { ...backAtNothing(at), reorgs: at.reorgs + 1 }
  return !isNone(at.nonce) && error === '' ? sentAgain(back) : waiting(back, error)
}

const asked = { READY: prepared, ALREADY_ANCHORED: nothingToSend, REVERTED: refused, FAILED: again }
const sent = {
  ...{ MINED: inBlock, FINAL: final, FILLED: replan, REVERTED: replan, NONCE_TAKEN: nonceTaken },
  ...{ STUCK: stuck, REJECTED: fill, FAILED: fill },
}

const TRANSITIONS: { readonly [P in AnchorPhase]?: { readonly [O in AnchorOutcome]?: Transition } } = {
  PREPARING: asked,
  QUEUED: asked, // a connector that started again repeats the dry run
  SIGNING: { SIGNED: signed, FAILED: fill },
  SENDING: sent,
  MINED: { ...sent, REORGED: reorged },
  FINAL: { SETTLED: settled, REORGED: takenBack },
}

/** The progress after a result; the same object when the result is stale, repeated, or means nothing in this phase. */
export function applyPayoutResult(at: AnchorProgress, result: AnchorResult, rules: AnchorRules): AnchorProgress {
  if (result.attempt !== at.attempt || result.step !== at.step) return at
  return TRANSITIONS[at.phase]?.[result.outcome]?.(at, result, rules) ?? at
}

/** Delay of the next dry run after a failure, ms. */
export function pauseBefore({ error, retries }: AnchorProgress, rules: AnchorRules): number {
  if (error === NOT_SEQUENCER) return rules.notSequencerDelayMs
  return retries === 0 ? 0 : retryDelayOf(rules, retries)
}
