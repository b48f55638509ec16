import type { Clock } from '../../streams/ports.ts'

/** The longest wait one timer can hold (2^31 - 1 ms, Node's limit: a longer one fires at once). */
const TIMER_MS_MAX = 2_147_483_647

/** Wall-clock time, for real runs. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const finish = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      const timer = setTimeout(finish, Math.min(ms, TIMER_MS_MAX))
      signal?.addEventListener('abort', finish, { once: true })
    }),
}
