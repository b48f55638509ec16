/** Tries failed work again, after pauses that double. No other file says how pauses grow. */
import type { Clock } from './ports.ts'

/** The pause after so many failures in a row (from 1 on), ms. */
export type BackOff = (failures: number, error?: unknown) => number

/** Keeps the power finite; 1 ms doubled so often is 34 years. */
const DOUBLINGS_MAX = 40

/** Pauses of which each is twice as long as the one before, up to the longest. */
export const doubling =
  ({ firstMs, mostMs }: { readonly firstMs: number; readonly mostMs: number }): BackOff =>
  (failures) =>
    Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, DOUBLINGS_MAX))

export interface Repeating {
  readonly clock: Pick<Clock, 'sleep'>
  /** When it is aborted, the failure of the try under way is the last one. */
  readonly signal?: AbortSignal | undefined
  readonly pauseMs: BackOff
  /** Whether the next try may succeed; bounds the tries by their number or by the time. */
  readonly mayPass: (error: unknown, failures: number) => boolean
  /** Told of each failure that may pass, before the pause. */
  readonly failed?: (error: unknown, pauseMs: number) => void
  /** Told when the step has succeeded. */
  readonly succeeded?: () => void
}

/**
 * Repeats a step until it succeeds.
 * @param step may be made any number of times; is told how many tries failed before
 * @returns what the step returns; rejects with its last error, once that may not pass or the signal is aborted
 */
export async function repeated<T>(
  { clock, signal, pauseMs, mayPass, failed, succeeded }: Repeating,
  step: (failures: number) => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      const result = await step(failures - 1)
      succeeded?.()
      return result
    } catch (error) {
      if (signal?.aborted || !mayPass(error, failures)) throw error
      const ms = pauseMs(failures, error)
      failed?.(error, ms)
      await clock.sleep(ms, signal)
    }
  }
}
