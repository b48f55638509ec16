import { doubling, repeated } from './back-off.ts'
import { type Clock, LogError } from './ports.ts'
import type { Trouble } from './trouble.ts'

const pauseMs = doubling({ firstMs: 10, mostMs: 2_000 })
/** With the pauses above about two minutes: longer than a broker's failover, shorter than an operator's patience. */
const ATTEMPTS_MAX = 60

/** The pause between two calls of the log, after so many failures in a row. */
export const backOff = (clock: Clock, failures: number, signal?: AbortSignal): Promise<void> =>
  clock.sleep(pauseMs(failures), signal)

/**
 * Repeats a call of the log while it fails with a retriable `LogError`, at most `ATTEMPTS_MAX` times.
 * Only for calls that may be made twice. Rejects with the last error, also when the signal is aborted meanwhile.
 * @param trouble is told of each failure, and when the call succeeds
 */
export const retried = <T>(clock: Clock, signal: AbortSignal, call: () => Promise<T>, trouble?: Trouble): Promise<T> =>
  repeated(
    {
      ...{ clock, signal, pauseMs, mayPass },
      failed: (error) => trouble?.met((error as LogError).message),
      succeeded: () => trouble?.over(),
    },
    call,
  )

const mayPass = (error: unknown, failures: number): boolean =>
  error instanceof LogError && error.retriable && failures < ATTEMPTS_MAX
