/** Pages of a list. A cursor names the last row looked at, so new rows neither repeat nor hide others. */
import type { Page } from '../schema.ts'
import type { ViewReader } from '../view/store.ts'

export interface PageQuery {
  readonly limit: number
  readonly cursor?: string | undefined
}

/** Rows that one page may look at; with a filter that few pass, a page may come short, and `next` goes on. */
const ROWS_MAX = 2_000

/** One row of a list, and where the list goes on behind it; no item when a filter keeps it out. */
export interface Row<T> {
  readonly at: string
  readonly item: T | undefined
}

export async function pageOf<T>(rows: AsyncIterable<Row<T>>, { limit }: PageQuery): Promise<Page<T>> {
  const items: T[] = []
  let last: string | undefined
  let looked = 0
  for await (const { at, item } of rows) {
    if (items.length === limit || looked === ROWS_MAX) return { items, next: toCursor(last!) }
    last = at
    looked++
    if (item !== undefined) items.push(item)
  }
  return { items, next: null }
}

const toCursor = (at: string): string => Buffer.from(at).toString('base64url')
/** Any text gives a place: a cursor that was never ours begins somewhere in the list, never outside it. */
export const fromCursor = (cursor: string | undefined): string | undefined =>
  cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString()

interface ListOptions {
  readonly prefix: string
  readonly page: PageQuery
  readonly newestFirst?: boolean
}

/** A list whose rows are those of one table; a cursor is the rest of a key. */
export async function* rowsBehind<T>(
  reader: ViewReader,
  { prefix, page, newestFirst = false }: ListOptions,
  itemOf: (key: string, row: Buffer) => T | undefined,
): AsyncGenerator<Row<T>> {
  const rest = fromCursor(page.cursor)
  const after = rest === undefined ? undefined : prefix + rest
  for await (const [key, row] of eachRow(reader, { prefix, after, newestFirst, chunk: page.limit + 1 }))
    yield { at: key.slice(prefix.length), item: itemOf(key, row) }
}

interface EachOptions {
  readonly prefix: string
  readonly after?: string | undefined
  readonly newestFirst?: boolean
  readonly chunk: number
}

export async function* eachRow(
  reader: ViewReader,
  { prefix, after, newestFirst = false, chunk }: EachOptions,
): AsyncGenerator<readonly [string, Buffer]> {
  let behind = after
  for (;;) {
    const rows = await reader.range({ prefix, after: behind, newestFirst, limit: chunk })
    yield* rows
    if (rows.length < chunk) return
    behind = rows.at(-1)![0]
  }
}
