/** Pages of a list. A cursor names the last row looked at, so new rows neither repeat nor hide others. */
import type { Page } from '../schema.ts'
import type { ViewReader } from '../view/store.ts'

export interface PageQuery {
  readonly limit: number
  readonly cursor?: string | undefined
}

/** Rows that one page may look at; with a filter that few pass, a page may come short, and `next` goes on. */
const ROWS_MAX = 2_000
/** Read at once when a filter may keep most of them out. */
const FILTERED_CHUNK = 256

interface ListOptions {
  readonly prefix: string
  readonly page: PageQuery
  readonly newestFirst?: boolean
  /** Few of the rows may become items. */
  readonly filtered?: boolean
}

/**
 * A list whose rows come from one table; a cursor is the rest of a key.
 * @param itemOf undefined when a filter keeps the row out
 */
export async function pageOf<T>(
  reader: ViewReader,
  { prefix, page: { limit, cursor }, newestFirst = false, filtered = false }: ListOptions,
  itemOf: (key: string, row: Buffer) => T | undefined,
): Promise<Page<T>> {
  const items: T[] = []
  const chunk = filtered ? FILTERED_CHUNK : limit + 1
  let after = cursor === undefined ? undefined : prefix + fromCursor(cursor)
  for (let looked = 0; ; ) {
    const rows = await reader.range({ prefix, after, newestFirst, limit: chunk })
    for (const [key, row] of rows) {
      if (items.length === limit || looked === ROWS_MAX) return { items, next: toCursor(after!.slice(prefix.length)) }
      after = key
      looked++
      const item = itemOf(key, row)
      if (item !== undefined) items.push(item)
    }
    if (rows.length < chunk) return { items, next: null }
  }
}

export const toCursor = (rest: string): string => Buffer.from(rest).toString('base64url')
/** Any text gives a place: a cursor that was never ours begins somewhere in the list, never outside it. */
export const fromCursor = (cursor: string): string => Buffer.from(cursor, 'base64url').toString()
