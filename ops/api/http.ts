/** The common parts of every answer of the API: validators, cross-origin access, refusals as problem JSON. */
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LogError } from '../../streams/ports.ts'
import { CliError } from '../base/cli-error.ts'
import { printableJson } from '../base/printable.ts'
import { etagOf } from './answers.ts'
import { HttpProblem, PROBLEM_JSON, problemOf } from './problem.ts'

export const POSITION_HEADER = 'x-log-position'
const METHODS = 'GET, HEAD, OPTIONS'
const PREFLIGHT_SECONDS = 86_400
const RETRY_SECONDS = 1

/** Refusals of the whole server, also of paths and methods that nothing serves. */
export function answerProblems(server: FastifyInstance, onError: (error: Error) => void): void {
  server.setErrorHandler((error, _request, reply) => sendError(reply, error as Error, onError))
  server.setNotFoundHandler((request, reply) => {
    const known = request.method === 'GET' || request.method === 'HEAD'
    if (known) return sendProblem(reply, 404, `nothing is served at ${pathOf(request)}; GET /openapi.json has what is`)
    reply.header('allow', METHODS)
    return sendProblem(reply, 405, `${request.method} is not served at ${pathOf(request)}`)
  })
}

/** A malformed URL, which no route and no error handler sees. */
export const onFrameworkError = (error: Error, _request: FastifyRequest, reply: FastifyReply): void =>
  void sendProblem(reply, 400, error.message)

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the header fields of the request are larger than 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not come to its end in time'],
}

/**
 * Bytes that are no HTTP end before any route or error handler: they are answered alike, on a connection that closes with the
 * answer.
 */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  const { _httpMessage: begun } = socket as Socket & { readonly _httpMessage?: unknown } // as Node itself looks for it
  if (error.code === 'ECONNRESET' || begun || !socket.writable) return void socket.destroy()
  const [status, detail] = CLIENT_ERRORS[error.code ?? ''] ?? [400, `no HTTP request: ${error.message}`]
  const problem = problemOf(status, detail)
  const body = printableJson(JSON.stringify(problem))
  const head = [
    `HTTP/1.1 ${status} ${problem.title}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

/** For the routes of one plugin. */
export function addCommonHeaders(api: FastifyInstance): void {
  api.addHook('onRequest', async (_request, reply) => {
    reply.header('access-control-allow-origin', '*').header('access-control-expose-headers', `etag, ${POSITION_HEADER}`)
  })
  api.addHook('onSend', async (request, reply, payload) => withValidator(request, reply, payload))
  for (const path of ['/v1/*', '/openapi.json'])
    api.options(path, (_request, reply) =>
      reply
        .code(204)
        .header('allow', METHODS)
        .header('access-control-allow-methods', METHODS)
        .header('access-control-allow-headers', 'if-none-match, last-event-id, content-type')
        .header('access-control-max-age', PREFLIGHT_SECONDS)
        .send(),
    )
}

/** The same bytes have the same validator, whatever the position of the log. */
function withValidator(request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  if (reply.statusCode !== 200 || !(typeof payload === 'string' || Buffer.isBuffer(payload))) return payload
  if (!reply.hasHeader('etag')) reply.header('etag', etagOf(payload))
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-cache')
  if (!matches(request.headers['if-none-match'], String(reply.getHeader('etag')))) return payload
  reply.code(304).removeHeader('content-type').removeHeader('content-length')
  return '' // not null: the route of HEAD would look into it
}

const matches = (asked: string | undefined, etag: string): boolean =>
  asked !== undefined &&
  (asked.trim() === '*' || asked.split(',').some((one) => one.trim().replace(/^W\//, '') === etag))

const sendProblem = (reply: FastifyReply, status: number, detail: string): FastifyReply =>
  reply
    .code(status)
    .type(PROBLEM_JSON)
    .send(printableJson(JSON.stringify(problemOf(status, detail))))

function sendError(reply: FastifyReply, error: Error, onError: (error: Error) => void): FastifyReply {
  if (error instanceof HttpProblem) return sendProblem(reply, error.status, error.message)
  if (error instanceof CliError) return sendProblem(reply, 400, error.message)
  const { statusCode } = error as { statusCode?: number }
  if (statusCode !== undefined && statusCode < 500) return sendProblem(reply, statusCode, error.message)
  if (error instanceof LogError && error.retriable) {
    reply.header('retry-after', RETRY_SECONDS)
    return sendProblem(reply, 503, `the log does not answer: ${error.message}`)
  }
  onError(error)
  return sendProblem(reply, 500, 'the request failed; the log of the process says why')
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0]!
