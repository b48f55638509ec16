import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Connection } from '../../../../connectors/log/kafka/connection.ts'
import type { KafkajsExchange, KafkajsNode } from '../../../../connectors/log/kafka/kafkajs.ts'
import { apiVersions } from '../../../../connectors/log/kafka/requests/api-versions.ts'

const REQUEST_TIMEOUT_MS = 10_000
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

const connectionTo = (nodes: Silent[]) =>
  new Connection(async () => nodes.shift()!, '127.0.0.1', 9092, REQUEST_TIMEOUT_MS)

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
