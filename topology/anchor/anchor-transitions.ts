/** The life of one batch as a table: (phase, outcome) → what it is next. Pure; anchor.ts turns the difference into records. */

import { FILLER_GAS, isEnding, isNonceOnly, isPayout } from '../../schemas/anchor-keys.ts'
import { isNone, NONE } from '../../schemas/none.ts'
import type {
  AnchorOutcome,
  AnchorPhase,
  AnchorProgress,
  AnchorQuote,
  AnchorResult,
  AnchorStep,
} from '../../schemas/types.ts'
import { type AnchorRules, retryDelayOf } from '../anchor-rules.ts'
import { bumpFees, clampFees } from './anchor-fees.ts'
import { NO_TRANSACTION } from './anchor-records.ts'

export type Transition = (at: AnchorProgress, result: AnchorResult, rules: AnchorRules) => AnchorProgress

/** Reverts that no retry can change: the contract has other snapshots of this epoch, the epoch has ended, or the call is wrong. */
const PERMANENT = ['E23', 'E24', 'E25', 'E43']
export const NOT_SEQUENCER = 'E04'
const ALREADY_ENDED = 'E39'
export const OUT_OF_GAS = 'OUT_OF_GAS'
const CONTRACT_CODE = /^E\d\d$/

const fail: Transition = (at, { error }) => ended(at, 'FAILED', error)

const prepareAgain: Transition = (at, { error }, rules) => {
  if (at.retries >= rules.retriesMax) return ended(at, 'FAILED', error)
  const retries = at.retries + 1
  return { ...intend(at, 'PREPARE'), phase: 'PREPARING', retries, delayMs: retryDelayOf(rules, retries), error }
}

/**
 * No answer of a store is final: the window on the chain decides, and the connector tells when it is over. It sets the pace of
 * these results, so that nothing is lost by a wait here.
 */
const storeAgain: Transition = (at, { error }) => ({ ...intend(at, 'STORE'), phase: 'STORING', error })

const stored: Transition = (at, { cid }) => ({ ...intend(at, 'PREPARE'), phase: 'PREPARING', cid, error: '' })

export const ready: Transition = (at, result, rules) => ({
  ...at,
  phase: 'QUEUED',
  signer: result.signer,
  chainNonce: result.nonce,
  quote: clampFees(result, rules),
  error: '',
})

const refused: Transition = (at, result, rules) => {
  const { error } = result
  if (error === ALREADY_ENDED && at.call === 'END') return final(at, result, rules)
  if (PERMANENT.includes(error)) return fail(at, result, rules)
  if (error !== NOT_SEQUENCER) return prepareAgain(at, result, rules)
  return { ...intend(at, 'PREPARE'), phase: 'PREPARING', delayMs: rules.notSequencerDelayMs, error }
}

export const signed: Transition = (at, { rawTransaction, transactionHash }) => ({
  ...intend(at, 'SEND'),
  phase: 'SENDING',
  rawTransactions: [...at.rawTransactions.map((raw, i) => olderForm(at, raw, i)), rawTransaction],
  transactionHash,
})

/** A call is as long as its projects' names, and a stuck one is signed a hundred times on its way to the fee cap. */
const olderForm = ({ rawTransactions, transactionHash }: AnchorProgress, raw: string, i: number): string =>
  i === rawTransactions.length - 1 && raw.length > OLDER_FORM_CHARACTERS_MAX ? transactionHash : raw
/** Fillers have 240, so that they stay as they are. */
const OLDER_FORM_CHARACTERS_MAX = 1_024

export const mined: Transition = (at, { transactionHash, blockNumber, blockHash }) => ({
  ...at,
  phase: 'MINED',
  transactionHash,
  blockNumber,
  blockHash,
  error: '',
})

const final: Transition = (at, result) => {
  const next: AnchorProgress = { ...decidedIn(at, result), phase: 'FINAL', error: '' }
  return intend(next, isEnding(at.key) ? 'KEEP' : 'WATCH')
}

const late: Transition = (at, result) => {
  const next = decidedIn(ended(at, 'LATE', result.error || 'the batch submission window was over'), result)
  return next.blockHash === '' ? next : { ...next, step: 'KEEP' } // else it took no transaction
}

/** The transaction that became final, and its block. The data that is needed to send it again stays. */
export const decidedIn = (
  at: AnchorProgress,
  { transactionHash, blockNumber, blockHash }: AnchorResult,
): AnchorProgress => ({
  ...at,
  transactionHash,
  blockNumber,
  blockHash,
  rawTransactions: at.rawTransactions.map((raw) => (raw.length > KEPT_CHARACTERS_MAX ? transactionHash : raw)),
})
/** With `noncesKept` it bounds the memory for what may have to be sent again; a longer one is signed again instead. */
const KEPT_CHARACTERS_MAX = 65_536

