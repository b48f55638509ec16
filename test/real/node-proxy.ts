/** An HTTP proxy before one JSON-RPC node that plays the faults of node-faults.ts, each alone or any of them together. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { seededRandom } from '../ops/random.ts'
import {
  type Answer,
  type Call,
  FAULTS,
  type FaultName,
  type FaultParams,
  type HttpFault,
  type NodeFault,
  NodeRefusal,
  type TrueNode,
} from './node-faults.ts'
import type { NodeError } from './node-words.ts'

export interface Play<Name extends FaultName = FaultName> {
  readonly name: Name
  readonly params?: Partial<FaultParams[Name]>
  /** Of the calls, or of the requests, that it happens to; all without. */
  readonly share?: number
  /** Only calls of these methods. */
  readonly methods?: readonly string[]
  /** Milliseconds from now on. */
  readonly startMs?: number
  readonly forMs?: number
}

export interface Playing {
  readonly name: FaultName
  /** How often it has happened. */
  readonly happened: number
  stop(): void
}

interface Active extends Playing {
  happened: number
  readonly fault: NodeFault
  readonly share: number
  readonly methods: readonly string[] | undefined
  readonly begins: number
  readonly ends: number
}

const SEEN_MAX = 20_000
const BODY_BYTES_MAX = 32 * 2 ** 20
const SLOW_PIECES = 20

export interface NodeProxyOptions {
  /** Decides what happens to which call. */
  readonly seed?: number
  /** What is no fault, but the way of this chain's nodes. */
  readonly rules?: NodeFault
  /** Milliseconds; faults begin, end and are late by it. Bodies that are slow are so by the wall's. */
  readonly now?: () => number
}

export class NodeProxy implements TrueNode {
  readonly url: string
  private readonly target: string
  private readonly server: Server
  private readonly dice: () => number
  readonly now: () => number
  private readonly rules: NodeFault
  private readonly seen = new Map<string, number>()
  private active: Active[] = []
  private ids = 0

  private constructor(server: Server, target: string, options: NodeProxyOptions) {
    const { seed = 1, rules = {}, now = () => performance.now() } = options
    this.rules = rules
    this.now = now
    this.server = server
    this.target = target
    this.dice = seededRandom(seed)
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /**
   * @param target URL of the node
   */
  static async start(target: string, options: NodeProxyOptions = {}): Promise<NodeProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = new NodeProxy(server, target, options)
    server.on('request', (request, response) => {
      proxy.serve(request, response).catch(() => response.destroy())
    })
    return proxy
  }

  play<Name extends FaultName>(play: Play<Name>): Playing {
    const make = FAULTS[play.name].make as (params: Partial<FaultParams[Name]>, dice: () => number) => NodeFault
    const begins = this.now() + (play.startMs ?? 0)
    const active: Active = {
      name: play.name,
      happened: 0,
      fault: make(play.params ?? {}, this.dice),
      share: play.share ?? 1,
      methods: play.methods,
      begins,
      ends: begins + (play.forMs ?? Number.POSITIVE_INFINITY),
      stop: () => {
        this.active = this.active.filter((one) => one !== active)
      },
    }
    this.active.push(active)
    return active
  }

