/** Brokers and registries that are being restarted are waited for when a process starts, not only while it runs. */
import type { Clock } from '../../../streams/ports.ts'
import { backOff } from '../../../streams/retry.ts'

/** A rolling restart of a broker or of the registry is over by then; what a supervisor does next is up to it. */
export const START_PATIENCE_MS = 60_000

export interface Patience {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly warn: (text: string) => void
}

/**
 * Repeats the first step of a start while it fails with what may pass, for at most `START_PATIENCE_MS`. Says so the first
 * time and whenever the reason is another one; rejects with the last error.
 */
export async function patiently<T>({ clock, signal, warn }: Patience, call: () => Promise<T>): Promise<T> {
  const end = clock.now() + START_PATIENCE_MS
  let said = ''
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      const mayPass = error instanceof Error && 'retriable' in error && error.retriable === true
      if (!mayPass || signal.aborted || clock.now() >= end) throw error
      if (error.message !== said) warn(`${error.message}; tried again for ${Math.ceil((end - clock.now()) / 1_000)} s`)
      said = error.message
      await backOff(clock, attempt, signal)
    }
  }
}
