/** Waits for an answer for so long and no longer. No other file races an answer against a timer. */
import type { Clock } from './ports.ts'

export interface Limit {
  readonly clock: Pick<Clock, 'sleep'>
  /** The longest wait. */
  readonly ms: number
  /** Ends the wait earlier, with the same outcome. */
  readonly signal?: AbortSignal | undefined
}

/**
 * For calls that may never settle: nobody waits for them without end, and the process does not end quietly because nothing else
 * is left to wait for. Such a call goes on by itself after its time; what it rejects with then is passed over.
 * @param late makes what is returned in place of the answer; what it throws, the wait rejects with
 * @returns the answer, once its timer is gone; rejects as the answer does
 */
export async function within<T, L>(answer: Promise<T>, { clock, ms, signal }: Limit, late: () => L): Promise<T | L> {
  const done = new AbortController()
  let isOver = false
  const end = (): void => done.abort('done') // without a reason it makes an error, with its stack
  if (signal?.aborted) end()
  signal?.addEventListener('abort', end, { once: true })
  const over = clock.sleep(ms, done.signal).then<T | L>(() => (isOver ? answer : late()))
  over.catch(() => undefined) // thrown where it is awaited
  try {
    return await Promise.race([answer, over])
  } finally {
    isOver = true
    signal?.removeEventListener('abort', end)
    end()
  }
}
