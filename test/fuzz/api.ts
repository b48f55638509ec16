/**
 * Requests to the query API, good ones and bad ones, made from its description alone; every answer must fit it. What serves
 * them is given, so the same runs in memory and over sockets.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'

export interface ApiRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}
export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>
  readonly body: string
}
export type Send = (request: ApiRequest) => Promise<ApiResponse>

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: { type?: string; enum?: readonly string[]; pattern?: string; default?: unknown }
}
interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema: object }>> }>>
}
export interface Description {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

/** An events stream does not end. */
const STREAMS = ['/v1/events']

/** @param known values that lead somewhere, by the name of the parameter */
function requestsOf(
  { paths }: Description,
  known: Readonly<Record<string, readonly string[]>>,
): fc.Arbitrary<readonly [string, ApiRequest]> {
  const good = ({ name, schema }: Parameter): fc.Arbitrary<string> => {
    if (schema.enum) return fc.constantFrom(...schema.enum)
    const found = known[name]
    const any = schema.type === 'integer' ? fc.nat().map(String) : fc.string({ minLength: 1, maxLength: 80 })
    return found ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...found) }, any) : any
  }
  const bad = fc.oneof(
    fc.constantFrom(
      '',
      '-1',
      '1e3',
      '0x10',
      '9007199254740993',
      '99999999999999999',
      '..',
      '%00',
      '\u0000',
      '__proto__',
      'null',
    ),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ minLength: 900, maxLength: 2_000 }),
  )
  const value = (parameter: Parameter) =>
    fc.oneof({ weight: 4, arbitrary: good(parameter) }, { weight: 1, arbitrary: bad })
  /** No cursor that is made up is a good one. */
  const perhaps = (parameter: Parameter) =>
    fc.oneof(
      { weight: parameter.name === 'cursor' ? 8 : 1, arbitrary: fc.constant(undefined) },
      { weight: 2, arbitrary: value(parameter) },
    )
  const unknown = fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.tuple(fc.string({ minLength: 1, maxLength: 12 }), bad).map((pair) => [pair]) },
  )
  const method = fc.oneof(
    { weight: 9, arbitrary: fc.constant('GET') },
    fc.constantFrom('HEAD', 'OPTIONS', 'POST', 'DELETE'),
  )
  const headers = fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.constantFrom('*', '"x"', 'W/"x", "y"', '"').map((tag) => ({ 'if-none-match': tag })) },
  )
  const operations = Object.entries(paths).filter(([path]) => !STREAMS.includes(path))
  return fc.constantFrom(...operations).chain(([path, { get }]) => {
    const parameters = get.parameters ?? []
    const inPath = parameters.filter((parameter) => parameter.in === 'path')
    const inQuery = parameters.filter((parameter) => parameter.in === 'query')
    return fc
      .record({
        method,
        headers,
        path: fc.tuple(...inPath.map(value)),
        query: fc.tuple(...inQuery.map(perhaps)),
        unknown,
      })
      .map((parts) => {
        const filled = inPath.reduce((url, { name }, i) => url.replace(`{${name}}`, encode(parts.path[i]!)), path)
        const query = inQuery.flatMap(({ name }, i) =>
          parts.query[i] === undefined ? [] : [[name, parts.query[i]!] as const],
        )
        const search = [...query, ...(parts.unknown as [string, string][])].map(
          ([name, text]) => `${encode(name)}=${encode(text)}`,
        )
        const url = search.length === 0 ? filled : `${filled}?${search.join('&')}`
        return [path, { method: parts.method, url, headers: parts.headers }] as const
      })
  })
}

/** A lone surrogate has no bytes. */
const encode = (text: string): string => encodeURIComponent(Buffer.from(text).toString())

/** What is wrong with an answer; empty when nothing is. */
function createCheck(description: Description): (path: string, request: ApiRequest, response: ApiResponse) => string {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'api', components: description.components })
  const validators = new Map<object, ReturnType<typeof ajv.compile>>()
  const validatorOf = (schema: object) => {
    const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"api#/components')) as object
    const validator = validators.get(schema) ?? ajv.compile(absolute)
    validators.set(schema, validator)
    return validator
  }
  return (path, { method }, { status, headers, body }) => {
    if (status >= 500) return `status ${status}`
    if (method === 'OPTIONS') return status === 204 ? '' : `status ${status}`
    if (method === 'POST' || method === 'DELETE') return [404, 405].includes(status) ? '' : `status ${status}`
    // what a bad value made another path of
    const response = description.paths[path]!.get.responses[status] ?? (status === 404 ? NOT_FOUND : undefined)
    if (!response) return `status ${status} is not described`
    if (method === 'HEAD' || status === 304) return body === '' ? '' : 'it has a body'
    if (status === 200 && !headers.etag) return 'it has no etag'
    const type = String(headers['content-type']).split(';')[0]!
    const schema = response === NOT_FOUND ? undefined : response.content?.[type]?.schema
    if (response !== NOT_FOUND && !schema) return `content type ${type} is not described for ${status}`
    const validate = schema && validatorOf(schema)
    return !validate || validate(JSON.parse(body)) ? '' : ajv.errorsText(validate.errors)
  }
}
const NOT_FOUND: Operation['responses'][string] = {}

export async function fuzzApi(
  description: Description,
  known: Readonly<Record<string, readonly string[]>>,
  send: Send,
  options: { readonly runs: number; readonly seed: number },
): Promise<Readonly<Record<string, number>>> {
  const check = createCheck(description)
  const statuses: Record<string, number> = {}
  await fc.assert(
    fc.asyncProperty(requestsOf(description, known), async ([path, request]) => {
      const response = await send(request)
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      const fault = check(path, request, response)
      if (fault) throw new Error(`${request.method} ${request.url} (${path}): ${fault}: ${response.body.slice(0, 500)}`)
    }),
    { numRuns: options.runs, seed: options.seed, endOnFailure: true },
  )
  return statuses
}
