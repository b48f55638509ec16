/**
 * A fake: an HTTP server that answers as Confluent's registry is documented to, where the real one of the tests (Apicurio)
 * answers otherwise: words make a new version and are kept, one schema has one id under all subjects, a subject without a
 * level is 40408, a read-only one refuses with 42205, deletes are soft first. And it fails on demand.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

interface Version {
  readonly version: number
  readonly id: number
}

type Answer = readonly [status: number, body: unknown]

export interface FakeConfluent {
  readonly url: string
  /** METHOD and path of each request, in order. */
  readonly requests: string[]
  /** Authorization headers seen. */
  readonly authorizations: (string | undefined)[]
  /** What is done with the next requests instead of answering, one each. */
  readonly failures: ('cut' | 'half an answer' | 'silence' | Answer)[]
  /** Answers with this level, whatever was set. */
  stubbornLevel: string | undefined
  readOnly: boolean
  /** Puts a schema of any kind under an id. */
  put(id: number, schema: object): void
  close(): Promise<void>
}

/** @param tls key and certificate, PEM; plain HTTP without */
export async function startFakeConfluent(tls?: {
  readonly key: Buffer
  readonly cert: Buffer
}): Promise<FakeConfluent> {
  const schemas = new Map<number, object>()
  const subjects = new Map<string, Version[]>()
  const levels = new Map<string, string>()

  const register = (subject: string, schema: string): Answer => {
    if (fake.readOnly) return [422, { error_code: 42205, message: `Subject ${subject} is in read-only mode` }]
    const found = [...schemas].find(([, known]) => (known as { schema: string }).schema === schema)
    const id = found?.[0] ?? 100 + schemas.size
    schemas.set(id, { schema })
    const versions = subjects.get(subject) ?? []
    if (!versions.some((version) => version.id === id)) versions.push({ version: versions.length + 1, id })
    subjects.set(subject, versions)
    return [200, { id }]
  }

  const answer = (method: string, path: string, body: { schema?: string; compatibility?: string }): Answer => {
    const [, kind, name = '', part, number] = path.split('/').map(decodeURIComponent) as [string, string, ...string[]]
    if (kind === 'config' && method === 'PUT') {
      levels.set(name, body.compatibility!)
      return [200, { compatibility: body.compatibility }]
    }
    if (kind === 'config') {
      const level = fake.stubbornLevel ?? levels.get(name)
      if (level) return [200, { compatibilityLevel: level }]
      return [
        404,
        { error_code: 40408, message: `Subject '${name}' does not have subject-level compatibility configured` },
      ]
    }
    if (kind === 'schemas') {
      const schema = schemas.get(Number(part))
      return schema ? [200, schema] : [404, { error_code: 40403, message: `Schema ${part} not found` }]
    }
    if (kind === 'subjects' && name === '') return [200, [...subjects.keys()]]
    if (method === 'POST') return register(name, body.schema!)
    const versions = subjects.get(name)
    if (!versions) return [404, { error_code: 40401, message: `Subject '${name}' not found.` }]
    if (method === 'DELETE') {
      subjects.delete(name)
      return [200, versions.map(({ version }) => version)]
    }
    if (number === undefined) return [200, versions.map(({ version }) => version)]
    const { version, id } = versions[Number(number) - 1]!
    return [200, { subject: name, version, id, ...schemas.get(id) }]
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    fake.requests.push(`${request.method} ${request.url}`)
    fake.authorizations.push(request.headers.authorization)
    const failure = fake.failures.shift()
    if (failure === 'silence') return
    if (failure === 'cut') return void request.socket.destroy()
    response.setHeader('content-type', 'application/vnd.schemaregistry.v1+json')
    if (failure === 'half an answer') {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('{"schema":', () => request.socket.destroy())
      return
    }
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {}
    const path = new URL(request.url!, 'http://fake').pathname
    const [status, content] = failure ?? answer(request.method!, path, body)
    response.writeHead(status).end(typeof content === 'string' ? content : JSON.stringify(content))
  }
  const server = tls ? createTlsServer(tls, serve) : createServer(serve)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))

  const fake: FakeConfluent = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    authorizations: [],
    failures: [],
    stubbornLevel: undefined,
    readOnly: false,
    put: (id, schema) => void schemas.set(id, schema),
    close: () => {
      server.closeAllConnections()
      return new Promise((done) => server.close(() => done()))
    },
  }
  return fake
}
