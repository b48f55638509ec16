import { type Clock, LogError } from '../../../streams/ports.ts'

const WAIT_MS_FIRST = 5
const WAIT_MS_MOST = 200

export interface AttemptLimits {
  readonly clock: Clock
  /** No attempt begins later than this after the first. */
  readonly limitMs: number
  readonly signal?: AbortSignal
  /** Whether to repeat also what may have happened already: only what may happen twice. */
  readonly evenIfUnanswered: boolean
}

/**
 * Repeats a step while it fails with a retriable `LogError`, with waits that double from 5 ms to 200 ms.
 * @param step is told the number of the attempt, from 0
 * @param onFailure called before the next attempt, to look up again what was stale
 * @returns what the step returns; rejects with its last error
 */
export async function attempts<T>(
  { clock, limitMs, signal, evenIfUnanswered }: AttemptLimits,
  step: (attempt: number) => Promise<T>,
  onFailure: (error: LogError) => void = () => {},
): Promise<T> {
  const end = clock.now() + limitMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await step(attempt)
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error
      if ((error.indefinite && !evenIfUnanswered) || signal?.aborted || clock.now() >= end) throw error
      onFailure(error)
      await clock.sleep(Math.min(WAIT_MS_FIRST * 2 ** attempt, WAIT_MS_MOST), signal)
    }
  }
}
