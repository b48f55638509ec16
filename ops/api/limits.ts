/**
 * Bounds of the query API's listener for one client, and for all of them together: connections, requests, time. Nobody who holds
 * connections or asks without end keeps others from being served.
 */
import type { Socket } from 'node:net'
import { BlockList, isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { cutPipelines, PIPELINE_OPTIONS } from '../base/pipelining.ts'
import type { ApiLimits } from '../settings/api-limits.ts'
import { HttpProblem } from './problem.ts'

/** Probes that an orchestrator may ask here as well: cheap, and a refusal would have it end the process. */
const PROBES = ['/healthz', '/readyz']

/** The interval at which connections are looked at for silence. */
const CHECK_MS = 500

/** For the making of a server. */
export const serverOptions = ({ requestMsMax, idleMsMax, proxies }: ApiLimits) => ({
  ...PIPELINE_OPTIONS,
  http: { ...PIPELINE_OPTIONS.http, connectionsCheckingInterval: CHECK_MS, headersTimeout: requestMsMax },
  requestTimeout: requestMsMax,
  connectionTimeout: idleMsMax,
  keepAliveTimeout: idleMsMax,
  ...(proxies.length > 0 && { trustProxy: [...proxies] }),
})

/** @param isAnswered whether all clients together leave room for this one; see give-way.ts */
export function limitClients(
  server: FastifyInstance,
  limits: ApiLimits,
  now: () => number,
  isAnswered: (client: string) => boolean = () => true,
): void {
  limitConnections(server, limits, now)
  cutPipelines(server.server)
  const takes = createBuckets(limits.requestsPerSecondMax, now)
  server.addHook('onRequest', async (request, reply) => {
    const client = clientOf(request.ip)
    if (!takes(client)) {
      reply.header('retry-after', 1).header('connection', 'close')
      throw new HttpProblem(429, `more than ${limits.requestsPerSecondMax} requests a second from ${request.ip}`)
    }
    if (PROBES.includes(request.url) || isAnswered(client)) return
    reply.header('retry-after', 1)
    throw new HttpProblem(503, BUSY)
  })
}

const BUSY = 'this process is busy with submissions, and more is asked than it can answer beside them'

function limitConnections(server: FastifyInstance, limits: ApiLimits, now: () => number): void {
  const { connectionsMax, connectionsPerAddressMax, requestsPerSecondMax } = limits
  // a request that is refused costs its connection, so this bounds refusals: all requests may be, and as many as can be open
  const opens = createBuckets(requestsPerSecondMax + connectionsPerAddressMax, now)
  const proxies = networksOf(limits.proxies)
  const places = new Places<Socket>(connectionsMax)
  server.server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? ''
    const client = clientOf(address)
    const isProxy = proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
    const most = isProxy ? Number.POSITIVE_INFINITY : connectionsPerAddressMax
    if (!isProxy && !opens(client)) return void socket.destroy()
    if (places.of(client) >= most || !places.take(client, socket)) return void socket.destroy()
    socket.once('close', () => places.leave(client, socket))
  })
}

/** Places that clients share. When all are taken, the oldest of who has most makes room for one who has fewer. */
export class Places<T extends { destroy(): unknown }> {
  private readonly byClient = new Map<string, Set<T>>()
  private readonly max: number
  private taken = 0

  constructor(max: number) {
    this.max = max
  }

  /** Number of places that a client has. */
  of(client: string): number {
    return this.byClient.get(client)?.size ?? 0
  }

  /** @returns whether there is one for the client; who had it before is destroyed */
  take(client: string, one: T): boolean {
    if (this.taken >= this.max && !this.makeRoom(this.of(client))) return false
    const own = this.byClient.get(client) ?? new Set()
    this.byClient.set(client, own.add(one))
    this.taken++
    return true
  }

  leave(client: string, one: T): void {
    const own = this.byClient.get(client)
    if (!own?.delete(one)) return
    this.taken--
    if (own.size === 0) this.byClient.delete(client)
  }

  /** @param fewer bytes of the newcomer: a client that gives a place up must still have as many afterwards */
  private makeRoom(fewer: number): boolean {
    let [client, most] = ['', new Set<T>()]
    for (const [name, own] of this.byClient) if (own.size > most.size) [client, most] = [name, own]
    if (most.size <= fewer + 1) return false
    const [oldest] = most
    this.leave(client, oldest!)
    oldest!.destroy()
    return true
  }
}

function networksOf(proxies: readonly string[]): BlockList {
  const networks = new BlockList()
  for (const proxy of proxies) {
    const [address, prefix] = proxy.split('/')
    const family = isIP(address!) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) networks.addAddress(address!, family)
    else networks.addSubnet(address!, Number(prefix), family)
  }
  return networks
}

/** Clients that are remembered; one that is forgotten has all its requests again. */
const CLIENTS_MAX = 10_000

/** @returns whether the client may have one more; each has `perSecond` a second, twice as many when it was quiet. A refusal takes none */
function createBuckets(perSecond: number, now: () => number): (client: string) => boolean {
  const buckets = new Map<string, { left: number; at: number }>()
  return (client) => {
    const at = now()
    const { left, at: before } = buckets.get(client) ?? { left: 2 * perSecond, at }
    const filled = Math.min(2 * perSecond, left + (Math.max(0, at - before) / 1_000) * perSecond)
    buckets.delete(client)
    buckets.set(client, { left: filled < 1 ? filled : filled - 1, at })
    if (buckets.size > CLIENTS_MAX) buckets.delete(buckets.keys().next().value!)
    return filled >= 1
  }
}

/** The key of limits: an IPv4 address, also one in IPv6's clothes, or the /64 that an IPv6 user has all of. */
export function clientOf(address: string): string {
  const [, v4] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (v4 !== undefined || isIP(address) !== 6) return v4 ?? address
  const [left = '', right] = address.split('%')[0]!.split('::')
  const [head, tail] = [left, right ?? ''].map((part) => part.split(':').filter(Boolean)) as [string[], string[]]
  const middle = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  return [...head, ...Array<string>(middle).fill('0'), ...tail].slice(0, 4).join(':')
}
