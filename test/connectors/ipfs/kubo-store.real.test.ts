import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { createKuboStore } from '../../../connectors/ipfs/kubo-store.ts'
import { storeBatch } from '../../../connectors/ipfs/store.ts'

const bytes = Buffer.from('{"submissionIDs":["a"]}')
let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

/** An HTTP server in the place of a Kubo daemon; gives its address. */
async function serve(answer: Answer): Promise<string> {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => answer(request, response, Buffer.concat(chunks)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The one file of a multipart body. */
function fileOf({ headers }: IncomingMessage, body: Buffer): Buffer {
  const boundary = /boundary="?([^";]+)"?/.exec(headers['content-type'] ?? '')?.[1]
  const start = body.indexOf('\r\n\r\n') + 4
  return body.subarray(start, body.indexOf(`\r\n--${boundary}`, start))
}

const added = (cid: string) => `${JSON.stringify({ Name: cid, Hash: cid, Size: '1' })}\n`

/** What a well daemon does with `add` and `cat`. */
function wellBehaved(): { answer: Answer; urls: string[] } {
  const kept = new Map<string, Buffer>()
  const urls: string[] = []
  const answer: Answer = async (request, response, body) => {
    const url = new URL(request.url ?? '', 'http://kubo')
    urls.push(url.pathname + url.search)
    if (url.pathname.endsWith('/add')) {
      const file = fileOf(request, body)
      const cid = await computeCid(file, url.searchParams.get('cid-version') === '0' ? 0 : 1)
      kept.set(cid, file)
      response.end(added(cid))
    } else {
      const found = kept.get(url.searchParams.get('arg') ?? '')
      if (found) response.end(found)
      else response.writeHead(500).end(JSON.stringify({ Message: 'not found', Code: 0, Type: 'error' }))
    }
  }
  return { answer, urls }
}

describe('createKuboStore (no Kubo daemon could be had here: an HTTP server stands in for it)', () => {
  it('default: adds, pins and reads back with the settings that give the CID of computeCid', async () => {
    const { answer, urls } = wellBehaved()
    const kubo = createKuboStore({ url: await serve(answer) })
    const stored = await storeBatch(bytes, [kubo], { version: 1, storesRequired: 1 })
    expect(stored.cid).toBe(await computeCid(bytes))
    const parameters = new URL(urls[0]!, 'http://kubo').searchParams
    expect(Object.fromEntries(parameters)).toMatchObject({
      'cid-version': '1',
      'raw-leaves': 'true',
      chunker: 'size-262144',
      pin: 'true',
    })
  })

  it('args: version 0', async () => {
    const { answer, urls } = wellBehaved()
    const kubo = createKuboStore({ url: await serve(answer), version: 0 })
    expect(await kubo.put(bytes)).toBe(await computeCid(bytes, 0))
    expect(urls[0]).toContain('cid-version=0')
    expect(urls[0]).toContain('raw-leaves=false')
  })

  const cid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
  const faults: [what: string, code: string, answer: Answer][] = [
    ['never answers', 'UNAVAILABLE', () => {}],
    ['sends its head and then hangs', 'UNAVAILABLE', (_, response) => void response.writeHead(200).write(' ')],
    ['cuts the connection before the answer', 'UNAVAILABLE', (request) => void request.socket.destroy()],
    [
      'cuts the connection within the answer',
      'UNAVAILABLE',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1_000 })
        response.write('{"Name"', () => response.destroy())
      },
    ],
    ['answers 400', 'REFUSED', (_, response) => void response.writeHead(400).end('bad')],
    ['answers 403', 'REFUSED', (_, response) => void response.writeHead(403).end('403 - Forbidden')],
    ['answers 429', 'UNAVAILABLE', (_, response) => void response.writeHead(429).end('slow down')],
    ['answers 500', 'UNAVAILABLE', (_, response) => void response.writeHead(500).end('{"Message":"merkledag"}')],
    [
      'has a full disk',
      'UNAVAILABLE',
      (_, response) =>
        void response.writeHead(500).end('{"Message":"no space left on device","Code":0,"Type":"error"}'),
    ],
    ['answers 200 with an empty body', 'UNAVAILABLE', (_, response) => void response.writeHead(200).end()],
    ['answers 200 with something else', 'UNAVAILABLE', (_, response) => void response.writeHead(200).end('<html>')],
    [
      'answers 200 with an error in the trailer',
      'UNAVAILABLE',
      (_, response) => {
        response.writeHead(200, { trailer: 'X-Stream-Error' })
        response.addTrailers({ 'X-Stream-Error': 'disk full' })
        response.end()
      },
    ],
    ['answers with another CID', 'CID_MISMATCH', (_, response) => void response.end(added(cid))],
    ['answers with no CID', 'UNAVAILABLE', (_, response) => void response.end(added('nonsense'))],
  ]
  it.each(faults)('error: a server that %s is %s', async (_what, code, answer) => {
    const kubo = createKuboStore({ url: await serve(answer), timeoutMs: 300 })
    await expect(storeBatch(bytes, [kubo], { version: 1, storesRequired: 1 })).rejects.toMatchObject({ code })
  })

  it('error: nobody listens', async () => {
    const url = await serve(() => {})
    server?.close()
    await expect(createKuboStore({ url }).put(bytes)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('error: a caller that gives up ends the call', async () => {
    const kubo = createKuboStore({ url: await serve(() => {}) })
    const giveUp = new AbortController()
    const put = kubo.put(bytes, { signal: giveUp.signal })
    giveUp.abort()
    await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('error: an answer without end is TOO_LARGE', async () => {
    const url = await serve((_, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(10_000)), 1)
      response.on('close', () => clearInterval(timer))
    })
    const kubo = createKuboStore({ url, bytesMax: 50_000 })
    await expect(kubo.get(cid)).rejects.toMatchObject({ code: 'TOO_LARGE' })
  })
})
