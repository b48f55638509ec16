/**
 * `/v1/events`: what changes, as it changes (server-sent events). Each event has the state it leads to, not a difference, so
 * one that comes twice does no harm. Its id is the position of the log; who comes back with it is told what he missed. So
 * when the view cannot be read, listeners are let go instead of being left without a piece of news.
 */
import type { ServerResponse } from 'node:http'
import type { AnchorKey, DayKey, EpochKey } from '../../schemas/types.ts'
import type { Topics } from '../../topology/topics.ts'
import { printableJson } from '../base/printable.ts'
import type { ApiLimits } from '../settings/api-limits.ts'
import type { events } from './events-schema.ts'
import { Places } from './limits.ts'
import { HttpProblem } from './problem.ts'
import { anchorItem } from './queries/batches.ts'
import { dayOf } from './queries/days.ts'
import { countsOf, epochSummaryOf } from './queries/epochs.ts'
import type { Change } from './view/rows.ts'
import type { ViewReader } from './view/store.ts'
import type { View } from './view/view.ts'

/** Written to a client and not taken by it; one that takes nothing is let go, and comes back with its last id. */
const BUFFER_BYTES_MAX = 256 * 1024
/** Changes are told together, at most this often, so verdicts at most once a second for each epoch. */
const TELL_MS = 1_000
/** Told one by one; of more than these, that there are many. */
const EVENTS_MAX = 500
/** Keeps proxies from closing a connection over which nothing is said. */
const HEARTBEAT_MS = 15_000
/** The pause of browsers before they come back. */
const RETRY_MS = 2_000

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'access-control-allow-origin': '*',
  'x-accel-buffering': 'no',
} as const

export interface EventHub {
  /** A place for a listener. @throws HttpProblem 429 when the client has as many as it may, 503 when nobody makes room */
  admit(response: ServerResponse, client: string): void
  /** To one who was admitted. */
  add(response: ServerResponse, lastEventId: string | undefined): Promise<void>
  /** To everyone who listens. */
  say(text: string): void
  clients(): number
  close(): void
}

interface Pending {
  readonly epochs: Map<string, EpochKey>
  readonly verdicts: Map<string, EpochKey>
  readonly anchors: Map<string, AnchorKey>
  readonly days: Map<string, DayKey>
}

export type ListenerLimits = Pick<ApiLimits, 'listenersMax' | 'listenersPerAddressMax'>

/** @param limits of this process */
export function createEventHub(view: View, topics: Topics, limits: ListenerLimits): EventHub {
  const { listenersMax, listenersPerAddressMax } = limits
  const places = new Places<ServerResponse>(listenersMax)
  const clients = new Set<ServerResponse>()
  let pending = gather([])
  let telling = Promise.resolve()

  const tell = async (): Promise<void> => {
    const changes = pending
    if (sizeOf(changes) === 0) return
    pending = gather([])
    if (clients.size === 0) return
    const text = await view.read((reader) => news(reader, topics, changes))
    say(text)
  }
  const send = (client: ServerResponse, text: string): void => {
    if (client.writableLength > BUFFER_BYTES_MAX) client.destroy()
    else client.write(text)
  }
  const say = (text: string): void => {
    for (const client of clients) send(client, text)
  }
  const letAllGo = (): void => {
    for (const client of clients) client.destroy()
  }
  const forget = view.journal.watch((change) => void addTo(pending, change))
  const ticking = setInterval(() => {
    telling = telling.then(tell).catch(letAllGo)
  }, TELL_MS)
  const beating = setInterval(() => say(': still here\n\n'), HEARTBEAT_MS)

  return {
    admit(response, client) {
      if (response.destroyed) return // the client has gone, so nothing would give the place back
      if (places.of(client) >= listenersPerAddressMax)
        throw new HttpProblem(429, `${listenersPerAddressMax} listen already from ${client}; close one of them`)
      if (!places.take(client, response)) throw new HttpProblem(503, `${listenersMax} listen already; try again later`)
      response.once('close', () => places.leave(client, response))
    },
    async add(response, lastEventId) {
      response.writeHead(200, HEADERS)
      response.write(`retry: ${RETRY_MS}\n\n`)
      // in turn with what others are told, so that nothing older comes after something newer
      const join = async (): Promise<void> => {
        const missed = lastEventId === undefined ? undefined : view.journal.since(lastEventId)
        const text = await view.read(async (reader) =>
          missed === undefined ? resetText(reader.position) : news(reader, topics, gather(missed)),
        )
        if (response.destroyed) return
        clients.add(response)
        response.on('close', () => clients.delete(response))
        response.write(text)
      }
      telling = telling.then(join).catch(() => void response.destroy())
      await telling
    },
    say,
    clients: () => clients.size,
    close() {
      forget()
      clearInterval(ticking)
      clearInterval(beating)
      letAllGo()
    },
  }
}

const idOf = ({ dataMarket, epochId }: EpochKey): string => `${dataMarket}/${epochId}`
const sizeOf = ({ epochs, verdicts, anchors, days }: Pending): number =>
  epochs.size + verdicts.size + anchors.size + days.size

function gather(changes: readonly Change[]): Pending {
  const pending: Pending = { epochs: new Map(), verdicts: new Map(), anchors: new Map(), days: new Map() }
  for (const change of changes) addTo(pending, change)
  return pending
}

function addTo({ epochs, verdicts, anchors, days }: Pending, change: Change): void {
  for (const key of change.epochs) epochs.set(idOf(key), key)
  for (const key of change.verdicts) verdicts.set(idOf(key), key)
  for (const key of change.days) days.set(`${key.dataMarket}/${key.day}`, key)
  for (const key of change.anchors) anchors.set(`${idOf(key)}/${key.batchIndex}`, key)
}

/** Each epoch and each anchor once, as it is now. Only the last has the id: before it, not everything was told. */
async function news(reader: ViewReader, topics: Topics, pending: Pending): Promise<string> {
  if (sizeOf(pending) > EVENTS_MAX) return resetText(reader.position)
  const told: [keyof typeof events, object | undefined][] = []
  for (const key of pending.epochs.values()) told.push(['epoch', epochSummaryOf(reader, key)])
  for (const { dataMarket, epochId } of pending.verdicts.values()) {
    const { submissions, reasons } = countsOf(reader, { dataMarket, epochId })
    told.push(['verdicts', { dataMarket, epochId, submissions, reasons }])
  }
  for (const key of pending.anchors.values()) told.push(['anchor', anchorItem(reader, topics, key)])
  for (const key of pending.days.values()) told.push(['day', await dayOf(reader, topics, key)])
  const texts = told.flatMap(([event, data]) =>
    data ? [`event: ${event}\ndata: ${printableJson(JSON.stringify(data))}\n`] : [],
  )
  return texts.length === 0 ? '' : `${texts.join('\n')}id: ${reader.position}\n\n`
}

const resetText = (position: string): string => `event: reset\ndata: {}\nid: ${position}\n\n`
