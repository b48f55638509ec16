/** Tries a step of an effect again, until its failure is one that no time mends. */
import { type BackOff, doubling, repeated } from '../../../streams/back-off.ts'
import { type Clock, LogError } from '../../../streams/ports.ts'
import { EvmError } from '../errors.ts'
import { BatchGone } from './anchor-batches.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { NotForLong, NotYet } from './anchor-result.ts'

/** Tries until it does not fail for an outage, or for what is not definite yet. */
export type Persist = <T>(step: string, until: AbortSignal, action: () => Promise<T>) => Promise<T>

export function createPersist({ backoffMs, backoffMsMax, pollMs, observer }: AnchorSettings, clock: Clock): Persist {
  const outageMs = doubling({ firstMs: backoffMs, mostMs: backoffMsMax })
  const pauseMs: BackOff = (failures, error) =>
    error instanceof NotYet && !(error instanceof NotForLong) ? pollMs : outageMs(failures)
  return (step, until, action) => {
    const failed = (error: unknown, ms: number): void => observer?.waiting?.(step, error as Error, ms)
    return repeated({ clock, signal: until, pauseMs, mayPass, failed }, async () => {
      until.throwIfAborted()
      return await action()
    })
  }
}

/** An outage, or an answer that is not definite yet. All failures of a node may pass (the others are found at the start). */
function mayPass(error: unknown): boolean {
  if (error instanceof NotYet) return true
  if (error instanceof EvmError) return error.code !== 'FENCED' && error.code !== 'SIGNER_KEY'
  if (error instanceof LogError) return error.retriable
  return (error as { retriable?: unknown }).retriable === true
}

/** The log failed, or the role is lost: no fault of what an intent says. */
export const endsSession = (error: unknown): boolean => error instanceof LogError || error instanceof EvmError

/** The step can never be done: its answer is FAILED. */
export const isDefinite = (error: unknown): boolean =>
  error instanceof BatchGone || (!endsSession(error) && (error as { retriable?: unknown }).retriable === false)
