/** The first state of an anchor, and the rows that the anchor stage writes about it. */

import { isNonceOnly } from '../../schemas/anchor-keys.ts'
import { NONE } from '../../schemas/none.ts'
import type { Anchor, AnchorIntent, AnchorKey, AnchorProgress, Batch, PayoutOrder } from '../../schemas/types.ts'

/** Before a nonce is assigned, and after it was given up. */
export const NO_TRANSACTION = {
  nonce: NONE,
  quote: { gasLimit: 0, maxFeePerGas: '0', maxPriorityFeePerGas: '0' },
  rawTransactions: [],
  transactionHash: '',
  blockNumber: NONE,
  blockHash: '',
} as const satisfies Partial<AnchorProgress>

/** The nonce is assigned, and in no block yet: it takes one of the `noncesInFlightMax` places. */
export const isUnmined = ({ phase }: Pick<AnchorProgress, 'phase'>): boolean =>
  phase === 'SIGNING' || phase === 'SENDING'

export const newProgress = (key: AnchorKey, batch?: Batch): AnchorProgress => ({
  key,
  phase: 'WAITING',
  step: 'DONE',
  call: batch ? 'SUBMIT' : 'END',
  attempt: 0,
  delayMs: 0,
  retries: 0,
  batchOffset: NONE,
  batches: 0,
  cid: '',
  roothash: batch?.roothash ?? '',
  finalizedCidsRootHash: batch?.finalizedCidsRootHash ?? '',
  signer: '',
  chainNonce: NONE,
  ...NO_TRANSACTION,
  error: '',
  attestations: [],
  attested: false,
  diverged: false,
  reorgs: 0,
  payout: null,
})

export function intentOf(at: AnchorProgress): AnchorIntent {
  const { step, attempt, call, delayMs, batchOffset, cid, finalizedCidsRootHash, signer, nonce, blockNumber } = at
  const { blockHash, quote } = at
  const head = { step, attempt, call, delayMs, batchOffset, cid, finalizedCidsRootHash, signer, nonce, blockNumber }
  return { ...head, ...quote, blockHash, rawTransactions: formsFor(at), payout: orderOf(at) }
}

function orderOf({ payout }: AnchorProgress): PayoutOrder | null {
  if (!payout) return null
  const { firstOffset, quota, afterBlock, afterHash, answer } = payout
  const about = { firstOffset, quota, afterBlock, afterHash }
  if (!answer) return { ...about, slots: Buffer.alloc(0), eligibleNodes: 0, contractQuota: 0, numberFound: false }
  const { quota: heldTo, slots, eligibleNodes, contractQuota, numberFound } = answer
  return { ...about, quota: heldTo, slots, eligibleNodes, contractQuota, numberFound }
}

function formsFor({ step, rawTransactions, transactionHash }: AnchorProgress): readonly string[] {
  if (step === 'DONE') return []
  const isMined = step === 'WATCH' || step === 'KEEP'
  return isMined ? [transactionHash].filter((hash) => hash !== '') : rawTransactions
}

/** The rows of the register for a step. Nonces without a batch are not in it. */
export function newRows(before: AnchorProgress | undefined, after: AnchorProgress): Anchor[] {
  if (isNonceOnly(after.key)) return []
  return changedRows(before, after, rowOf, { state: 'REORGED' })
}

/**
 * The row of what is next, behind one with `reorged` when the chain went back behind what was final; none when the row before says
 * the same.
 */
export function changedRows<R>(
  before: AnchorProgress | undefined,
  after: AnchorProgress,
  rowOf: (at: AnchorProgress) => R,
  reorged: Partial<R>,
): R[] {
  const row = rowOf(after)
  const isQuiet = after.step === 'KEEP' || after.step === 'DONE' // another intent, and nothing to tell
  const known = before && rowOf(isQuiet ? { ...before, attempt: after.attempt } : before)
  if (JSON.stringify(row) === JSON.stringify(known)) return []
  return before && after.reorgs > before.reorgs ? [{ ...row, ...reorged }, row] : [row]
}

function rowOf(at: AnchorProgress): Anchor {
  const { batchOffset, cid, roothash, finalizedCidsRootHash, nonce, attempt, transactionHash } = at
  const { blockNumber, blockHash, error, attestations, attested, diverged, reorgs } = at
  const identity = { batchOffset, cid, roothash, finalizedCidsRootHash, nonce, attempts: attempt }
  const state = stateOf(at)
  const where = { transactionHash, blockNumber, blockHash }
  return { state, ...identity, ...where, error, attestations, attested, diverged, reorgs }
}

function stateOf({ phase, cid, rawTransactions }: AnchorProgress): Anchor['state'] {
  switch (phase) {
    case 'WAITING':
    case 'STORING':
    case 'PREPARING':
      return cid === '' ? 'PLANNED' : 'STORED'
    case 'QUEUED':
      return 'READY'
    case 'SIGNING':
    case 'SENDING':
      return rawTransactions.length === 0 ? 'READY' : 'SENT'
    default:
      return phase
  }
}
