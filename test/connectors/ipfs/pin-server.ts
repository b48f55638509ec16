/** A service of the IPFS Pinning Service API 1.0.0, as far as pins of one user go. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ServedPin {
  requestid: string
  status: 'queued' | 'pinning' | 'pinned' | 'failed'
  pin: { cid: string; name?: string; origins?: string[] }
  info?: Record<string, string>
}

export interface PinServer {
  readonly url: string
  readonly pins: Map<string, ServedPin>
  readonly requests: string[]
  /** What it answers from now on; as a service that works without one. */
  play(answer?: (response: ServerResponse) => unknown): void
  close(): Promise<void>
}

export const TOKEN = 'a-token'

export async function startPinServer(): Promise<PinServer> {
  const pins = new Map<string, ServedPin>()
  const requests: string[] = []
  let playing: ((response: ServerResponse) => unknown) | undefined
  let next = 1
  const refuse = (response: ServerResponse, status: number, reason: string): unknown =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { reason } }))
  const add = (cid: string, pin: object): ServedPin => {
    const requestid = `request-${next++}`
    const made: ServedPin = { requestid, status: 'queued', pin: { cid, ...pin } }
    pins.set(requestid, made)
    return made
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      requests.push(`${request.method} ${request.url}`)
      if (playing) return playing(response)
      if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, 'UNAUTHORIZED')
      const url = new URL(request.url!, 'http://service')
      const [, id] = /^\/psa\/pins\/(.+)$/.exec(url.pathname) ?? []
      if (!url.pathname.startsWith('/psa/pins')) return refuse(response, 404, 'NOT_FOUND')
      if (request.method === 'GET') {
        const statuses = url.searchParams.get('status')?.split(',') ?? ['pinned']
        const results = [...pins.values()]
          .filter(({ pin, status }) => pin.cid === url.searchParams.get('cid') && statuses.includes(status))
          .map((one) => ({ created: '2026-01-01T00:00:00Z', delegates: [], ...one }))
        return response.end(JSON.stringify({ count: results.length, results }))
      }
      if (id !== undefined && !pins.delete(id)) return refuse(response, 404, 'NOT_FOUND')
      if (request.method === 'DELETE') return response.writeHead(202).end()
      const { cid, ...pin } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { cid: string }
      return response.writeHead(202).end(JSON.stringify({ created: '', delegates: [], ...add(cid, pin) }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/psa`,
    pins,
    requests,
    play(answer) {
      playing = answer
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
