/**
 * The ledger of nonces: each that was assigned has somebody, until its block lies deeper than reorganisations reach. Mostly
 * that is the batch or the ending that it was assigned for; a nonce that those gave up stands under a key of its own.
 */

import { nonceKey } from '../../schemas/anchor-keys.ts'
import { isNone } from '../../schemas/none.ts'
import type { AnchorKey, AnchorProgress, AnchorResult } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import type { AnchorRules } from '../anchor-rules.ts'
import { newProgress } from './anchor-records.ts'
import { fill, intend } from './anchor-transitions.ts'

export interface NonceLedgerPorts {
  readonly progress: ScopedStore<AnchorProgress>
  readonly rules: AnchorRules
  /** Lowest nonce of the signer that was never assigned; undefined when none was. */
  readonly nextNonce: (signer: string) => number | undefined
  readonly advance: (before: AnchorProgress | undefined, after: AnchorProgress) => void
}

export function createNonceLedger({ progress, rules, nextNonce, advance }: NonceLedgerPorts) {
  /** Another transaction used the nonce of `before`; keeps that one. */
  const keepUsed = (before: AnchorProgress, { transactionHash, blockNumber, blockHash }: AnchorResult): void => {
    if (blockHash === '') return // taken by somebody else, where nobody knows; a gap when the chain goes back behind it
    const { signer, nonce, call, quote, rawTransactions } = before
    const where = { transactionHash, blockNumber, blockHash }
    const entry = { ...entryOf(signer, nonce), call, quote, rawTransactions, ...where, phase: 'FINAL' } as const
    advance(undefined, intend(entry, 'KEEP'))
  }

  /** `before` gives its nonce up, which may be in no block by now: a filler takes it. */
  const fillAgain = (before: AnchorProgress, error: string): void => {
    const { signer, nonce, call, quote, rawTransactions, transactionHash } = before
    const entry = { ...entryOf(signer, nonce), call, quote, rawTransactions, transactionHash }
    advance(undefined, fill(entry, { error }, rules))
  }

  return {
    fillAgain,

    /** By the result, `after` may have left the nonce that `before` had: then it has somebody all the same. */
    keepNonce(before: AnchorProgress, after: AnchorProgress, result: AnchorResult): void {
      if (isNone(before.nonce) || !isNone(after.nonce)) return
      if (result.outcome === 'REORGED') fillAgain(before, after.error)
      else keepUsed(before, result)
    },

    /** At most `noncesKept` of a signer are kept after they are final. Returns whose are not any more. */
    forgetOldest(): AnchorKey[] {
      const old: AnchorKey[] = []
      for (const entry of holders(progress)) {
        if (entry.step !== 'KEEP' || entry.nonce >= nextNonce(entry.signer)! - rules.noncesKept) continue
        advance(entry, intend(entry, 'DONE'))
        old.push(entry.key)
      }
      return old
    },
  }
}

/** A nonce that is nobody's but its own. */
export const entryOf = (signer: string, nonce: number): AnchorProgress => ({
  ...newProgress(nonceKey(signer, nonce)),
  call: 'FILL',
  signer,
  nonce,
})

/** All that have a nonce. */
export function* holders(progress: ScopedStore<AnchorProgress>): Generator<AnchorProgress> {
  for (const scope of [...progress.scopes()])
    for (const [, entry] of progress.entries(scope)) if (!isNone(entry.nonce)) yield entry
}
