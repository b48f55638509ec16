/** Attacks by connections and by requests, beside those by messages. */
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { addressOf, hostAt } from './lines.ts'
import type { Place } from './world.ts'

export interface FloodOptions {
  /** Connections held, or requests a second. */
  readonly rate: number
  readonly signal: AbortSignal
}

export interface FloodCounts {
  sent: number
  refused: number
  answered: number
}

export interface Flood {
  readonly help: string
  readonly rate: number
  readonly run: (place: Place, options: FloodOptions, counts: FloodCounts) => Promise<void>
}

const IDLE_CONNECTIONS = 1_100
const PER_TURN = 50
const TURN_MS = 50
const SLOW_MS = 2_000

export const FLOODS = {
  'idle-intake': {
    help: 'connections to the intake that say nothing, opened again when they are closed',
    rate: IDLE_CONNECTIONS,
    run: ({ intakes }, options, counts) => hold(portOf(intakes[0]!), options, counts, () => {}),
  },
  'idle-libp2p': {
    help: 'connections to the intake that end their handshake and then say nothing',
    rate: 300,
    run: holdHandshaken,
  },
  'idle-http': {
    help: 'connections to the API that say nothing',
    rate: IDLE_CONNECTIONS,
    run: ({ ops }, options, counts) => hold(Number(new URL(ops).port), options, counts, () => {}),
  },
  'slow-http': {
    help: 'requests to the API that come a header line every two seconds and never end',
    rate: IDLE_CONNECTIONS,
    run: ({ ops }, options, counts) =>
      hold(Number(new URL(ops).port), options, counts, (socket) => {
        socket.write('GET /v1/epochs HTTP/1.1\r\nhost: siege\r\n')
        const timer = setInterval(() => socket.write(`x-${Date.now()}: slow\r\n`), SLOW_MS)
        socket.once('close', () => clearInterval(timer))
      }),
  },
  'http-flood': {
    help: 'requests to the API, dear ones among them',
    rate: 500,
    run: floodRequests,
  },
  'http-events': {
    help: 'listeners to the events of the API that never read',
    rate: 400,
    run: ({ ops }, options, counts) =>
      hold(Number(new URL(ops).port), options, counts, (socket) => {
        socket.write('GET /v1/events HTTP/1.1\r\nhost: siege\r\n\r\n')
        socket.pause()
      }),
  },
} as const satisfies Record<string, Flood>

export type FloodName = keyof typeof FLOODS

const portOf = (address: string): number => Number(/\/tcp\/(\d+)/.exec(address)![1])
const turn = (ms = TURN_MS): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Keeps `rate` sockets open, from many addresses. */
async function hold(
  port: number,
  { rate, signal }: FloodOptions,
  counts: FloodCounts,
  onOpen: (socket: Socket) => void,
): Promise<void> {
  const open = new Set<Socket>()
  for (let n = 0; !signal.aborted; ) {
    for (let i = 0; i < PER_TURN && open.size < rate; i++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(n++) })
      open.add(socket)
      counts.sent++
      socket.on('connect', () => onOpen(socket))
      socket.on('error', () => counts.refused++)
      socket.on('data', () => counts.answered++)
      socket.on('close', () => open.delete(socket))
    }
    await turn()
  }
  for (const socket of open) socket.destroy()
}

const HOSTS = 12

/** Some hosts with many connections each. */
async function holdHandshaken(place: Place, { rate, signal }: FloodOptions, counts: FloodCounts): Promise<void> {
  const hosts = await Promise.all(Array.from({ length: HOSTS }, (_, i) => hostAt(addressOf(i))))
  const open = () => hosts.reduce((sum, host) => sum + host.getConnections().length, 0)
  const to = multiaddr(place.intakes[0]!)
  while (!signal.aborted) {
    if (open() < rate)
      await Promise.all(
        hosts.map(async (host) => {
          counts.sent++
          await host.dial(to, { force: true, signal: AbortSignal.timeout(10_000) }).then(
            () => counts.answered++,
            () => counts.refused++,
          )
        }),
      )
    await turn()
  }
  await Promise.all(hosts.map(async (host) => host.stop()))
}

const REQUESTS_IN_FLIGHT_MAX = 256

async function floodRequests(place: Place, { rate, signal }: FloodOptions, counts: FloodCounts): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_IN_FLIGHT_MAX })
  const started = performance.now()
  let inFlight = 0
  for (let n = 0; !signal.aborted; ) {
    const due = Math.floor(((performance.now() - started) / 1_000) * rate)
    while (n < due) {
      const path = pathOf(place, n++)
      if (inFlight >= REQUESTS_IN_FLIGHT_MAX) continue
      inFlight++
      counts.sent++
      const ended = (): void => void inFlight--
      get(new URL(path, place.ops), { agent, localAddress: addressOf(n) }, (response) => {
        if (response.statusCode === 200) counts.answered++
        else counts.refused++
        response.resume().once('close', ended)
      }).on('error', () => {
        counts.refused++
        ended()
      })
    }
    await turn(5)
  }
  agent.destroy()
}

const pathOf = ({ markets, honest }: Place, n: number): string => {
  const market = `market=${markets[0]}`
  const epoch = 1 + (n % 40)
  return [
    `/v1/epochs/${epoch}/verdicts?limit=500&${market}`,
    '/metrics',
    `/v1/epochs?limit=500&${market}`,
    `/v1/slots/${1 + (n % honest)}/verdicts?limit=500&${market}`,
    `/v1/epochs/${epoch}/projects?limit=500&${market}`,
    `/v1/proofs/${epoch}/${1 + (n % honest)}?${market}`,
    '/v1/health',
    `/v1/epochs/${epoch}/verdicts?reason=FLAGGED&limit=500&${market}`,
    '/openapi.json',
    `/v1/epochs/gaps?${market}`,
  ][n % 10]!
}
