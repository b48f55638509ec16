/** JSON over HTTP as schema registries speak it, with a time limit for each request and a bounded number of tries. */
import { Agent } from 'node:https'
import { z } from 'zod'
import { doubling, repeated } from '../../streams/back-off.ts'
import { boundedFetch } from '../bounded-fetch.ts'
import { createLimiter } from '../limiter.ts'
import { systemClock } from '../system-clock.ts'
import { SchemaRegistryError } from './errors.ts'
import { ANSWER_BYTES_MAX, type Exchange, exchange } from './https.ts'

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'
/** Apicurio on a Kafka store does not answer at all while its broker is down. */
const REQUEST_TIMEOUT_MS = 10_000
const ATTEMPTS_MAX = 4
/** A start asks for every subject: together, but not all at once, or the last would wait longer than a request may. */
const REQUESTS_AT_ONCE = 6
/**
 * The registry is given up by all requests that wait when it has answered none for so many times their limit. They are made a few at a time:
 * each by itself has its limit, and all of a start together would wait for minutes.
 */
const SILENT_LIMITS_MAX = 2
const pauseMs = doubling({ firstMs: 100, mostMs: 400 })
const BODY_SHOWN_CHARS = 200

/** The registry's code for a subject that it does not have. */
export const NO_SUBJECT = 40401

export interface RegistryEndpoint {
  /** Base of the Confluent interface: http://host:8081, of Apicurio …/apis/ccompat/v7. May carry user:password@. */
  readonly url: string
  readonly auth?: RegistryAuth
  /** PEM of the authority that signed its certificate, instead of the authorities that Node knows. */
  readonly ca?: string
  readonly requestTimeoutMs?: number
  readonly signal?: AbortSignal
}

export interface RegistryAuth {
  readonly username: string
  readonly password: string
}

/** `code` is the registry's own (40401: no such subject, …); 0 for an answer without one. `from`: the request. */
export type RegistryAnswer =
  | { readonly ok: true; readonly body: unknown; readonly from: string }
  | { readonly ok: false; readonly status: number; readonly code: number; readonly message: string }

export interface RegistryHttp {
  /** Without credentials. */
  readonly url: string
  readonly auth?: RegistryAuth
  /** For connections to a registry with an authority of its own. */
  readonly agent?: Agent
  readonly requestTimeoutMs: number
  /** 404, 409 and 422 are answers. Rejects with SchemaRegistryError for everything else. Repeats what may pass. */
  request(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<RegistryAnswer>
  /** Repeats a call while it fails with `REGISTRY_UNREACHABLE`. */
  retried<T>(call: () => Promise<T>): Promise<T>
}

export function createRegistryHttp(endpoint: RegistryEndpoint): RegistryHttp {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, signal } = endpoint
  const { url, auth } = { ...parseUrl(endpoint.url), ...(endpoint.auth && { auth: endpoint.auth }) }
  const agent = endpoint.ca === undefined ? undefined : new Agent({ ca: endpoint.ca, keepAlive: true })
  const headers: Record<string, string> = { accept: `${CONTENT_TYPE}, application/json`, 'content-type': CONTENT_TYPE }
  if (auth) headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`

  const limited = createLimiter(REQUESTS_AT_ONCE)
  const silence = new Silence(requestTimeoutMs)
  const once = async (method: string, path: string, body: object | undefined): Promise<RegistryAnswer> => {
    const what = `${method} ${url}${path}`
    const asked = { method, headers, timeoutMs: requestTimeoutMs, signal, ...(body && { body: JSON.stringify(body) }) }
    const began = performance.now()
    try {
      const { status, text } = await (agent ? exchange(`${url}${path}`, agent, asked) : fetched(`${url}${path}`, asked))
      silence.heard()
      return judge(what, status, text)
    } catch (cause) {
      if (cause instanceof SchemaRegistryError) throw cause
      const error = new SchemaRegistryError('REGISTRY_UNREACHABLE', `${what}: ${reasonOf(cause)}`, cause)
      silence.heardNothing(began, error)
      throw error
    }
  }

  const retried = <T>(call: () => Promise<T>): Promise<T> => {
    const { givenUp } = silence
    const mayPass = (error: unknown, failures: number): boolean =>
      isUnreachable(error) && failures < ATTEMPTS_MAX && silence.givenUp === givenUp
    return repeated({ clock: systemClock, signal, pauseMs, mayPass }, silence.unlessGivenUp(call))
  }

  return {
    url,
    ...(auth && { auth }),
    ...(agent && { agent }),
    requestTimeoutMs,
    request: (method, path, body) => {
      const turn = silence.unlessGivenUp(() => once(method, path, body))
      return retried(() => limited(turn))
    },
    retried,
  }
}

const isUnreachable = (error: unknown): boolean =>
  error instanceof SchemaRegistryError && error.code === 'REGISTRY_UNREACHABLE'

/** How long the registry has answered nothing. */
class Silence {
  /** Times that it was given up; who began before the last time goes on no longer. */
  givenUp = 0
  /** The reason of the last time. */
  private error: Error | undefined
  private since: number | undefined
  private readonly requestMs: number

  /** @param requestMs limit of one request */
  constructor(requestMs: number) {
    this.requestMs = requestMs
  }

  /** The call, which fails at once when the registry was given up since it was asked for. */
  unlessGivenUp<T>(call: () => Promise<T>): () => Promise<T> {
    const { givenUp } = this
    return () => (this.givenUp === givenUp ? call() : Promise.reject(this.error))
  }

  heard(): void {
    this.since = undefined
  }

  /** A refused or broken connection is no silence. @param began when the unanswered request was made */
  heardNothing(began: number, error: Error): void {
    const now = performance.now()
    this.since = now - began < this.requestMs ? undefined : (this.since ?? began)
    if (this.since === undefined || now - this.since < this.requestMs * SILENT_LIMITS_MAX) return
    this.givenUp++
    this.error = error
    this.since = undefined
  }
}

async function fetched(url: string, asked: Exchange): Promise<{ status: number; text: string }> {
  const { timeoutMs, signal, ...request } = asked
  const { status, body, isCut } = await boundedFetch(url, request, { timeoutMs, signal, bytesMax: ANSWER_BYTES_MAX })
  if (isCut) throw new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`)
  return { status, text: body.toString('utf8') }
}

