/** What clients of the query API may take, and what they cannot: the probes, and the turn of others. Over loopback's many addresses. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { request } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import Fastify from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { answerProblems } from '../../../ops/api/http.ts'
import { clientOf, limitClients, serverOptions } from '../../../ops/api/limits.ts'
import { createHealth } from '../../../ops/base/health.ts'
import type { Role } from '../../../ops/base/roles.ts'
import { probesPortBeside, startProbes } from '../../../ops/run/probes.ts'
import { startOpsServer } from '../../../ops/run/server.ts'
import type { Wiring } from '../../../ops/run/wiring.ts'
import { API_LIMITS, type ApiLimits } from '../../../ops/settings/api-limits.ts'
import { createMetrics } from '../../../ops/watch/metrics/create.ts'

const AT = { host: '127.0.0.1', port: 0 }
const running: { close(): Promise<unknown> | unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close()
})

async function start(limits: Partial<ApiLimits> = {}): Promise<{ api: string; probes: string }> {
  const health = createHealth([], () => 0)
  const wiring = {
    metrics: createMetrics({ version: '0', roles: [], markets: [] }),
    health,
    config: { roles: [] as readonly Role[], api: { limits: { ...API_LIMITS, ...limits } } },
  } as unknown as Wiring
  const [api, probes] = [await startOpsServer({ ...AT, host: '0.0.0.0' }, wiring), await startProbes(AT, wiring)]
  running.push(api, probes)
  return { api: `http://127.0.0.1:${new URL(api.url).port}`, probes: probes.url }
}

interface Held {
  /** Of those that the server left open. */
  count(): number
}
/** Connections that send `text` and no more. */
async function hold(url: string, n: number, localAddress: string, text = ''): Promise<Held> {
  const sockets: Socket[] = []
  const open = new Set<Socket>()
  const one = () =>
    new Promise<void>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), localAddress })
      sockets.push(socket)
      socket.on('error', () => {}).resume()
      socket.once('connect', () => {
        open.add(socket)
        if (text) socket.write(text)
        resolve()
      })
      socket.once('close', () => {
        open.delete(socket)
        resolve()
      })
    })
  // not more at once than the queue of the listener takes
  for (let made = 0; made < n; made += 100) await Promise.all(Array.from({ length: Math.min(100, n - made) }, one))
  running.push({
    close() {
      for (const socket of sockets) socket.destroy()
    },
  })
  return { count: () => open.size }
}

const ask = (url: string, localAddress = '127.0.0.1', headers = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    const options = { localAddress, headers, agent: false }
    request(url, options, (response) => response.resume().on('end', () => resolve(response.statusCode!)))
      .on('error', reject)
      .end()
  })

describe('connections', () => {
  test('behavior: 1,100 idle ones of an address keep neither probes nor others from being answered', async () => {
    const { api, probes } = await start()
    const idle = await hold(api, 1_100, '127.0.0.1')
    await expect.poll(idle.count).toBe(API_LIMITS.connectionsPerAddressMax)
    for (const path of ['/healthz', '/readyz', '/metrics']) expect(await ask(`${probes}${path}`)).toBe(200)
    expect(await ask(`${api}/healthz`, '127.0.0.2')).toBe(200)
  })
  test('behavior: when all are taken by many addresses, who has most makes room', async () => {
    const { api, probes } = await start({ connectionsMax: 64, connectionsPerAddressMax: 16 })
    const held: Held[] = []
    for (let host = 10; host < 14; host++) held.push(await hold(api, 16, `127.0.0.${host}`))
    const count = () => held.reduce((sum, one) => sum + one.count(), 0)
    await expect.poll(count).toBe(64)
    expect(await ask(`${api}/healthz`, '127.0.0.2')).toBe(200)
    await expect.poll(count).toBe(63)
    expect(await ask(`${probes}/healthz`)).toBe(200)
  })
  test.each([
    ['nothing', ''],
    ['half a request', 'GET /healthz HTTP/1.1\r\nhost: x\r\n'],
  ])('behavior: one that sends %s is closed', async (_, text) => {
    const { api } = await start({ requestMsMax: 100 })
    const { count } = await hold(api, 3, '127.0.0.1', text)
    await expect.poll(count, { timeout: 30_000 }).toBe(0)
  })
})

