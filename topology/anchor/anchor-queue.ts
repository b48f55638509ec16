import type { AnchorKey, AnchorProgress, NonceWindow } from '../../schemas/types.ts'
import type { OutputTypes, ProcessorContext } from '../../streams/processor.ts'
import type { AnchorRules } from '../anchor-rules.ts'
import type { AnchorStores } from '../anchor-stores.ts'

const ROW = 'window'
const EMPTY: NonceWindow = { inFlight: [], first: 0, next: 0 }

/**
 * Nonces are assigned as late as possible, first ready first served, and at most `noncesInFlightMax` at a time, so that a
 * call that turns out to be impossible holds up few others. A key holds its place from the assignment until it is mined.
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
      waiting.put(`${now.next}`, key)
      window.put(ROW, { ...now, next: now.next + 1 })
    },

    /** Keeps count of who is in flight. */
    track({ key, phase }: AnchorProgress): void {
      const now = read()
      const id = `${key.dataMarket}/${key.epochId}/${key.batchIndex}`
      const holds = phase === 'SIGNING' || phase === 'SENDING'
      if (holds === now.inFlight.includes(id)) return
      const inFlight = holds ? [...now.inFlight, id] : now.inFlight.filter((other) => other !== id)
      window.put(ROW, { ...now, inFlight })
    },

    /** The first that still waits, when there is room for it. Entries whose key is elsewhere by now are dropped. */
    takeNext(progressOf: (key: AnchorKey) => AnchorProgress | undefined): AnchorProgress | undefined {
      for (;;) {
        const now = read()
        if (now.first === now.next || now.inFlight.length >= rules.noncesInFlightMax) return undefined
        const key = waiting.get(`${now.first}`)
        waiting.delete(`${now.first}`)
        window.put(ROW, { ...now, first: now.first + 1 })
        const progress = key && progressOf(key)
        if (progress?.phase === 'QUEUED') return progress
      }
    },

    nextNonce: (signer: string): number | undefined => nonces.get(signer)?.next,

    /** The chain is ahead only when someone else used the key; then there is no way but to follow. */
    assignNonce({ signer, chainNonce }: AnchorProgress): number {
      const nonce = Math.max(nonces.get(signer)?.next ?? 0, chainNonce)
      nonces.put(signer, { next: nonce + 1 })
      return nonce
    },
  }
}
