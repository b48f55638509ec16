/** Asks the process that runs on a data directory, which alone may read its log, or any other that has the query API. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BoundedAnswer, boundedFetch } from '../../connectors/bounded-fetch.ts'
import { CliError, EXIT } from '../base/cli-error.ts'

/** Written by a running process into its data directory: `{ "url": "http://127.0.0.1:9090", … }`. */
export const RUNNING_FILE = 'dev.json'

const ANSWER_MS_MAX = 60_000
/** A page of the query API has some hundred KiB. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20
const NOT_FOUND = 404

/**
 * The answer of the process that runs on this directory; undefined when none does. Throws CliError with the words of the
 * process when it refuses the question, or knows no such thing and `missing` does not say what that means.
 */
export async function askRunning<T>(
  dataDir: string,
  path: string,
  fields: Fields,
  missing?: T,
): Promise<T | undefined> {
  const url = await runningUrl(dataDir)
  if (url === undefined) return undefined
  let response: BoundedAnswer
  try {
    response = await get(url, path, fields)
  } catch {
    return undefined // it ended without taking its file away
  }
  return answerIn(url, response, missing)
}

/** The answer of the query API at an address. Throws CliError when nobody answers there, else as `askRunning`. */
export async function askApi<T>(url: string, path: string, fields: Fields): Promise<T> {
  let response: BoundedAnswer
  try {
    response = await get(url, path, fields)
  } catch (error) {
    throw new CliError(`${url} does not answer: ${error}`, 'Check --api.', EXIT.unavailable, error)
  }
  return answerIn(url, response)
}

type Fields = Readonly<Record<string, string | undefined>>

function get(url: string, path: string, fields: Fields): Promise<BoundedAnswer> {
  const asked = new URL(path, url)
  for (const [name, value] of Object.entries(fields)) if (value) asked.searchParams.set(name, value)
  return boundedFetch(asked.href, {}, { timeoutMs: ANSWER_MS_MAX, bytesMax: ANSWER_BYTES_MAX })
}

function answerIn<T>(url: string, { status, ok, body }: BoundedAnswer, missing?: T): T {
  const answer = jsonIn(body)
  if (ok && answer !== undefined) return answer as T
  if (status === NOT_FOUND && missing !== undefined) return missing
  const words = (answer as { detail?: string; message?: string } | undefined) ?? {}
  const said = words.detail ?? words.message ?? `${url} answered ${status}`
  if (status === NOT_FOUND)
    throw new CliError(said, '`sequencer why` and `sequencer epoch` say what became of it so far.', EXIT.failed)
  if (status >= 400 && status < 500) throw new CliError(said, 'See --help for the options.')
  throw new CliError(said, 'Try again; if it stays so, see the log of that process.', EXIT.unavailable)
}

/** Undefined when it is none. */
function jsonIn(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

async function runningUrl(dataDir: string): Promise<string | undefined> {
  try {
    const { url } = JSON.parse(await readFile(join(dataDir, RUNNING_FILE), 'utf8')) as { url?: unknown }
    return typeof url === 'string' && /^http:\/\//.test(url) ? url : undefined
  } catch {
    return undefined
  }
}
