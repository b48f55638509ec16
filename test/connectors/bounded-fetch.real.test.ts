import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { boundedFetch, LateAnswer } from '../../connectors/bounded-fetch.ts'

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

async function serverThat(respond: (outgoing: ServerResponse) => void) {
  const state = { connections: 0 }
  const server = createServer((_, outgoing) => respond(outgoing))
  server.on('connection', (socket) => {
    state.connections++
    socket.on('close', () => state.connections--)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return Object.assign(state, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

const trickle = (outgoing: ServerResponse): void => {
  outgoing.writeHead(200).write(' ')
  const timer = setInterval(() => outgoing.write(' '), 20)
  outgoing.on('close', () => clearInterval(timer))
}
const AT_ONCE = 16
const bounds = { timeoutMs: 400, bytesMax: 1_000_000 }

test.each([
  ['a body that trickles', trickle],
  ['no answer at all', () => undefined],
])('bound: %s ends by its time, also when garbage is collected, and its connection is closed', async (_, respond) => {
  const server = await serverThat(respond)
  const asked = Array.from({ length: AT_ONCE }, () => boundedFetch(server.url, {}, bounds).catch((error) => error))
  const collecting = setInterval(collectGarbage, 50)
  const answers = await Promise.all(asked).finally(() => clearInterval(collecting))
  expect(answers.every((answer) => answer instanceof LateAnswer)).toBe(true)
  await expect.poll(() => server.connections, { timeout: 5_000 }).toBe(0)
})

test('bound: the signal of the caller ends a body that trickles, also when garbage is collected', async () => {
  const server = await serverThat(trickle)
  const stop = new AbortController()
  let pieces = 0
  const take = (): void => void pieces++
  const asked = boundedFetch(server.url, {}, { timeoutMs: 60_000, bytesMax: 1_000_000, signal: stop.signal, take })
  const failed = expect(asked).rejects.toThrow('enough')
  const afterGarbage = (): number => {
    collectGarbage()
    return pieces
  }
  await expect.poll(afterGarbage, { timeout: 5_000 }).toBeGreaterThan(3)
  stop.abort(new Error('enough'))
  await failed
  await expect.poll(() => server.connections, { timeout: 5_000 }).toBe(0)
})

test('bound: of more bytes than are taken, counted behind the decompression, only the first are given', async () => {
  const server = await serverThat((outgoing) =>
    outgoing.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(8_000_000))),
  )
  const { body, isCut } = await boundedFetch(server.url, {}, bounds)
  expect([body.length, isCut]).toEqual([bounds.bytesMax, true])
})

test('bound: what was compressed more than once is not unpacked', async () => {
  const twice = gzipSync(gzipSync(Buffer.from('{}')))
  const server = await serverThat((outgoing) =>
    outgoing.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(twice),
  )
  await expect(boundedFetch(server.url, {}, bounds)).rejects.toThrow('compressed more than once')
})
