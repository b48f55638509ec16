/** Brokers and registries that are being restarted are waited for when a process starts, not only while it runs. */
import { doubling, repeated } from '../../../streams/back-off.ts'
import type { Clock } from '../../../streams/ports.ts'

/** A rolling restart of a broker or of the registry is over by then; what a supervisor does next is up to it. */
export const START_PATIENCE_MS = 60_000
const pauseMs = doubling({ firstMs: 10, mostMs: 2_000 })

export interface Patience {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly warn: (text: string) => void
}

/**
 * Repeats the first step of a start while it fails with what may pass, for at most `START_PATIENCE_MS`. Says so the first
 * time and whenever the reason is another one; rejects with the last error.
 */
export function patiently<T>({ clock, signal, warn }: Patience, call: () => Promise<T>): Promise<T> {
  const end = clock.now() + START_PATIENCE_MS
  let said = ''
  const failed = (error: unknown): void => {
    const { message } = error as Error
    if (message !== said) warn(`${message}; tried again for ${Math.ceil((end - clock.now()) / 1_000)} s`)
    said = message
  }
  const mayPass = (error: unknown): boolean =>
    error instanceof Error && 'retriable' in error && error.retriable === true && clock.now() < end
  return repeated({ clock, signal, pauseMs, mayPass, failed }, call)
}
