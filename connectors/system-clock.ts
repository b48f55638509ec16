import type { Clock } from '../streams/ports.ts'

/** The longest wait one timer can hold (2^31 - 1 ms, Node's limit: a longer one fires at once). */
const TIMER_MS_MAX = 2_147_483_647

/** How fast time may run while it catches up with a clock that was set ahead, and while it waits for one that was set back. */
const RATE_MAX = 2
const RATE_MIN = 0.5

/** A smaller difference is skew, and followed at once. */
const SKEW_MS = 50

export interface TimeSources {
  /** Ms since 1970, by a clock that somebody may set. */
  readonly wall: () => number
  /** Ms since some moment, by one that nobody can. */
  readonly monotonic: () => number
}

/**
 * Wall-clock time that is never seen to jump: where the clock of the machine is set, time here runs up to twice as fast, or
 * half as fast, until both agree again. So a deadline is never passed over and never far away, no record is suddenly old, and
 * time never goes back. A clock that was wrong at the start counts until it is caught up with, or until the next start.
 */
export function createSystemClock({ wall, monotonic }: TimeSources): Clock {
  let shown = wall()
  let seenAt = monotonic()
  return {
    now: () => {
      const at = monotonic()
      const passed = Math.max(0, at - seenAt)
      seenAt = at
      const ahead = wall() - (shown + passed)
      const isSkew = Math.abs(ahead) <= SKEW_MS
      shown += isSkew
        ? Math.max(0, passed + ahead)
        : Math.min(passed * RATE_MAX, Math.max(passed * RATE_MIN, passed + ahead))
      return Math.floor(shown)
    },
    sleep,
  }
}

const sleep: Clock['sleep'] = (ms, signal) =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, Math.min(ms, TIMER_MS_MAX))
    signal?.addEventListener('abort', finish, { once: true })
  })

/** The time of real runs. */
export const systemClock: Clock = createSystemClock({ wall: () => Date.now(), monotonic: () => performance.now() })
