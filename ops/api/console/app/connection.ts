/** Whether the API answers, how the screen hears of news, and what time it is there. */
import { signal } from '@preact/signals'
import type { Problem } from '../../problem.ts'

export interface Connection {
  /** `live`: events come in. `polling`: they do not, so the lists are asked for again and again. `down`: no answer. */
  readonly state: 'starting' | 'live' | 'polling' | 'down'
  /** When the last answer came, ms of this machine. */
  readonly lastGood: number | undefined
}

const ANSWER_MS_MAX = 15_000
const TICK_MS = 1_000

export const connection = signal<Connection>({ state: 'starting', lastGood: undefined })

/** Server time, ms, once a second: what ages on the screen are counted from. */
export const now = signal(Date.now())
let ahead = 0

setInterval(() => {
  now.value = Date.now() + ahead
}, TICK_MS)

/** A refusal in the words of the API; the connection is fine. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** No answer, or one of a server that is not itself. */
class ApiDown extends Error {
  override readonly name = 'ApiDown'
}

/** Throws ApiProblem or ApiDown. The browser keeps answers with their etags, so an unchanged one costs a few bytes. */
export async function ask<T>(path: string): Promise<T> {
  let response: Response
  let body: unknown
  try {
    response = await fetch(path, { cache: 'no-cache', signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    body = await response.json()
  } catch (error) {
    throw noteDown(error instanceof Error ? error.message : String(error))
  }
  if (response.status >= 500) throw noteDown((body as Partial<Problem>).detail ?? `status ${response.status}`)
  noteGood(response.headers.get('date'))
  if (!response.ok) throw new ApiProblem(response.status, (body as Partial<Problem>).detail ?? response.statusText)
  return body as T
}

function noteDown(why: string): ApiDown {
  connection.value = { ...connection.value, state: 'down' }
  return new ApiDown(why)
}

function noteGood(date: string | null): void {
  const here = Date.now()
  const there = date === null ? Number.NaN : Date.parse(date)
  // The header has whole seconds: a difference below that is none.
  if (Number.isFinite(there)) ahead = Math.abs(there + 500 - here) < 1_500 ? 0 : there + 500 - here
  const { state } = connection.value
  connection.value = { state: state === 'live' ? 'live' : 'polling', lastGood: here }
}

export function noteLive(live: boolean): void {
  const { state, lastGood } = connection.value
  if (live) connection.value = { state: 'live', lastGood: Date.now() }
  else if (state === 'live') connection.value = { state: 'polling', lastGood }
}
