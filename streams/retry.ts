import { type Clock, LogError } from './ports.ts'
import type { Trouble } from './trouble.ts'

const FIRST_MS = 10
const MOST_MS = 2_000
/** With the waits above about two minutes: longer than a broker's failover, shorter than an operator's patience. */
const ATTEMPTS_MAX = 60

/** Waits before attempt `attempt` + 1, twice as long each time. */
export const backOff = (clock: Clock, attempt: number, signal?: AbortSignal): Promise<void> =>
  clock.sleep(Math.min(FIRST_MS * 2 ** (attempt - 1), MOST_MS), signal)

/**
 * Repeats a call of the log while it fails with a retriable `LogError`, at most `ATTEMPTS_MAX` times.
 * Only for calls that may be made twice. Rejects with the last error, also when the signal is aborted meanwhile.
 * @param trouble is told of each failure, and when the call succeeds
 */
export async function retried<T>(
  clock: Clock,
  signal: AbortSignal,
  call: () => Promise<T>,
  trouble?: Trouble,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await call()
      trouble?.over()
      return result
    } catch (error) {
      const retriable = error instanceof LogError && error.retriable
      if (!retriable || attempt >= ATTEMPTS_MAX || signal.aborted) throw error
      trouble?.met(error.message)
      await backOff(clock, attempt, signal)
    }
  }
}
