/** The two ways to the markets of a log: the log itself, or the process that runs on a data directory, which alone may open it. */
import { randomUUID } from 'node:crypto'
import { type RequestOptions, request } from 'node:http'
import { systemClock } from '../../connectors/system-clock.ts'
import type { MarketRequest } from '../../schemas/types.ts'
import { configOf } from '../../streams/kafka-topic.ts'
import type { Log } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import { type MarketSources, type MarketStatus, marketStatuses } from '../reading/market-status.ts'
import { watchedLog } from './watched-log.ts'

export interface MarketsAdmin {
  statuses(): Promise<readonly MarketStatus[]>
  /** Resolves when the request is in the log, with its id; the clock takes it from there. */
  ask(dataMarket: string, served: boolean): Promise<string>
  /** Why not all that is written of them can be read, in words; undefined when it can. */
  unread(): Promise<string | undefined>
}

export function marketsAdminOfLog(sources: MarketSources): MarketsAdmin {
  const { log, unread } = watchedLog(sources.log)
  return {
    statuses: () => marketStatuses({ ...sources, log }),
    unread: () => unread([sources.topics.marketRequests]),
    ask: (dataMarket, served) => ask(log, sources.topics, dataMarket, served),
  }
}

async function ask(log: Log, { marketRequests }: Topics, dataMarket: string, served: boolean): Promise<string> {
  const { name: topic, key, value } = marketRequests
  await log.createTopics([configOf(marketRequests)])
  const asked: MarketRequest = { requestId: randomUUID(), served }
  const record = { key: key.encode({ dataMarket }), value: value.encode(asked) }
  const appender = await log.appender()
  try {
    await appender.append([{ topic, partition: 0, timestamp: systemClock.now(), ...record }])
  } finally {
    await appender.close()
  }
  return asked.requestId
}

/** Answers within this, ms. */
const ANSWER_MS_MAX = 60_000
const ANSWER_CHARS_MAX = 64 * 2 ** 20

/** Undefined when no process listens there. @param socket see admin-socket.ts */
export async function marketsAdminOfRunning(socket: string): Promise<MarketsAdmin | undefined> {
  const admin: MarketsAdmin = {
    statuses: async () => (await callSocket(socket, '/markets', 'GET')) as readonly MarketStatus[],
    ask: async (dataMarket, served) =>
      ((await callSocket(socket, '/markets', 'POST', { dataMarket, served })) as { requestId: string }).requestId,
    unread: async () => undefined, // nobody else writes to a directory
  }
  return (await answers(() => admin.statuses())) ? admin : undefined
}

/** False when no process listens there. */
export async function answers(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call()
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false
    throw error
  }
}

/** A call to the process that runs on a data directory. @param socket see admin-socket.ts */
export async function callSocket(socketPath: string, path: string, method: string, body?: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const { status, text } = await exchange({ socketPath, path, method, headers, agent: false }, body)
  if (status === 200) return JSON.parse(text)
  throw new CliError(
    `the running process answered ${status}: ${text.slice(0, 200)}`,
    'See its output.',
    EXIT.unavailable,
  )
}

/** @throws Error when the answer is too long or late */
function exchange(asked: RequestOptions, body?: object): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(asked, (response) => {
      let answer = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        answer += part
        if (answer.length > ANSWER_CHARS_MAX) call.destroy(new Error('the answer of the running process is too long'))
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: answer })).on('error', reject)
    })
    const late = setTimeout(() => call.destroy(new Error('the running process did not answer')), ANSWER_MS_MAX)
    call.on('close', () => clearTimeout(late))
    call.on('error', reject).end(body && JSON.stringify(body))
  })
}
