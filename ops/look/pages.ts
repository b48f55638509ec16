/** Lists of the query API, asked of the process that runs on a data directory. */
import type { Page } from '../api/schema.ts'
import { askRunning } from '../ground/running-process.ts'

const PAGE = '500'
const NOTHING: Page<never> = { items: [], next: null }

/** The pages of a list, until the reader stops; the last one is undefined when no process runs there. */
export async function* pagesOf<T>(
  dataDir: string,
  path: string,
  narrow: Readonly<Record<string, string | undefined>>,
): AsyncGenerator<Page<T> | undefined> {
  let cursor: string | undefined
  do {
    const page: Page<T> | undefined = await askRunning(dataDir, path, { ...narrow, limit: PAGE, cursor }, NOTHING)
    yield page
    cursor = page?.next ?? undefined
  } while (cursor !== undefined)
}
