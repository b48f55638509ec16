/** Refusals as RFC 9457 has them. */
import { z } from 'zod'

const text = z.string()

/** RFC 9457. */
export const problem = z
  .object({ type: text, title: text, status: z.int().min(400).max(599), detail: text })
  .meta({ id: 'Problem' })

export type Problem = z.infer<typeof problem>

export const PROBLEM_JSON = 'application/problem+json'

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

/** Thrown by a handler; becomes the answer. */
export class HttpProblem extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.name = 'HttpProblem'
    this.status = status
  }
}

export const badRequest = (detail: string): HttpProblem => new HttpProblem(400, detail)
export const notFound = (detail: string): HttpProblem => new HttpProblem(404, detail)

export const problemOf = (status: number, detail: string): Problem => ({
  type: 'about:blank',
  title: TITLES[status] ?? 'Error',
  status,
  detail,
})
