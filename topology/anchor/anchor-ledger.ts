/**
 * The ledger of nonces: each that was assigned has somebody, until its block lies deeper than reorganisations reach. Mostly
 * that is the batch or the ending that it was assigned for; a nonce that those gave up stands under a key of its own.
 */

import { nonceKey } from '../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorProgress, AnchorResult } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import type { AnchorRules } from '../anchor-rules.ts'
import { newProgress } from './anchor-records.ts'
import { fill, intend } from './anchor-transitions.ts'

/** Nonces of one gap that are filled at once; what is left of it is found again. */
const GAP_MAX = 16

export interface NonceLedgerPorts {
  readonly progress: ScopedStore<AnchorProgress>
  readonly rules: AnchorRules
  /** Lowest nonce of the signer that was never assigned; undefined when none was. */
  readonly nextNonce: (signer: string) => number | undefined
  readonly advance: (before: AnchorProgress | undefined, after: AnchorProgress) => void
}

export function createNonceLedger({ progress, rules, nextNonce, advance }: NonceLedgerPorts) {
  const entryOf = (signer: string, nonce: number): AnchorProgress => ({
    ...newProgress(nonceKey(signer, nonce)),
    call: 'FILL',
    signer,
    nonce,
  })

  const holders = function* (): Generator<AnchorProgress> {
    for (const scope of [...progress.scopes()])
      for (const [, entry] of progress.entries(scope)) if (entry.nonce >= 0) yield entry
  }

  return {
    /** The nonce of `before` is used up by what the result tells, without what it was for. */
    keepUsed(before: AnchorProgress, { transactionHash, blockNumber, blockHash }: AnchorResult): void {
      if (blockHash === '') return // taken by somebody else, where nobody knows; a gap when the chain goes back behind it
      const { signer, nonce, call, quote, rawTransactions } = before
      const where = { transactionHash, blockNumber, blockHash }
      const entry = { ...entryOf(signer, nonce), call, quote, rawTransactions, ...where, phase: 'FINAL' } as const
      advance(undefined, intend(entry, 'KEEP'))
    },

    /** `before` gives its nonce up, which may be in no block by now: a filler takes it. */
    fillAgain(before: AnchorProgress, error: string): void {
      const { signer, nonce, call, quote, rawTransactions, transactionHash } = before
      const entry = { ...entryOf(signer, nonce), call, quote, rawTransactions, transactionHash }
      advance(undefined, fill(entry, { error }, rules))
    },

    /** Nobody has a transaction for the nonce: fillers for it, and those behind it that nobody has either. */
    fillGap({ dataMarket: signer, epochId: first }: AnchorKey, result: AnchorResult): void {
      const held = new Set<number>()
      for (const entry of holders()) if (entry.signer === signer) held.add(entry.nonce)
      const end = Math.min(nextNonce(signer) ?? 0, first + GAP_MAX)
      const { maxFeePerGas, maxPriorityFeePerGas } = result
      const quote = { gasLimit: 0, maxFeePerGas, maxPriorityFeePerGas }
      for (let nonce = first; nonce < end && !held.has(nonce); nonce++)
        advance(undefined, fill({ ...entryOf(signer, nonce), quote }, result, rules))
    },

    /** At most `noncesKept` of a signer are kept after they are final. Returns whose are not any more. */
    forgetOldest(): AnchorKey[] {
      const old: AnchorKey[] = []
      for (const entry of holders()) {
        if (entry.step !== 'KEEP' || entry.nonce >= nextNonce(entry.signer)! - rules.noncesKept) continue
        advance(entry, intend(entry, 'DONE'))
        old.push(entry.key)
      }
      return old
    },
  }
}
