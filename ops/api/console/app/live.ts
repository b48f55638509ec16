/** Keeps the screen up to date: by events while they come, else by asking again; and after an outage by itself. */
import { renew, renewWaiting } from './answers.ts'
import { ask, connection, noteLive } from './connection.ts'

const EVENTS = '/v1/events'
const TICK_MS = 1_000
/** Without events: how often the lists are asked for. With them: how often all is looked over, in case one went by. */
const POLL_MS = 4_000
const LOOK_OVER_MS = 20_000
/** Between two tries while nothing answers. */
const RETRY_MS = [1_000, 2_000, 3_000, 5_000] as const

let source: EventSource | undefined
let renewedAt = Date.now()
let tries = 0
let triedAt = 0

export function startLive(): void {
  openEvents()
  setInterval(tick, TICK_MS)
  document.addEventListener('visibilitychange', () => (document.hidden ? closeEvents() : wake()))
}

/** A hidden page asks for nothing and holds no connection: a browser has six of them for one server. */
function wake(): void {
  openEvents()
  renewAll()
}

function tick(): void {
  if (document.hidden) return
  const { state } = connection.value
  if (state === 'down') retry()
  else keepUp(state === 'live')
}

function keepUp(live: boolean): void {
  tries = 0
  renewWaiting()
  if (Date.now() - renewedAt < (live ? LOOK_OVER_MS : POLL_MS)) return
  if (!live) openEvents()
  renewAll()
}

function retry(): void {
  if (Date.now() - triedAt < RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]!) return
  triedAt = Date.now()
  tries++
  closeEvents()
  ask('/v1/health').then(wake, () => undefined)
}

function renewAll(): void {
  renewedAt = Date.now()
  renew()
}

function openEvents(): void {
  if (source && source.readyState !== EventSource.CLOSED) return
  source = new EventSource(EVENTS)
  source.onopen = () => noteLive(true)
  source.onerror = () => {
    noteLive(false)
    renew('health') // the server went, or only the stream did: this tells
  }
  for (const kind of ['epoch', 'verdicts', 'anchor', 'day'] as const) source.addEventListener(kind, () => renew(kind))
  source.addEventListener('reset', () => renewAll())
}

function closeEvents(): void {
  source?.close()
  source = undefined
}