/** The registry's answer about a subject. Throws `SCHEMA_REFUSED` when it said no, `NOT_A_REGISTRY` on another shape. */
export function bodyOf<T>(answer: RegistryAnswer, subject: string, shape: z.ZodType<T>): T {
  if (answer.ok) {
    const parsed = shape.safeParse(answer.body)
    if (parsed.success) return parsed.data
    const what = `the registry answered something else: ${shown(JSON.stringify(answer.body))}`
    throw new SchemaRegistryError('NOT_A_REGISTRY', `${answer.from}: ${what}`)
  }
  const { code, message } = answer
  throw new SchemaRegistryError('SCHEMA_REFUSED', `the registry refuses ${subject} (${code}): ${message}`)
}

function parseUrl(text: string): Pick<RegistryHttp, 'url' | 'auth'> {
  const url = new URL(text)
  const { username, password } = url
  url.username = ''
  url.password = ''
  const bare = url.toString().replace(/\/+$/, '')
  if (!username) return { url: bare }
  return { url: bare, auth: { username: decoded(username), password: decoded(password) } }
}

/** A bare % is one. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const refusal = z.object({ error_code: z.int().optional(), message: z.string().optional() })

function judge(what: string, status: number, text: string): RegistryAnswer {
  const body = parsed(text)
  if (status >= 200 && status < 300) {
    if (body === undefined) throw new SchemaRegistryError('NOT_A_REGISTRY', `${what}: not JSON: ${shown(text)}`)
    return { ok: true, body, from: what }
  }
  const { error_code: code = 0, message = shown(text) } = refusal.safeParse(body).data ?? {}
  const why = `${what}: status ${status}: ${message}`
  if (status === 401 || status === 403) throw new SchemaRegistryError('REGISTRY_RIGHTS', why)
  if (status === 408 || status === 429 || status >= 500) throw new SchemaRegistryError('REGISTRY_UNREACHABLE', why)
  const isAnswer = status === 404 || status === 409 || status === 422
  if (!isAnswer || code === 0) throw new SchemaRegistryError('NOT_A_REGISTRY', why)
  return { ok: false, status, code, message }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const shown = (text: string): string => text.slice(0, BODY_SHOWN_CHARS)

/** `fetch` hides the reason (refused, cut, not resolved) in the cause of its error. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return cause instanceof Error && cause.message ? cause.message : error.message
}
