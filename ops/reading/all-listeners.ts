import type { ProgressListener } from './progress-listener.ts'

/** A listener that tells several, also when one of them fails. */
export function allListeners(
  listeners: readonly ProgressListener[],
  failed: ((error: unknown) => void) | undefined,
): Required<ProgressListener> {
  type Event = Exclude<keyof ProgressListener, 'wantsPast'>
  const tell =
    <E extends Event>(event: E) =>
    (...said: Parameters<NonNullable<ProgressListener[E]>>): void => {
      for (const listener of listeners)
        try {
          ;(listener[event] as ((...args: typeof said) => void) | undefined)?.(...said)
        } catch (error) {
          failed?.(error)
        }
    }
  return {
    wantsPast: true,
    released: tell('released'),
    closed: tell('closed'),
    orphaned: tell('orphaned'),
    finalized: tell('finalized'),
    batched: tell('batched'),
    summarised: tell('summarised'),
    anchorChanged: tell('anchorChanged'),
    withdrawn: tell('withdrawn'),
    anchored: tell('anchored'),
    missed: tell('missed'),
    endedWithoutBatch: tell('endedWithoutBatch'),
    verdict: tell('verdict'),
  }
}
