import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Connection } from '../../../../connectors/log/kafka/connection.ts'
import type { KafkajsExchange, KafkajsNode } from '../../../../connectors/log/kafka/kafkajs.ts'
import { apiVersions } from '../../../../connectors/log/kafka/requests/api-versions.ts'
import { Throttle } from '../../../../connectors/log/kafka/throttle.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'

const REQUEST_TIMEOUT_MS = 10_000
const AT = { host: '127.0.0.1', port: 9092, lane: 'common' }
let silentMs = 0
const imposed: object[] = []
const throttle = {
  leftOf: () => silentMs,
  imposed: (_lane: string, throttled: object) => void imposed.push(throttled),
}
const never = new Promise<never>(() => {})

/** kafkajs as it may be: a socket lost at the wrong moment takes with it what was under way, and nobody hears of it. */
class Silent implements KafkajsNode {
  readonly ends: boolean
  connected = false
  given: Error[] = []
  constructor(connects: boolean) {
    this.ends = connects
  }
  readonly connectionPool = {
    pool: [
      {
        isConnected: () => this.connected,
        send: async ({ request }: KafkajsExchange) => {
          await request.encode()
          return await never
        },
        rejectRequests: (error: Error) => void this.given.push(error),
        requestQueue: { pending: [], throttledUntil: 0, scheduleCheckPendingRequests: () => {} },
      },
    ],
  }
  async connect() {
    if (!this.ends) await never
    this.connected = true
  }
  async disconnect() {
    this.connected = false
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const connectionTo = (nodes: Silent[]) => new Connection(async () => nodes.shift()!, AT, REQUEST_TIMEOUT_MS, throttle)

test('error: a request that kafkajs never settles is unanswered in the end, and its connection not used again', async () => {
  const [first, second] = [new Silent(true), new Silent(true)]
  const connection = connectionTo([first, second])
  const outcome = expect(connection.send(apiVersions())).rejects.toMatchObject({
    code: 'UNANSWERED',
    retriable: true,
    indefinite: true,
    message: 'ApiVersions to 127.0.0.1:9092: no answer within 11 s',
  })
  await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS + 1_000)
  await outcome
  expect([first.connected, first.given.length]).toEqual([false, 1])
  void connection.send(apiVersions()).catch(() => {})
  await vi.advanceTimersByTimeAsync(1)
  expect(second.connected).toBe(true)
})

test('args: a request that may wait longer is given the longer time', async () => {
  const node = new Silent(true)
  let settled = false
  const sent = connectionTo([node]).send(apiVersions(), 30_000)
  sent
    .catch(() => {})
    .finally(() => {
      settled = true
    })
  await vi.advanceTimersByTimeAsync(30_999)
  expect(settled).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(settled).toBe(true)
})

test('error: connecting that never ends counts as nothing sent', async () => {
  const outcome = expect(connectionTo([new Silent(false)]).send(apiVersions())).rejects.toMatchObject({
    code: 'UNREACHABLE',
    retriable: true,
    indefinite: false,
  })
  await vi.advanceTimersByTimeAsync(20_000)
  await outcome
})

test('behavior: an answer that throttles is told, and what is asked next has that much longer', async () => {
  const answered = new Silent(true)
  answered.connectionPool.pool[0]!.send = async ({ request, response }: KafkajsExchange) => {
    await request.encode()
    const payload = Buffer.from([0, 0, 1, 0, 0, 2, 0xbc, 0]) // no error, no versions, 700 ms, no tags
    return (await response.parse(await response.decode(payload))) as never
  }
  await connectionTo([answered]).send(apiVersions())
  expect(imposed).toEqual([{ broker: '127.0.0.1:9092', request: 'ApiVersions', ms: 700 }])
  silentMs = 4_000
  const outcome = expect(connectionTo([new Silent(true)]).send(apiVersions())).rejects.toThrow('no answer within 15 s')
  await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS + 5_000)
  await outcome
  silentMs = 0
})

test('behavior: a lane is waited for until each of its brokers reads it again, another is not', async () => {
  const told: number[] = []
  const waits = new Throttle(systemClock, ({ ms }) => told.push(ms))
  waits.imposed('a', { broker: 'x:1', request: 'Produce', ms: 300 })
  waits.imposed('a', { broker: 'y:1', request: 'Produce', ms: 60_000 })
  waits.imposed('b', { broker: 'x:1', request: 'Fetch', ms: 900 })
  expect([told, waits.totalMs, waits.leftOf('x:1', 'a'), waits.leftOf('x:1', 'c')]).toEqual([
    [300, 60_000, 900],
    61_200,
    300,
    0,
  ])
  let over = false
  void waits.over('a', new AbortController().signal).then(() => {
    over = true
  })
  await waits.over('c', new AbortController().signal)
  await vi.advanceTimersByTimeAsync(14_000)
  expect(over).toBe(false)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(over).toBe(true)
})
