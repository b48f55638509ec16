/** Notices that nothing gets to the chain any more, whatever the signer's nonce does. */
import { isNonceOnly } from '../../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import type { Clock } from '../../../streams/ports.ts'
import { type IntentChange, textOf } from './anchor-intents.ts'

/** A call got into a block, or it is decided that it will not: that much got on. */
const PROGRESS: readonly AnchorResult['outcome'][] = ['MINED', 'FINAL', 'ALREADY_ANCHORED', 'LATE']

export interface AnchorProgressWatch {
  take(change: IntentChange): void
  concluded(key: AnchorKey, result: AnchorResult): void
  /** Time in which no call got on while calls wait, ms, 0 when none waits; then those calls, in words. */
  idle(): { readonly ms: number; readonly words: string }
}

/** Fillers are no progress: with them a nonce moves while no batch does. */
export function createProgressWatch(clock: Clock): AnchorProgressWatch {
  const waiting = new Map<string, AnchorKey>()
  let since = 0
  return {
    take({ key, intent: { step } }) {
      if (isNonceOnly(key)) return
      if (step === 'WATCH' || step === 'KEEP' || step === 'DONE') {
        if (waiting.delete(textOf(key))) since = clock.now()
        return
      }
      if (waiting.size === 0) since = clock.now()
      waiting.set(textOf(key), key)
    },
    concluded(key, { outcome }) {
      if (PROGRESS.includes(outcome) && waiting.delete(textOf(key))) since = clock.now()
    },
    idle() {
      const [first] = waiting.values()
      if (!first) return { ms: 0, words: '' }
      const ms = clock.now() - since
      const { epochId, dataMarket } = first
      const seconds = Math.round(ms / 1000)
      const words = `nothing is anchored since ${seconds} s, and ${waiting.size} calls wait, of epoch ${epochId} of ${dataMarket} first`
      return { ms, words }
    },
  }
}
