/** Server-sent events over a socket: told as things happen, resumed without a gap, bounded. */
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { events } from '../../../ops/api/events-schema.ts'
import type { View } from '../../../ops/api/view/view.ts'
import { API_LIMITS } from '../../../ops/settings/api-limits.ts'
import { MARKET } from '../look/fixture.ts'
import { createDays, votes } from './days-story.ts'
import { createStory, type RunningApi, type Story, startApi } from './story.ts'

let story: Story
let api: RunningApi
let url: string
const serve = async (directory?: string): Promise<void> => {
  api = await startApi(story.fixture, directory === undefined ? {} : { directory })
  await api.server.listen({ host: '127.0.0.1', port: 0 })
  url = `http://127.0.0.1:${(api.server.server.address() as AddressInfo).port}/v1/events`
}
beforeEach(async () => {
  story = await createStory()
  await story.epoch(1, 3)
  await serve()
  await api.caughtUp()
})
afterEach(() => api.close())

interface Heard {
  readonly event: keyof typeof events
  readonly data: Record<string, unknown>
  readonly id: string | undefined
}
interface Listener {
  readonly heard: readonly Heard[]
  close(): void
}
async function listen(lastEventId?: string): Promise<Listener> {
  const stop = new AbortController()
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const response = await fetch(url, { signal: stop.signal, headers })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const heard: Heard[] = []
  const read = async (): Promise<void> => {
    let text = ''
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) if (block.includes('data: ')) heard.push(parse(block))
    }
  }
  read().catch(() => {})
  return { heard, close: () => stop.abort() }
}
function parse(block: string): Heard {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  const event = field('event') as Heard['event']
  return { event, data: events[event].parse(JSON.parse(field('data')!)), id: field('id') }
}
const lastId = ({ heard }: Listener): string | undefined => heard.findLast(({ id }) => id !== undefined)?.id
const epochsOf = ({ heard }: Listener) =>
  new Set(heard.flatMap(({ event, data }) => (event === 'epoch' ? [data.epochId] : [])))

test('default: days, as they are after a change', async () => {
  const listener = await listen()
  await expect.poll(() => listener.heard.length, { timeout: 10_000 }).toBeGreaterThan(0)
  await createDays(story.fixture, MARKET, false).epoch(2, 1, { 1: votes(5, 4) })
  await expect
    .poll(() => listener.heard.findLast(({ event }) => event === 'day')?.data, { timeout: 10_000 })
    .toMatchObject({ day: 1, standing: 'COUNTING', epochs: 1, counted: 4, eligibleSlots: 1 })
  listener.close()
})

test('default: epochs, verdicts and anchors as they happen; first that everything is to be asked for', async () => {
  const listener = await listen()
  await expect.poll(() => listener.heard.length, { timeout: 10_000 }).toBeGreaterThan(0)
  expect(listener.heard[0]).toMatchObject({ event: 'reset', data: {} })
  await story.epoch(2, 3)
  await expect
    .poll(() => listener.heard.map(({ event }) => event), { timeout: 10_000 })
    .toEqual(expect.arrayContaining(['epoch', 'verdicts', 'anchor']))
  await expect
    .poll(() => listener.heard.findLast(({ event }) => event === 'epoch')?.data, { timeout: 10_000 })
    .toMatchObject({ epochId: 2, phase: 'ANCHORED', submissions: 3 })
  listener.close()
})

test('behavior: who comes back is told what he missed, also by a process that was restarted meanwhile', async () => {
  const first = await listen()
  await story.epoch(2, 2)
  await expect.poll(() => epochsOf(first).has(2), { timeout: 10_000 }).toBe(true)
  await expect.poll(() => lastId(first), { timeout: 10_000 }).toBeDefined()
  first.close()
  const id = lastId(first)!
  await story.epoch(3, 2)
  await api.caughtUp()
  const second = await listen(id)
  await expect.poll(() => epochsOf(second).has(3), { timeout: 10_000 }).toBe(true)
  expect(second.heard.map(({ event }) => event)).not.toContain('reset')
  second.close()
  await story.epoch(4, 2)
  await api.caughtUp()
  await api.close(true)
  await serve(api.directory)
  const third = await listen(id)
  await expect.poll(() => [...epochsOf(third)], { timeout: 10_000 }).toEqual(expect.arrayContaining([3, 4]))
  expect(third.heard.map(({ event }) => event)).not.toContain('reset')
  third.close()
})

test.each(['1.2', 'x', '99.0-0'])('args: an id that is none of ours, %s', async (id) => {
  const listener = await listen(id)
  await expect.poll(() => listener.heard[0]?.event, { timeout: 10_000 }).toBe('reset')
  listener.close()
})

