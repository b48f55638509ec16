/** The one place where the state of a batch, an ending or a payout changes, with all that is told of the change. */
import { isPayout } from '../../schemas/anchor-keys.ts'
import type { Anchor, AnchorIntent, AnchorKey, AnchorProgress, Payment, PaymentKey } from '../../schemas/types.ts'
import type { ProcessorContext } from '../../streams/processor.ts'
import type { ScopedStore } from '../../streams/store.ts'
import { epochScope } from '../topics.ts'
import type { NonceQueue } from './anchor-queue.ts'
import { intentOf, newRows } from './anchor-records.ts'
import { intend } from './anchor-transitions.ts'
import { newPayments, paymentKey, payoutScope } from './payer-records.ts'

export type AnchorOutputs = {
  readonly intents: readonly [AnchorKey, AnchorIntent]
  readonly anchors: readonly [AnchorKey, Anchor]
  readonly payments: readonly [PaymentKey, Payment]
}

export interface Register {
  read(key: AnchorKey): AnchorProgress | undefined
  /** Stores the next state, and sends what is new about it. */
  advance(before: AnchorProgress | undefined, after: AnchorProgress): void
  /** Gives a nonce to those whose turn it is. */
  assignNonces(): void
}

export function createRegister(
  { outputs: { intents, anchors, payments } }: Pick<ProcessorContext<AnchorOutputs>, 'outputs'>,
  progress: ScopedStore<AnchorProgress>,
  queue: NonceQueue,
): Register {
  const read = (key: AnchorKey): AnchorProgress | undefined => progress.get(scopeOf(key), `${key.batchIndex}`)

  const advance = (before: AnchorProgress | undefined, after: AnchorProgress): void => {
    const { key } = after
    progress.put(scopeOf(key), `${key.batchIndex}`, after)
    if (after.attempt !== (before?.attempt ?? 0)) intents.send(key, intentOf(after))
    if (isPayout(key)) for (const row of newPayments(before, after)) payments.send(paymentKey(after), row)
    else for (const row of newRows(before, after)) anchors.send(key, row)
    if (after.phase === 'QUEUED' && before?.phase !== 'QUEUED') queue.append(key)
    queue.track(after)
  }

  const assignNonces = (): void => {
    for (;;) {
      const next = queue.takeNext(read)
      if (!next) return
      advance(next, { ...intend(next, 'SIGN'), phase: 'SIGNING', nonce: queue.assignNonce(next) })
    }
  }

  return { read, advance, assignNonces }
}

const scopeOf = (key: AnchorKey): string => (isPayout(key) ? payoutScope(key) : epochScope(key.dataMarket, key.epochId))