/** The nonce is used up, but not by what it was for. Nothing of this batch can be mined any more: from the dry run again. */
const replan: Transition = (at, result, rules) => {
  // The call that a filler replaced was given up for a reason, which stays.
  if (result.error !== OUT_OF_GAS)
    return prepareAgain(withoutNonce(at), { ...result, error: result.error || at.error }, rules)
  return outOfGas(at, result, rules)
}

/** The limit was a node's word, and says nothing against the call: no retry is used up. */
const outOfGas: Transition = (at, { error }, rules) => ({
  ...intend(withShortage(withoutNonce(at), at), 'PREPARE'),
  phase: 'PREPARING',
  delayMs: retryDelayOf(rules, 1),
  error,
})

/**
 * The next dry run is told the limit that was not enough for `sent`, and asks for twice as much at least, until a transaction has no
 * more; then that is a failure.
 */
export const withShortage = (at: AnchorProgress, sent: AnchorProgress): AnchorProgress => ({
  ...at,
  quote: { ...at.quote, gasLimit: sent.quote.gasLimit },
})

/** Someone else used the nonce, which says nothing against the batch: it does not count as a failure. */
const nonceTaken: Transition = (at) => ({
  ...intend(withoutNonce(at), 'PREPARE'),
  phase: 'PREPARING',
  error: 'the nonce was used by another transaction of the signer',
})

/**
 * The nonce lies so far beyond the chain's that a node said a wrong one, which is no failure: the batch gets another nonce after a
 * new dry run, and a payout waits for its turn.
 */
export function givenBack(at: AnchorProgress, error: string): AnchorProgress {
  const next = withoutNonce(at)
  return isPayout(at.key) ? waitForTurn(next, error) : { ...intend(next, 'PREPARE'), phase: 'PREPARING', error }
}

/** A payout that needs another dry run: whose turn it is, payer.ts says. What the last dry run said is of another state. */
export const waitForTurn = (at: AnchorProgress, error: string): AnchorProgress => ({
  ...intend(at, 'DONE'),
  phase: 'WAITING',
  error,
  payout: { ...at.payout!, answer: null },
})

/** A nonce once assigned is used, or every later one would wait for ever: a transaction to oneself takes the place. */
export const fill = (
  at: AnchorProgress,
  { error }: Pick<AnchorResult, 'error'>,
  rules: AnchorRules,
): AnchorProgress => ({
  ...intend(at, 'SIGN'),
  phase: 'SIGNING',
  // A filler that cannot be signed means that the key is gone: the signature is asked for slowly, until the key is back.
  delayMs: at.call === 'FILL' && at.phase !== 'WAITING' ? rules.notSequencerDelayMs : 0,
  call: 'FILL',
  quote: clampFees(
    fillerQuote(at.rawTransactions.length > 0 ? (bumpFees(at.quote, at.quote, rules) ?? at.quote) : at.quote),
    rules,
  ),
  error,
})

/** Replaces a transaction that is not mined; a call that would only revert by now, or must not be made, becomes a filler. */
export const stuck: Transition = (at, result, rules) => {
  const quote = bumpFees(at.quote, result, rules)
  if (!quote)
    return { ...intend(at, 'SEND'), error: `not mined, and its fee is at the cap: ${rules.maxFeePerGasMax} wei` }
  const next: AnchorProgress = { ...intend(at, 'SIGN'), phase: 'SIGNING', quote, error: result.error }
  const isRefused = at.call === 'REWARD' ? result.error !== '' : CONTRACT_CODE.test(result.error)
  return isRefused ? { ...next, call: 'FILL', quote: fillerQuote(quote) } : next
}

export const reorged: Transition = (at) => ({
  ...intend(at, 'SEND'),
  phase: 'SENDING',
  blockNumber: NONE,
  blockHash: '',
})

/**
 * The chain went back behind what was final: the same transaction is sent again, with the same nonce. When its call cannot
 * be made now (`error`), the nonce is given up, to be filled, and it is decided anew what becomes of the batch.
 */
const takenBack: Transition = (at, { error }) => {
  const back = { ...backAtNothing(at), reorgs: at.reorgs + 1 }
  if (!isNone(at.nonce) && error === '') return sentAgain(back)
  const next = { ...withoutNonce(back), error }
  if (isEnding(at.key)) return { ...intend(next, 'DONE'), phase: 'WAITING' }
  return { ...intend(next, 'PREPARE'), phase: 'PREPARING' }
}

/** The last form may have left only its hash: then it is signed again, which gives the same bytes. */
export const sentAgain = (at: AnchorProgress): AnchorProgress =>
  isHash(at.rawTransactions.at(-1)!)
    ? { ...intend(at, 'SIGN'), phase: 'SIGNING' }
    : { ...intend(at, 'SEND'), phase: 'SENDING' }

