/** Asks the process that runs on a data directory, which alone may read its log. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from '../cli-error.ts'

/** Written by a running process into its data directory: `{ "url": "http://127.0.0.1:9090", … }`. */
export const RUNNING_FILE = 'dev.json'

const ANSWER_MS_MAX = 60_000
const NOT_FOUND = 404

/**
 * The answer of the process that runs on this directory; undefined when none does. Throws CliError with the words of the
 * process when it refuses the question, or knows no such thing and `missing` does not say what that means.
 */
export async function askRunning<T>(
  dataDir: string,
  path: string,
  fields: Readonly<Record<string, string | undefined>>,
  missing?: T,
): Promise<T | undefined> {
  const url = await runningUrl(dataDir)
  if (url === undefined) return undefined
  const asked = new URL(path, url)
  for (const [name, value] of Object.entries(fields)) if (value) asked.searchParams.set(name, value)
  let response: Response
  try {
    response = await fetch(asked, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  } catch {
    return undefined // it ended without taking its file away
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return answer as T
  if (response.status === NOT_FOUND && missing !== undefined) return missing
  const words = (answer as { detail?: string; message?: string } | undefined) ?? {}
  throw new CliError(
    words.detail ?? words.message ?? `${asked} answered ${response.status}`,
    'See --help for the options.',
  )
}

async function runningUrl(dataDir: string): Promise<string | undefined> {
  try {
    const { url } = JSON.parse(await readFile(join(dataDir, RUNNING_FILE), 'utf8')) as { url?: unknown }
    return typeof url === 'string' && /^http:\/\//.test(url) ? url : undefined
  } catch {
    return undefined
  }
}
