import { doubling, repeated } from '../../../streams/back-off.ts'
import { type Clock, LogError } from '../../../streams/ports.ts'

const pauseMs = doubling({ firstMs: 5, mostMs: 200 })

export interface AttemptLimits {
  readonly clock: Clock
  /** No attempt begins later than this after the first. */
  readonly limitMs: number
  readonly signal?: AbortSignal
  /** True when a request that may have been done already is repeated: only where it may be done twice. */
  readonly evenIfUnanswered: boolean
}

/**
 * Repeats a step while it fails with a retriable `LogError`, with waits that double from 5 ms to 200 ms.
 * @param step is told the number of the attempt, from 0
 * @param onFailure called before the next attempt, to look up again what was stale
 * @returns the result of the step; rejects with its last error
 */
export function attempts<T>(
  { clock, limitMs, signal, evenIfUnanswered }: AttemptLimits,
  step: (attempt: number) => Promise<T>,
  onFailure: (error: LogError) => void = () => {},
): Promise<T> {
  const end = clock.now() + limitMs
  const mayPass = (error: unknown): boolean => {
    if (!(error instanceof LogError) || !error.retriable || (error.indefinite && !evenIfUnanswered)) return false
    return clock.now() < end
  }
  return repeated({ clock, signal, pauseMs, mayPass, failed: (error) => onFailure(error as LogError) }, step)
}
