/** Pages of a list. A cursor names the last row looked at, so new rows neither repeat nor hide others. */
import { crc32 } from 'node:zlib'
import { badRequest } from '../problem.ts'
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
  let after = cursor === undefined ? undefined : prefix + fromCursor(prefix, cursor)
  for (let looked = 0; ; ) {
    const rows = await reader.range({ prefix, after, newestFirst, limit: chunk })
    for (const [key, row] of rows) {
      if (items.length === limit || looked === ROWS_MAX)
        return { items, next: toCursor(prefix, after!.slice(prefix.length)) }
      after = key
      looked++
      const item = itemOf(key, row)
      if (item !== undefined) items.push(item)
    }
    if (rows.length < chunk) return { items, next: null }
  }
}

/** @param list its name; cursors of other lists are none of it */
export function toCursor(list: string, place: string): string {
  const sum = Buffer.alloc(SUM_BYTES)
  sum.writeUInt32BE(crc32(list + place))
  return Buffer.concat([sum, Buffer.from(place)]).toString('base64url')
}

/** Throws HttpProblem 400 for a cursor that this list has never given, as one that was cut off or is of another list. */
export function fromCursor(list: string, cursor: string): string {
  const place = Buffer.from(cursor, 'base64url').subarray(SUM_BYTES).toString()
  if (toCursor(list, place) !== cursor)
    throw badRequest('cursor: none that this list has given; without a cursor the list begins anew')
  return place
}
const SUM_BYTES = 4
