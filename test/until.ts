import { systemClock } from '../connectors/system-clock.ts'

const LIMIT_MS = 30_000
const EVERY_MS = 20

/** Looks until something is there, and gives it; the bound only ends a test that would fail. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { limitMs = LIMIT_MS, everyMs = EVERY_MS } = {},
): Promise<T> {
  for (const end = Date.now() + limitMs; ; await systemClock.sleep(everyMs)) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
  }
}
