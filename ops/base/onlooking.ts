/** The waiting of parts that only look on: for as long as it takes, for any reason, without ending anything. */
import type { Clock } from '../../streams/ports.ts'
import { backOff } from '../../streams/retry.ts'
import { Trouble } from '../../streams/trouble.ts'

/**
 * Repeats a call until it succeeds or the signal is aborted; then undefined. It may be made any number of times.
 * @param waiting is told why it waits when that has lasted for some seconds, and with undefined when the call has succeeded
 */
export async function onlooking<T>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  call: () => Promise<T>,
  waiting?: (reason: string | undefined) => void,
): Promise<T | undefined> {
  const trouble = new Trouble(clock)
  for (let attempt = 1, said = false; !signal.aborted; attempt++) {
    try {
      const result = await call()
      if (said) waiting?.(undefined)
      return result
    } catch (error) {
      if (signal.aborted) return undefined
      trouble.met(error instanceof Error ? error.message : String(error))
      const { lasting } = trouble
      if (lasting !== undefined) waiting?.(lasting)
      said ||= lasting !== undefined
      await backOff(clock, attempt, signal)
    }
  }
  return undefined
}

/** Several that only look on, as one role: told why any of them waits, and undefined while none does. */
export function waitingTogether(tell: (reason: string | undefined) => void) {
  const reasons = new Map<string, string>()
  return (who: string) =>
    (reason: string | undefined): void => {
      if (reason === undefined) reasons.delete(who)
      else reasons.set(who, reason)
      tell(reasons.size === 0 ? undefined : [...reasons].map(([name, why]) => `${name}: ${why}`).join('; '))
    }
}
