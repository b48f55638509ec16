/** A store as it is met over HTTP: the RPC of Kubo over a real file store, with an answer of a catalogue in its place when told. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BatchStore } from '../../../connectors/ipfs/batch-store.ts'
import { createFileBlockStore } from '../../../connectors/ipfs/file-store.ts'

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** `add`, `cat`, `pin/ls`, `pin/rm` */
  readonly command: string
  readonly parameters: URLSearchParams
  readonly body: Buffer
  readonly files: BatchStore
}

export type Answer = (exchange: Exchange) => unknown

export interface StoreServer {
  readonly url: string
  readonly files: BatchStore
  readonly requests: string[]
  /** What it answers from now on; like a well daemon without one. */
  play(answer?: Answer): void
  close(): Promise<void>
}

export async function startStoreServer(version: 0 | 1 = 1): Promise<StoreServer> {
  const directory = mkdtempSync(join(tmpdir(), 'store-server-'))
  const files = await createFileBlockStore({ directory, version })
  const requests: string[] = []
  let playing: Answer = wellBehaved
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => {})
    response.on('error', () => {})
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const url = new URL(request.url ?? '', 'http://kubo')
      requests.push(url.pathname + url.search)
      const command = url.pathname.replace('/api/v0/', '')
      const exchange = { request, response, command, parameters: url.searchParams, body: Buffer.concat(chunks), files }
      try {
        await playing(exchange)
      } catch (error) {
        response.writeHead(500).end(JSON.stringify({ Message: String(error), Code: 0, Type: 'error' }))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    requests,
    play(answer = wellBehaved) {
      playing = answer
      server.closeAllConnections() // what hangs would hang on
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** The one file of a multipart body. */
function fileOf({ headers }: IncomingMessage, body: Buffer): Buffer {
  const boundary = /boundary="?([^";]+)"?/.exec(headers['content-type'] ?? '')?.[1]
  const start = body.indexOf('\r\n\r\n') + 4
  return body.subarray(start, body.indexOf(`\r\n--${boundary}`, start))
}

export const added = (cid: string) => `${JSON.stringify({ Name: cid, Hash: cid, Size: '1' })}\n`

const wellBehaved: Answer = async ({ request, response, command, parameters, body, files }) => {
  const cid = parameters.get('arg') ?? ''
  if (command === 'add') response.end(added(await files.put(fileOf(request, body))))
  else if (command === 'cat') response.end(await files.get(cid))
  else if (command === 'pin/ls') {
    if (await files.has(cid)) response.end(JSON.stringify({ Keys: { [cid]: { Type: 'recursive' } } }))
    else response.writeHead(500).end(JSON.stringify({ Message: `path '${cid}' is not pinned`, Code: 0, Type: 'error' }))
  } else {
    await files.remove(cid, [])
    response.end(JSON.stringify({ Pins: [cid] }))
  }
}

const status =
  (code: number, text: string, headers: Record<string, string> = {}): Answer =>
  ({ response }) =>
    response.writeHead(code, headers).end(text)

const PAGE = '<!DOCTYPE html><html><body><h1>Login</h1></body></html>'
/** The CID of other bytes. */
export const OTHER_CID = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

/** Well up to the reading back; then this. */
const readBack =
  (answer: (bytes: Uint8Array, exchange: Exchange) => unknown): Answer =>
  async (exchange) => {
    const { command, files, parameters } = exchange
    if (command !== 'cat') return wellBehaved(exchange)
    return answer(await files.get(parameters.get('arg') ?? ''), exchange)
  }

/** Every way in which a store was ever seen to say no, and those that one can think of, with the code that each gets. */
export const ANSWERS: readonly (readonly [what: string, code: string, answer: Answer])[] = [
  ['never answers', 'UNAVAILABLE', () => {}],
  ['sends its head and then hangs', 'UNAVAILABLE', ({ response }) => void response.writeHead(200).write(' ')],
  ['cuts the connection before the answer', 'UNAVAILABLE', ({ request }) => void request.socket.destroy()],
  [
    'cuts the connection within the answer',
    'UNAVAILABLE',
    ({ response }) => {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('{"Name"', () => response.destroy())
    },
  ],
  ['answers 301', 'UNAVAILABLE', status(301, '', { location: 'http://127.0.0.1:9/' })],
  ['answers 400', 'REFUSED', status(400, 'bad')],
  ['answers 401', 'REFUSED', status(401, '{"Message":"who are you"}')],
  ['answers 403', 'REFUSED', status(403, '403 - Forbidden')],
  ['answers 404', 'REFUSED', status(404, '404 page not found')],
  ['answers 405', 'REFUSED', status(405, '')],
  ['answers 413', 'REFUSED', status(413, PAGE)],
  ['answers 429', 'UNAVAILABLE', status(429, 'slow down')],
  ['answers 500', 'UNAVAILABLE', status(500, '{"Message":"merkledag"}')],
  ['has a full disk', 'UNAVAILABLE', status(500, '{"Message":"no space left on device","Code":0,"Type":"error"}')],
  ['answers 502 with a page', 'UNAVAILABLE', status(502, PAGE)],
  ['answers 503', 'UNAVAILABLE', status(503, '')],
  ['answers 200 with an empty body', 'BAD_ANSWER', status(200, '')],
  ['answers 200 with a page of HTML', 'BAD_ANSWER', status(200, PAGE)],
  ['answers 200 with null', 'BAD_ANSWER', status(200, 'null')],
  [
    'answers 200 with an error in the trailer',
    'BAD_ANSWER',
    ({ response }) => {
      response.writeHead(200, { trailer: 'X-Stream-Error' })
      response.addTrailers({ 'X-Stream-Error': 'disk full' })
      response.end()
    },
  ],
  ['answers with no CID', 'BAD_ANSWER', status(200, added('nonsense'))],
  ['answers with another CID', 'CID_MISMATCH', status(200, added(OTHER_CID))],
  ['answers without end', 'TOO_LARGE', ({ response }) => flood(response)],
  ['refuses without end', 'UNAVAILABLE', ({ response }) => flood(response.writeHead(500))],
  [
    'forgets',
    'UNAVAILABLE',
    readBack((_, { response }) => response.writeHead(500).end('{"Message":"block was not found locally"}')),
  ],
  ['gives back nothing', 'CID_MISMATCH', readBack((_, { response }) => response.end())],
  ['gives back the half', 'CID_MISMATCH', readBack((bytes, { response }) => response.end(bytes.subarray(0, 5)))],
  ['gives back a page of HTML', 'TOO_LARGE', readBack((_, { response }) => response.end(PAGE.repeat(9)))],
  [
    'gives back a flipped bit',
    'CID_MISMATCH',
    readBack((bytes, { response }) => {
      const flipped = Buffer.from(bytes)
      flipped[3]! ^= 1
      response.end(flipped)
    }),
  ],
  [
    'cuts off what it gives back',
    'UNAVAILABLE',
    readBack((bytes, { response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 5), () => response.destroy())
    }),
  ],
  ['gives back without end', 'TOO_LARGE', readBack((_, { response }) => flood(response))],
]

function flood(response: ServerResponse): void {
  const timer = setInterval(() => response.write(Buffer.alloc(20_000, 32)), 1)
  response.on('close', () => clearInterval(timer))
}
