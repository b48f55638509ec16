/** When the call is made that ends an epoch's batches, and when it is held back again. */

import { END_OF_BATCHES, isEnding } from '../../schemas/anchor-keys.ts'
import { isNone } from '../../schemas/none.ts'
import type { AnchorKey, AnchorProgress, AnchorResult } from '../../schemas/types.ts'
import { hasEnded, intend, withoutNonce } from './anchor-transitions.ts'

const NOT_FINAL = 'a batch of its epoch is not final any more'

export interface EndingsPorts {
  readonly read: (key: AnchorKey) => AnchorProgress | undefined
  readonly advance: (before: AnchorProgress, after: AnchorProgress) => void
  /** A filler takes its nonce. */
  readonly giveUpNonce: (of: AnchorProgress, error: string) => void
}

export function createEndings({ read, advance, giveUpNonce }: EndingsPorts) {
  const endingOf = (key: AnchorKey): AnchorProgress | undefined => read({ ...key, batchIndex: END_OF_BATCHES })

  const batchesEnded = ({ key, batches }: AnchorProgress): boolean => {
    for (let batchIndex = 0; batchIndex < batches; batchIndex++) {
      const batch = read({ ...key, batchIndex })
      if (!batch || !hasEnded(batch)) return false
    }
    return true
  }

  return {
    /** An ending that left the chain together with batches of its epoch waits for them again. */
    fitting: (before: AnchorProgress, result: AnchorResult): AnchorResult =>
      result.outcome === 'REORGED' && isEnding(before.key) && !batchesEnded(before)
        ? { ...result, error: NOT_FINAL }
        : result,

    /** A batch is not final any more: an ending that is not final must not come before it. */
    hold({ key }: AnchorProgress): void {
      const ending = endingOf(key)
      if (isEnding(key) || !ending || ending.phase === 'WAITING' || hasEnded(ending)) return
      advance(ending, { ...intend(withoutNonce(ending), 'DONE'), phase: 'WAITING' })
      if (!isNone(ending.nonce)) giveUpNonce(ending, NOT_FINAL)
    },

    /** Once every batch has ended. */
    prepareWhenDue(key: AnchorKey): void {
      const ending = endingOf(key)
      if (ending?.phase === 'WAITING' && batchesEnded(ending))
        advance(ending, { ...intend(ending, 'PREPARE'), phase: 'PREPARING' })
    },
  }
}
