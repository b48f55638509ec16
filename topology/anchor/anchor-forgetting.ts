/** When nothing more is awaited of an epoch, and when what is known of it is dropped. */
import { END_OF_BATCHES, isNonceOnly, isPayout } from '../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorProgress } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import { epochScope } from '../topics.ts'
import type { Register } from './anchor-register.ts'
import { hasEnded, intend } from './anchor-transitions.ts'

export interface ForgettingPorts extends Pick<Register, 'read' | 'advance'> {
  readonly progress: ScopedStore<AnchorProgress>
  readonly dropPayout: (key: AnchorKey) => void
}

export function createForgetting({ progress, read, advance, dropPayout }: ForgettingPorts) {
  const dropWhenDone = (key: AnchorKey): void => {
    if (isPayout(key)) {
      dropPayout(key)
      return
    }
    const { dataMarket, epochId } = key
    const scope = epochScope(dataMarket, epochId)
    if (isNonceOnly(key) && read(key)?.step === 'DONE') progress.dropScope(scope) // it is all that the scope holds
    const ending = read({ dataMarket, epochId, batchIndex: END_OF_BATCHES })
    if (!ending || progress.sizeOf(scope) !== ending.batches + 1) return
    for (const [, entry] of progress.entries(scope)) if (entry.step !== 'DONE' || !hasEnded(entry)) return
    progress.dropScope(scope)
  }

  /**
   * Attestations that have not come by then are not waited for. It goes by endings that are final: while nothing gets to the
   * chain, or no node is there, epochs are cut all the same, and nobody has looked for attestations.
   */
  const stopWatching = (dataMarket: string, epochMax: number): void => {
    for (const scope of [...progress.scopes()]) {
      const entries = [...progress.entries(scope)].map(([, value]) => value)
      const { key } = entries[0] ?? {}
      if (!key || key.dataMarket !== dataMarket || key.epochId > epochMax) continue
      for (const entry of entries)
        if (entry.phase === 'FINAL' && entry.step === 'WATCH') advance(entry, intend(entry, 'KEEP'))
      dropWhenDone(key)
    }
  }

  return { stopWatching, dropWhenDone }
}