export const backAtNothing = (at: AnchorProgress): AnchorProgress => ({
  ...at,
  retries: 0,
  blockNumber: NONE,
  blockHash: '',
  error: '',
  attestations: [],
  attested: false,
  diverged: false,
})

export const settled: Transition = (at) => intend(at, 'DONE')

const attested: Transition = (at, { attestation }, rules) => {
  const finalized = attestation === null || attestation.finalized
  const others = at.attestations.filter(({ validator }) => validator !== attestation?.validator)
  const attestations = attestation && others.length < rules.attestationsMax ? [...others, attestation] : at.attestations
  const next = { ...at, attestations, attested: at.attested || finalized }
  return next.attested ? intend(next, 'KEEP') : next
}

const diverged: Transition = (at) => ({ ...at, diverged: true })

const prepared = { READY: ready, ALREADY_ANCHORED: final, LATE: late, REVERTED: refused, FAILED: prepareAgain }
const concluded = { MINED: mined, FINAL: final, LATE: late, FILLED: replan, REVERTED: replan, NONCE_TAKEN: nonceTaken }
const sent = { ...concluded, STUCK: stuck, REJECTED: fill, FAILED: fill }

const TRANSITIONS: { readonly [P in AnchorPhase]?: { readonly [O in AnchorOutcome]?: Transition } } = {
  STORING: { STORED: stored, FAILED: storeAgain, LATE: late, REJECTED: fail },
  PREPARING: prepared,
  QUEUED: prepared, // a connector that started again repeats the dry run
  SIGNING: { SIGNED: signed, FAILED: fill },
  SENDING: sent,
  MINED: { ...sent, REORGED: reorged }, // a connector that started again may not know that it was mined once
  FINAL: { ATTESTED: attested, DIVERGED: diverged, SETTLED: settled, REORGED: takenBack },
  LATE: { SETTLED: settled, REORGED: takenBack },
}

/** A nonce without a batch needs any transaction in its place, whatever became of that one. */
const used: Transition = (at, result) => ({ ...intend(decidedIn(at, result), 'KEEP'), phase: 'FINAL', error: '' })

/** With the same filler when it had one. Anything else was a call, which is not to be made any more. */
const usedAgain: Transition = (at, result, rules) => {
  const back = backAtNothing(at)
  return at.call === 'FILL' && at.rawTransactions.length > 0 ? sentAgain(back) : fill(back, result, rules)
}

const usedUp = { FINAL: used, LATE: used, FILLED: used, REVERTED: used, NONCE_TAKEN: used }

const NONCE_TRANSITIONS: typeof TRANSITIONS = {
  SIGNING: { SIGNED: signed, FAILED: fill },
  SENDING: { ...usedUp, STUCK: stuck, REJECTED: fill, FAILED: fill },
  FINAL: { SETTLED: settled, REORGED: usedAgain },
}

/** The progress after a result; the same object when the result is stale, repeated, or means nothing in this phase. */
export function applyResult(at: AnchorProgress, result: AnchorResult, rules: AnchorRules): AnchorProgress {
  if (result.attempt !== at.attempt || result.step !== at.step) return at
  const transitions = isNonceOnly(at.key) ? NONCE_TRANSITIONS : TRANSITIONS
  return transitions[at.phase]?.[result.outcome]?.(at, result, rules) ?? at
}

/** The outcome is decided, unless the chain goes back. */
export const hasEnded = ({ phase }: AnchorProgress): boolean => ENDED.includes(phase)
const ENDED: readonly AnchorPhase[] = ['FINAL', 'LATE', 'FAILED']

/**
 * The next intent in force. An offer that gets no nonce ends here: to another dry run it would say that so much gas was not enough.
 */
export const intend = (at: AnchorProgress, step: AnchorStep): AnchorProgress => ({
  ...at,
  quote: at.phase === 'QUEUED' && step !== 'SIGN' ? NO_TRANSACTION.quote : at.quote,
  step,
  attempt: at.attempt + 1,
  delayMs: 0,
})

const isHash = (form: string): boolean => form.length === HASH_CHARACTERS
const HASH_CHARACTERS = 66

const ended = (at: AnchorProgress, phase: 'LATE' | 'FAILED', error: string): AnchorProgress => ({
  ...intend(at, 'DONE'),
  phase,
  error,
})

const fillerQuote = (quote: AnchorQuote): AnchorQuote => ({ ...quote, gasLimit: FILLER_GAS })

export const withoutNonce = (at: AnchorProgress): AnchorProgress => ({
  ...at,
  call: isEnding(at.key) ? 'END' : isPayout(at.key) ? 'REWARD' : 'SUBMIT',
  ...NO_TRANSACTION,
})
