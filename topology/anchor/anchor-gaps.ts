/** A nonce that nobody has a transaction for, and that later ones of ours wait for. */

import { isNonceOnly } from '../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorProgress, AnchorResult } from '../../schemas/types.ts'
import { entryOf, holders, type NonceLedgerPorts } from './anchor-ledger.ts'
import { isUnmined } from './anchor-records.ts'
import { fill, givenBack, intend } from './anchor-transitions.ts'

/** Nonces of one gap that are filled. A wider one was made by a wrong word: what lies behind it is given back. */
const GAP_MAX = 16
/** Fillers of one signer among the nonces that are kept; with so many, narrower gaps are given back as well. */
const FILLERS_MAX = 64

export interface GapPorts extends NonceLedgerPorts {
  /** Nonces from `first` on are free again. */
  readonly giveBack: (signer: string, first: number) => void
}

export function createGapCloser({ progress, rules, nextNonce, giveBack, advance }: GapPorts) {
  /** Nothing behind the gap can be in a block, unless the word about the gap was the wrong one: then nothing is done. */
  const retreat = (signer: string, first: number, behind: readonly AnchorProgress[]): AnchorKey[] => {
    if (!behind.every(isUnmined)) return []
    giveBack(signer, first)
    for (const scope of [...progress.scopes()])
      for (const [, entry] of [...progress.entries(scope)])
        if (entry.phase === 'QUEUED' && entry.signer === signer && entry.chainNonce > first)
          advance(entry, { ...entry, chainNonce: first })
    for (const one of behind.toSorted((a, b) => a.nonce - b.nonce)) {
      const error = `nonce ${one.nonce} was given back: the chain is at ${first}`
      advance(one, isNonceOnly(one.key) ? { ...intend(one, 'DONE'), phase: 'FAILED' } : givenBack(one, error))
    }
    return behind.map(({ key }) => key)
  }

  /**
   * Nobody has a transaction for the nonce, and later ones of ours wait for it: fillers take it, and those behind it that
   * nobody has either. A nonce beyond a gap that is too wide for that would wait for ever: it is given back. Returns the keys of
   * what was.
   */
  return ({ dataMarket: signer, epochId: first }: AnchorKey, result: AnchorResult): AnchorKey[] => {
    const entries = [...holders(progress)].filter((entry) => entry.signer === signer)
    const held = new Set(entries.map(({ nonce }) => nonce))
    const end = nextNonce(signer) ?? 0
    if (held.has(first) || first >= end) return []
    const behind = entries.filter(({ nonce }) => nonce > first)
    const next = behind.reduce((min, { nonce }) => Math.min(min, nonce), end)
    const fillers = entries.filter(({ key, call }) => isNonceOnly(key) && call === 'FILL')
    if (next - first > GAP_MAX || fillers.length + next - first > FILLERS_MAX) return retreat(signer, first, behind)
    const { maxFeePerGas, maxPriorityFeePerGas } = result
    const quote = { gasLimit: 0, maxFeePerGas, maxPriorityFeePerGas }
    for (let nonce = first; nonce < next; nonce++)
      advance(undefined, fill({ ...entryOf(signer, nonce), quote }, result, rules))
    return []
  }
}
