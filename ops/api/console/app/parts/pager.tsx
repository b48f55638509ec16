/** Forward and back through a list of the API, whose cursors only lead forward. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Page } from '../../../schema.ts'
import type { Answer } from '../answers.ts'
import { Shown } from './basics.tsx'

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

interface PagedProps<T> {
  readonly answer: Answer<Page<T>>
  readonly pages: Pages
  /** Name of the items, in the plural. */
  readonly what: string
  /** In the place of a page without items, if it is given. */
  readonly none?: ComponentChildren
  readonly children: (items: readonly T[]) => ComponentChildren
}

/** A page of a list of the API, and the buttons to the others. */
export const Paged = <T,>({ answer, pages, what, none, children }: PagedProps<T>) => (
  <Shown answer={answer}>
    {({ items, next }) =>
      none && items.length === 0 ? (
        none
      ) : (
        <>
          {children(items)}
          <Pager pages={pages} next={next} what={what} />
        </>
      )
    }
  </Shown>
)

function Pager({ pages, next, what }: { pages: Pages; next: string | null; what: string }) {
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
