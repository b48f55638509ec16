/** A table of any length of which only the rows in sight are in the page. */
import type { ComponentChildren } from 'preact'
import { useMemo, useState } from 'preact/hooks'

export interface Column<T> {
  readonly id: string
  readonly name: string
  /** `auto`: what the others leave. */
  readonly width: string
  /** At phone width. */
  readonly narrow?: string
  readonly numeric?: boolean
  /** The column is not shown at phone width. */
  readonly wide?: boolean
  readonly cell: (item: T) => ComponentChildren
  /** The key to sort by; none: not sortable. */
  readonly sortBy?: (item: T) => string | number
}

interface Props<T> {
  readonly label: string
  readonly items: readonly T[]
  readonly columns: readonly Column<T>[]
  readonly keyOf: (item: T) => string
  readonly sort: Sort
  readonly onSort: (sort: Sort) => void
  readonly selected?: string
}

export interface Sort {
  readonly by: string
  readonly down: boolean
}

const ROW_PX = 40
const ROWS_SHOWN = 12
/** Half a row at the end says that there are more. */
const HEIGHT_MAX_PX = ROW_PX * (1 + ROWS_SHOWN + 0.5)
/** Rows above and below the rows in sight, so that scrolling shows no holes. */
const MARGIN_ROWS = 8

export function VirtualTable<T>({ label, items, columns, keyOf, sort, onSort, selected }: Props<T>) {
  const [top, setTop] = useState(0)
  const sorted = useMemo(() => sortItems(items, columns, sort), [items, columns, sort])
  const first = Math.max(0, Math.min(Math.floor(top / ROW_PX), sorted.length - ROWS_SHOWN) - MARGIN_ROWS)
  const visible = sorted.slice(first, first + ROWS_SHOWN + 1 + 2 * MARGIN_ROWS)
  return (
    <section
      class="vtable"
      aria-label={`Table: ${label}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
      tabIndex={0}
      style={{ maxHeight: `${HEIGHT_MAX_PX}px` }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <table aria-rowcount={items.length + 1}>
        <colgroup>
          {columns.map(({ id, width, narrow, wide }) => (
            <col key={id} class={wide ? 'wide' : ''} style={{ '--width': width, '--narrow': narrow ?? width }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Gap rows={first} columns={columns.length} />
          {visible.map((item, index) => (
            <tr
              key={keyOf(item)}
              aria-rowindex={first + index + 2}
              class={keyOf(item) === selected ? 'is-selected' : ''}
            >
              {columns.map(({ id, numeric, wide, cell }) => (
                <td key={id} class={cellClass(numeric, wide)}>
                  {cell(item)}
                </td>
              ))}
            </tr>
          ))}
          <Gap rows={sorted.length - first - visible.length} columns={columns.length} />
        </tbody>
      </table>
    </section>
  )
}

/** The place of rows that are not in the page. */
const Gap = ({ rows, columns }: { rows: number; columns: number }) =>
  rows <= 0 ? null : (
    <tr>
      <td colSpan={columns} class="gap" style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  )

function Head<T>({ column, sort, onSort }: { column: Column<T>; sort: Sort; onSort: (sort: Sort) => void }) {
  const { id, name, numeric, wide, sortBy } = column
  const active = sort.by === id
  const order = active ? (sort.down ? 'descending' : 'ascending') : 'none'
  return (
    <th scope="col" aria-sort={sortBy ? order : undefined} class={cellClass(numeric, wide)}>
      {sortBy ? (
        <button type="button" class="sort" onClick={() => onSort({ by: id, down: active ? !sort.down : false })}>
          {name}
          <span aria-hidden="true">{active ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
        </button>
      ) : (
        name
      )}
    </th>
  )
}

const cellClass = (numeric = false, wide = false): string => `${numeric ? 'num ' : ''}${wide ? 'wide' : ''}`

function sortItems<T>(items: readonly T[], columns: readonly Column<T>[], { by, down }: Sort): readonly T[] {
  const sortBy = columns.find(({ id }) => id === by)?.sortBy
  if (!sortBy) return items
  const sign = down ? -1 : 1
  return items.toSorted((a, b) => (sortBy(a) < sortBy(b) ? -sign : sortBy(a) > sortBy(b) ? sign : 0))
}