  /** From now on the node is seen as it is. */
  clear(): void {
    this.active = []
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      this.server.closeAllConnections()
    })
  }

  firstSeen(name: string): number {
    const known = this.seen.get(name)
    if (known !== undefined) return known
    if (this.seen.size >= SEEN_MAX) this.seen.delete(this.seen.keys().next().value!)
    const now = this.now()
    this.seen.set(name, now)
    return now
  }

  async ask(method: string, params: readonly unknown[]): Promise<unknown> {
    const answer = await this.forward({ id: ++this.ids, method, params })
    if ('error' in answer) throw new NodeRefusal(answer.error)
    return answer.result
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of request) {
      size += (chunk as Buffer).length
      if (size > BODY_BYTES_MAX) throw new Error('the request is too large')
      chunks.push(chunk as Buffer)
    }
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Call | readonly Call[]
    const calls = Array.isArray(body) ? (body as readonly Call[]) : [body as Call]
    const now = this.now()
    const ready = this.active.filter(({ begins, ends }) => begins <= now && now < ends)
    /** Those that befall a request befall all calls of it. */
    const playing = ready.filter(({ fault, share }) => !fault.perRequest || this.dice() < share)
    const http = this.httpFault(playing, calls)
    if (http?.kind === 'silence') return
    if (http?.kind === 'cut before') return void response.destroy()
    if (http?.kind === 'status')
      return void response.writeHead(http.status, { 'content-type': 'text/html' }).end(http.body)
    const refusal = this.batchRefusal(playing, calls)
    const answers = refusal ?? (await Promise.all(calls.map((call) => this.answer(call, playing))))
    if (http?.kind === 'cut after') return void response.destroy()
    const text = JSON.stringify(Array.isArray(body) ? answers : answers[0])
    response.writeHead(200, { 'content-type': 'application/json' })
    if (http?.kind === 'slow') return slowly(response, text, http.ms)
    response.end(http?.kind === 'huge' ? text + ' '.repeat(http.bytes) : text)
  }

  private httpFault(playing: readonly Active[], calls: readonly Call[]): HttpFault | undefined {
    for (const one of playing) {
      if (one.methods && !calls.some(({ method }) => one.methods!.includes(method))) continue
      const fault = one.fault.http?.(calls)
      if (!fault) continue
      one.happened++
      return fault
    }
    return undefined
  }

  private batchRefusal(playing: readonly Active[], calls: readonly Call[]): object[] | undefined {
    for (const one of playing) {
      const error = one.fault.batch?.(calls)
      if (!error) continue
      one.happened++
      return [{ jsonrpc: '2.0', id: calls[0]!.id, error }]
    }
    return undefined
  }

  private async answer(call: Call, playing: readonly Active[]): Promise<object> {
    const concerned = playing.filter(
      ({ fault, share, methods }) =>
        (!methods || methods.includes(call.method)) && (fault.perRequest || this.dice() < share),
    )
    const answer = await this.answered(call, concerned).catch((error: unknown): Answer => {
      if (error instanceof NodeRefusal) return { error: error.error }
      throw error
    })
    return { jsonrpc: '2.0', id: call.id, ...answer }
  }

  private async answered(call: Call, concerned: readonly Active[]): Promise<Answer> {
    let answer = (await this.instead(call, concerned)) ?? (await this.plain(call))
    answer = (await this.rules.change?.(call, answer, this)) ?? answer
    for (const one of concerned) {
      const changed: Answer | undefined = await one.fault.change?.(call, answer, this)
      if (!changed) continue
      one.happened++
      answer = changed
    }
    return answer
  }

  private async plain(call: Call): Promise<Answer> {
    return (await this.rules.answer?.(call, this)) ?? this.forward(call)
  }

  private async instead(call: Call, concerned: readonly Active[]): Promise<Answer | undefined> {
    for (const one of concerned) {
      const answer = await one.fault.answer?.(call, this)
      if (!answer) continue
      one.happened++
      return answer
    }
    return undefined
  }

  private async forward({ id, method, params }: Call): Promise<Answer> {
    const response = await fetch(this.target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
    })
    const { result, error } = (await response.json()) as { result?: unknown; error?: NodeError }
    return error ? { error } : { result }
  }
}

async function slowly(response: ServerResponse, text: string, ms: number): Promise<void> {
  const size = Math.ceil(text.length / SLOW_PIECES)
  for (let at = 0; at < text.length && !response.destroyed; at += size) {
    response.write(text.slice(at, at + size))
    await new Promise((resolve) => setTimeout(resolve, ms / SLOW_PIECES))
  }
  response.end()
}