describe('places', () => {
  const { listenersMax, listenersPerAddressMax } = API_LIMITS
  /** From one address of loopback. Tells how many are still open. */
  function hold(many: number, localAddress: string): { open(): number; close(): void } {
    const port = Number(new URL(url).port)
    const sockets = Array.from({ length: many }, () => connect({ host: '127.0.0.1', port, localAddress }))
    for (const socket of sockets)
      socket
        .on('error', () => {})
        .resume()
        .write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n')
    const close = () => sockets.forEach((socket) => void socket.destroy())
    return { open: () => sockets.filter(({ closed }) => !closed).length, close }
  }
  const listening = (many: number) => expect.poll(() => api.admin.hub().clients(), { timeout: 20_000 }).toBe(many)

  test('error: more from one address than it may have; others are served, and a place that is left is free', async () => {
    const greedy = hold(listenersPerAddressMax, '127.0.0.2')
    await listening(listenersPerAddressMax)
    const own = await listen()
    const more = hold(5, '127.0.0.2')
    const refused = await askFrom('127.0.0.2')
    expect(refused.status).toBe(429)
    expect(refused.detail).toBe(`${listenersPerAddressMax} listen already from 127.0.0.2; close one of them`)
    await listening(listenersPerAddressMax + 1)
    greedy.close()
    more.close()
    await listening(1)
    const again = hold(listenersPerAddressMax, '127.0.0.2')
    await listening(listenersPerAddressMax + 1)
    again.close()
    own.close()
    await listening(0)
  })

  test('error: when all places are taken, who has most makes room for who has fewer, and for nobody else', async () => {
    const addresses = Array.from(
      { length: Math.ceil(listenersMax / listenersPerAddressMax) },
      (_, at) => `127.0.1.${at + 1}`,
    )
    const held = addresses.map((address, at) =>
      hold(Math.min(listenersPerAddressMax, listenersMax - at * listenersPerAddressMax), address),
    )
    await listening(listenersMax)
    const open = () => held.reduce((sum, one) => sum + one.open(), 0)
    const honest = await listen()
    await expect.poll(() => honest.heard.length, { timeout: 20_000 }).toBeGreaterThan(0)
    await expect.poll(open, { timeout: 20_000 }).toBe(listenersMax - 1)
    for (const one of held) one.close()
    honest.close()
    await listening(0)
    const each = Array.from({ length: listenersMax }, (_, at) => hold(1, `127.0.2.${at + 1}`))
    await listening(listenersMax)
    const refused = await askFrom('127.0.0.2')
    expect(refused.status).toBe(503)
    expect(refused.detail).toBe(`${listenersMax} listen already; try again later`)
    for (const one of each) one.close()
    await listening(0)
  })
})

const askFrom = (localAddress: string): Promise<{ status: number; detail: string }> =>
  new Promise((resolve, reject) => {
    const asked = request(url, { localAddress, agent: false }, (response) => {
      const pieces: Buffer[] = []
      response
        .on('data', (piece: Buffer) => void pieces.push(piece))
        .on('end', () =>
          resolve({ status: response.statusCode!, detail: JSON.parse(Buffer.concat(pieces).toString()).detail }),
        )
    })
    asked.on('error', reject).end()
  })

test('error: when the view cannot be read, listeners are let go; who comes back has missed nothing', async () => {
  let failing = false
  const read: View['read'] = (ask) => (failing ? Promise.reject(new Error('the disk failed')) : api.view.read(ask))
  const source = api.admin.source()
  api.admin.close()
  api.admin.open({ ...source, view: { ...api.view, read } })
  const first = await listen()
  await expect.poll(() => lastId(first), { timeout: 10_000 }).toBeDefined()
  failing = true
  await story.epoch(2, 2)
  await expect.poll(() => api.admin.hub().clients(), { timeout: 10_000 }).toBe(0)
  const refused = await fetch(url)
    .then((response) => response.text())
    .catch(() => 'let go')
  expect(refused).toBe('let go')
  failing = false
  const second = await listen(lastId(first))
  await expect.poll(() => epochsOf(second).has(2), { timeout: 10_000 }).toBe(true)
  second.close()
})

test('error: one that takes nothing is let go', async () => {
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {}).write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n')
  socket.pause()
  await expect.poll(() => api.admin.hub().clients(), { timeout: 20_000 }).toBe(1)
  const flood = setInterval(() => api.admin.hub().say(`: ${'x'.repeat(1 << 20)}\n\n`), 20)
  await expect.poll(() => api.admin.hub().clients(), { timeout: 20_000 }).toBe(0)
  clearInterval(flood)
  socket.destroy()
})
