import { isPayout, NONCE_MAX } from '../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorProgress, NonceWindow } from '../../schemas/types.ts'
import type { OutputTypes, ProcessorContext } from '../../streams/processor.ts'
import type { AnchorRules } from '../anchor-rules.ts'
import type { AnchorStores } from '../anchor-stores.ts'
import { isUnmined } from './anchor-records.ts'

const ROW = 'window'
const EMPTY: NonceWindow = { inFlight: [], first: 0, next: 0, payouts: [], passed: 0 }

/** While a payout waits, it gets one in so many nonces: a day has its time, and batches have no end. */
export const NONCES_PER_PAYOUT = 8

export type NonceQueue = ReturnType<typeof createNonceQueue>

/**
 * Nonces are assigned as late as possible, first ready first served, and at most `noncesInFlightMax` at a time, so that a
 * call that turns out to be impossible holds up few others. A key holds its place from the assignment until it is mined.
 * Batches and endings go before payouts.
 */
export function createNonceQueue<O extends OutputTypes>(
  context: ProcessorContext<O>,
  stores: AnchorStores,
  rules: AnchorRules,
) {
  const nonces = context.store(stores.nonces)
  const window = context.store(stores.window)
  const waiting = context.store(stores.queue)
  const read = (): NonceWindow => window.get(ROW) ?? EMPTY

  return {
    /** Puts a key at the end. */
    append(key: AnchorKey): void {
      const now = read()
      if (isPayout(key)) {
        window.put(ROW, { ...now, payouts: [...now.payouts, key] })
        return
      }
      waiting.put(`${now.next}`, key)
      window.put(ROW, { ...now, next: now.next + 1 })
    },

    /** Keeps count of who is in flight. */
    track({ key, phase }: AnchorProgress): void {
      const now = read()
      const id = `${key.dataMarket}/${key.epochId}/${key.batchIndex}`
      const holds = isUnmined({ phase })
      if (holds === now.inFlight.includes(id)) return
      const inFlight = holds ? [...now.inFlight, id] : now.inFlight.filter((other) => other !== id)
      window.put(ROW, { ...now, inFlight })
    },

    /** The first that still waits, when there is room for it. Entries whose key is elsewhere by now are dropped. */
    takeNext(progressOf: (key: AnchorKey) => AnchorProgress | undefined): AnchorProgress | undefined {
      for (;;) {
        const now = read()
        if (now.inFlight.length >= rules.noncesInFlightMax) return undefined
        const [payout, ...payouts] = now.payouts
        const isTurnOfPayout = now.first === now.next || now.passed >= NONCES_PER_PAYOUT
        if (payout && (isTurnOfPayout || !isQueued(progressOf(payout)))) {
          const progress = progressOf(payout)
          window.put(ROW, { ...now, payouts, passed: isQueued(progress) ? 0 : now.passed })
          if (isQueued(progress)) return progress
          continue
        }
        if (now.first === now.next) return undefined
        const key = waiting.get(`${now.first}`)
        waiting.delete(`${now.first}`)
        const progress = key && progressOf(key)
        const passed = payout && isQueued(progress) ? now.passed + 1 : now.passed
        window.put(ROW, { ...now, first: now.first + 1, passed })
        if (isQueued(progress)) return progress
      }
    },

    nextNonce: (signer: string): number | undefined => nonces.get(signer)?.next,

    /** The chain is ahead only when someone else used the key; then there is no way but to follow, if it can be true. */
    assignNonce({ signer, chainNonce }: AnchorProgress): number {
      const nonce = Math.max(nonces.get(signer)?.next ?? 0, chainNonce > NONCE_MAX ? 0 : chainNonce)
      nonces.put(signer, { next: nonce + 1 })
      return nonce
    },

    /** Nonces from this one on are free again. */
    giveBack: (signer: string, first: number): void => nonces.put(signer, { next: first }),
  }
}

const isQueued = (progress: AnchorProgress | undefined): progress is AnchorProgress => progress?.phase === 'QUEUED'
