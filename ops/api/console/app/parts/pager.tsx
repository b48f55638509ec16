/** Forward and back through a list of the API, whose cursors only lead forward. */
import { useState } from 'preact/hooks'

export interface Pages {
  /** Cursor of the page in sight; undefined: the first. */
  readonly cursor: string | undefined
  readonly number: number
  forward(next: string): void
  back(): void
  reset(): void
}

export function usePages(): Pages {
  const [cursors, setCursors] = useState<readonly string[]>([])
  return {
    cursor: cursors.at(-1),
    number: cursors.length + 1,
    forward: (next) => setCursors([...cursors, next]),
    back: () => setCursors(cursors.slice(0, -1)),
    reset: () => setCursors([]),
  }
}

export function Pager({ pages, next, what }: { pages: Pages; next: string | null; what: string }) {
  if (pages.number === 1 && next === null) return null
  return (
    <nav class="pager" aria-label={`Pages of ${what}`}>
      <button type="button" class="button" disabled={pages.number === 1} onClick={pages.back}>
        ← Back
      </button>
      <span class="note">Page {pages.number}</span>
      <button
        type="button"
        class="button"
        disabled={next === null}
        onClick={() => next !== null && pages.forward(next)}
      >
        More →
      </button>
    </nav>
  )
}
