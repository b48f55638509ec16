/** The work under way: one task for each key, which ends when the key gets another. */
import type { AnchorKey } from '../../../schemas/types.ts'
import { type PlacedIntent, textOf } from './anchor-intents.ts'

export interface AnchorTasks {
  begin(change: PlacedIntent): void
  /** Ends what is under way for the key. */
  end(key: AnchorKey): void
  /** Resolves when nothing is under way. */
  ended(): Promise<void>
}

/**
 * @param signal ends all of it
 * @param fail told of an error of a task that nobody has ended
 */
export function createTasks(
  run: (change: PlacedIntent, until: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  fail: (error: unknown) => void,
): AnchorTasks {
  const current = new Map<string, AbortController>()
  const underWay = new Set<Promise<void>>()
  return {
    begin(change) {
      const text = textOf(change.key)
      const abort = new AbortController()
      const stop = (): void => abort.abort()
      current.set(text, abort)
      signal.addEventListener('abort', stop, { once: true })
      const task = run(change, abort.signal)
        .catch((error: unknown) => {
          if (!abort.signal.aborted) fail(error)
        })
        .finally(() => {
          signal.removeEventListener('abort', stop)
          if (current.get(text) === abort) current.delete(text)
          underWay.delete(task)
        })
      underWay.add(task)
    },
    end: (key) => current.get(textOf(key))?.abort(),
    ended: async () => void (await Promise.all(underWay)),
  }
}
