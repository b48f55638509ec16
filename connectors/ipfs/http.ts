/** Requests to a store over HTTP, with bounds on what comes back. Every failure is a StoreError. */
import { type BoundedAnswer, boundedFetch, LateAnswer } from '../bounded-fetch.ts'
import { fetchWords, loginOf } from '../url-login.ts'
import { StoreError } from './batch-store.ts'

/** Length of an answer that is not a batch: a few lines of JSON. */
export const ANSWER_BYTES_MAX = 64 * 1024
/** Length of a store's words, in messages. */
const WORDS_MAX = 200
/** Statuses below 500 that say "later" and not "no". */
const LATER = [408, 425, 429]

export interface StoreRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | readonly Uint8Array[]
  readonly signal?: AbortSignal | undefined
  /** Length of the answer; `ANSWER_BYTES_MAX` when absent. */
  readonly bytesMax?: number | undefined
  /** Bytes that the answer is known to have: it has a second more for each MiB. */
  readonly bytesExpected?: number | undefined
}

export interface StoreAnswer {
  readonly status: number
  readonly body: Buffer
}

export type StoreClient = (request: StoreRequest) => Promise<StoreAnswer>

/**
 * A request whose connection is lost is sent once more, within its time.
 * @param name name of the store, for messages
 * @param timeoutMs for one request with its answer; a second more for each MiB
 * @returns a client that gives answers of the status 2xx, and 404 and 500 where `accepts` takes their text
 */
export function createStoreClient(
  name: string,
  url: string,
  timeoutMs: number,
  accepts: (status: number, text: string) => boolean = () => false,
): StoreClient {
  const { address, authorization } = loginOf(url)
  const base = address.replace(/\/+$/, '')
  const send = async (request: StoreRequest, timeoutMs: number): Promise<StoreAnswer> => {
    const { method, path, headers = {}, signal, bytesMax = ANSWER_BYTES_MAX } = request
    const pieces = piecesOf(request)
    const sent = {
      method,
      headers: { ...(authorization && { authorization }), ...headers },
      redirect: 'error', // a store that could send us elsewhere could have us ask whatever this machine reaches
      ...(pieces.length > 0 && { body: inPieces(pieces), duplex: 'half' }),
    } as RequestInit
    const bounds = { timeoutMs, signal, bytesMax: Math.max(bytesMax, ANSWER_BYTES_MAX) }
    return judge(name, await boundedFetch(`${base}${path}`, sent, bounds), bytesMax, accepts)
  }
  return async (request) => {
    const bytes = piecesOf(request).reduce((sum, { length }) => sum + length, request.bytesExpected ?? 0)
    const ms = timeoutMs + Math.ceil(bytes / BYTES_PER_MS)
    const until = performance.now() + ms
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await send(request, Math.max(0, until - performance.now()))
      } catch (cause) {
        if (cause instanceof StoreError) throw cause
        const isLate = cause instanceof LateAnswer
        // a server closes connections that idle; every request may be repeated
        if (isFirst && !isLate && !request.signal?.aborted) continue
        throw new StoreError(
          'UNAVAILABLE',
          `${name}: ${isLate ? `no answer within ${ms} ms` : fetchWords(cause)}`,
          cause,
        )
      }
    }
  }
}

function judge(
  name: string,
  { status, ok, body, isCut }: BoundedAnswer,
  bytesMax: number,
  accepts: (status: number, text: string) => boolean,
): StoreAnswer {
  if (ok && (isCut || body.length > bytesMax))
    throw new StoreError('TOO_LARGE', `${name}: an answer of more than ${bytesMax} bytes`)
  if (ok) return { status, body }
  const text = body.subarray(0, ANSWER_BYTES_MAX).toString('utf8')
  if (accepts(status, text)) return { status, body: Buffer.from(text) }
  throw refusal(name, status, text)
}

const piecesOf = ({ body = [] }: StoreRequest): readonly Uint8Array[] =>
  typeof body === 'string' ? [Buffer.from(body)] : body

/** A MiB a second: what is slower than that is no store for batches. */
const BYTES_PER_MS = 1_049

/** JSON of an answer. Throws `BAD_ANSWER` when it is none. */
export function jsonOf(name: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // told below
  }
  throw new StoreError('BAD_ANSWER', `${name} does not answer as its interface says: ${shown(text) || 'nothing'}`)
}

async function* inPieces(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

function refusal(name: string, status: number, text: string): StoreError {
  const code = status < 500 && !LATER.includes(status) ? 'REFUSED' : 'UNAVAILABLE'
  return new StoreError(code, `${name} answers ${status}: ${wordsIn(text)}`)
}

/** Kubo has `Message`, the Pinning Service API `error.details` or `error.reason`. */
function wordsIn(text: string): string {
  try {
    const { Message, error } = JSON.parse(text) as {
      Message?: unknown
      error?: { reason?: unknown; details?: unknown }
    }
    const words = Message ?? error?.details ?? error?.reason
    if (typeof words === 'string') return shown(words)
  } catch {
    // no JSON: as it is
  }
  return shown(text) || 'without a word'
}

/** A page of HTML as one line, without its tags. */
const shown = (text: string): string =>
  text
    .slice(0, 4 * WORDS_MAX)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, WORDS_MAX)