describe('requests', () => {
  test('behavior: more than the rate of an address are refused, those of another are not', async () => {
    const { api } = await start({ requestsPerSecondMax: 1 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${api}/healthz`)))
    expect(answers.filter((status) => status === 200).length).toBeGreaterThanOrEqual(2)
    expect(answers).toContain(429)
    expect(await ask(`${api}/healthz`, '127.0.0.2')).toBe(200)
  })
  test('behavior: clients behind a proxy are told apart, and only a proxy is believed', async () => {
    const { api } = await start({ requestsPerSecondMax: 1, proxies: ['127.0.0.9'], connectionsPerAddressMax: 2 })
    const from = (client: string, via: string) => ask(`${api}/healthz`, via, { 'x-forwarded-for': client })
    for (let n = 0; n < 10; n++) expect(await from(`10.0.0.${n}`, '127.0.0.9')).toBe(200)
    const forged = await Promise.all(Array.from({ length: 2 }, (_, n) => from(`10.0.1.${n}`, '127.0.0.3')))
    expect(forged).toEqual([200, 200])
    const others = await Promise.all(Array.from({ length: 2 }, (_, n) => from(`10.0.2.${n}`, '127.0.0.3')))
    expect(others).toContain(429)
    expect((await hold(api, 8, '127.0.0.9')).count()).toBe(8)
  })
})

describe('a connection', () => {
  /** What the server answers to `text`, until it closes. */
  const talk = (url: string, localAddress: string, text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), localAddress })
      let answers = ''
      socket
        .on('error', () => {})
        .on('data', (part) => {
          answers += part
        })
      socket.on('close', () => resolve(answers))
      socket.write(text)
    })
  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400, /no HTTP request: Parse Error/],
    ['an invalid header', 'GET / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n', 400, /no HTTP request/],
    ['headers without end', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431, /larger than 16 KiB/],
  ])('error: %s is answered as everything else is refused', async (_, text, status, detail) => {
    const { api, probes } = await start()
    for (const url of [api, probes]) {
      const [head, body] = (await talk(url, '127.0.0.1', text)).split('\r\n\r\n')
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} \\w`))
      expect(head).toContain('content-type: application/problem+json')
      expect(JSON.parse(body!)).toMatchObject({ type: 'about:blank', status, detail: expect.stringMatching(detail) })
    }
  })
  const statuses = (answers: string): number[] =>
    [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
  /** Requests that Node took up while `act` ran. */
  async function requestsOf(act: () => Promise<unknown>): Promise<number> {
    let requests = 0
    const more = () => void requests++
    subscribe('http.server.request.start', more)
    await act().finally(() => unsubscribe('http.server.request.start', more))
    return requests
  }
  const of = (lines: string) => `GET /healthz HTTP/1.1\r\nhost: x\r\n${lines}\r\n`

  test.each([
    ['requests', ''],
    ['requests that Node answers itself', 'expect: much\r\n'],
    ['requests with a body', 'content-length: 0\r\n'],
  ])(
    'behavior: one with 2,000 %s on the way is cut after a few, on both listeners, and others are served',
    async (_, lines) => {
      const { api, probes } = await start({ requestsPerSecondMax: 1_000_000 })
      for (const url of [api, probes]) {
        let answers: string[] = []
        const requests = await requestsOf(async () => {
          answers = await Promise.all(Array.from({ length: 8 }, () => talk(url, '127.0.0.1', of(lines).repeat(2_000))))
        })
        expect(requests).toBeLessThanOrEqual(8 * 2)
        for (const one of answers) expect(statuses(one).length).toBeLessThanOrEqual(2)
        expect(await ask(`${probes}/readyz`)).toBe(200)
        expect(await ask(`${api}/healthz`, '127.0.0.2')).toBe(200)
      }
    },
  )
  test('behavior: requests one after the other keep it', async () => {
    const { api } = await start()
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(api).port) })
    running.push({ close: () => void socket.destroy() })
    for (let n = 0; n < 50; n++) {
      socket.write(of(''))
      const answer = await new Promise((resolve) => socket.once('data', resolve))
      expect(statuses(String(answer))).toEqual([200])
    }
    socket.write(of('connection: close\r\n'))
    await new Promise((resolve) => socket.once('close', resolve))
  })

  /** At a time that stands still. */
  async function startAt(now: () => number, limits: Partial<ApiLimits>): Promise<string> {
    const all = { ...API_LIMITS, ...limits }
    const server = Fastify({ ...serverOptions(all), forceCloseConnections: true })
    answerProblems(server, () => {})
    limitClients(server, all, now)
    server.get('/healthz', async () => 'ok')
    running.push(server)
    return server.listen({ ...AT, host: '0.0.0.0' })
  }
  test('behavior: one over the rate is told so once and closed', async () => {
    const api = await startAt(() => 0, { requestsPerSecondMax: 1 })
    for (const status of [200, 200]) expect(await ask(`${api}/healthz`)).toBe(status)
    const answer = await talk(api, '127.0.0.1', of(''))
    expect(statuses(answer)).toEqual([429])
    expect(answer).toMatch(/connection: close/i)
    expect(await ask(`${api}/healthz`, '127.0.0.2')).toBe(200)
  })
  test('behavior: an address that opens more and more of them is not answered any more', async () => {
    const api = await startAt(() => 0, { requestsPerSecondMax: 1, connectionsPerAddressMax: 8 })
    const answers: number[][] = []
    const requests = await requestsOf(async () => {
      for (let n = 0; n < 30; n++) answers.push(statuses(await talk(api, '127.0.0.1', of('connection: close\r\n'))))
    })
    expect(requests).toBe(18)
    expect(answers.flat()).toEqual([200, 200, ...Array(16).fill(429)])
    expect(await ask(`${api}/healthz`, '127.0.0.2')).toBe(200)
  })
  test('behavior: who asks steadily faster than the rate is served at the rate', async () => {
    let now = 0
    const api = await startAt(() => now, { requestsPerSecondMax: 1 })
    let served = 0
    for (; now < 90_000; now += 900) if ((await ask(`${api}/healthz`)) === 200) served++
    expect(served).toBeGreaterThanOrEqual(90)
  })
})

test('behavior: a port that is taken is named, with what to do', async () => {
  const other = createServer().listen({ ...AT })
  await new Promise((resolve) => other.once('listening', resolve))
  running.push({ close: () => other.close() })
  const { port } = other.address() as AddressInfo
  const wiring = { metrics: undefined, health: createHealth([], () => 0) } as unknown as Wiring
  await expect(startProbes({ ...AT, port }, wiring)).rejects.toMatchObject({
    message: expect.stringContaining(`port ${port} for probes is in use`),
    hint: expect.stringContaining('ops.probesPort'),
  })
})

test('default: the port of the probes is beside that of the query API', () => {
  expect([9090, 0, 65_535].map(probesPortBeside)).toEqual([9190, 0, 65_435])
})

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', ''],
])('default: %s counts as %s', (address, client) => {
  expect(clientOf(address)).toBe(client)
})
