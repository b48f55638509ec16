import { LogError } from '../../../streams/ports.ts'
import { within } from '../../../streams/within.ts'
import { systemClock } from '../../system-clock.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { closedError, unanswered, unreachable } from './errors.ts'
import type { CreateNode, KafkajsConnection, KafkajsExchange, KafkajsNode } from './kafkajs.ts'
import type { KafkaRequest } from './request.ts'
import type { Throttle } from './throttle.ts'

const API_VERSIONS = 18
/** kafkajs limits each step of connecting but the login. */
const CONNECT_LIMIT_MS = 20_000
/** Time for kafkajs' own limits to speak first. */
const GRACE_MS = 1_000

/**
 * A connection to one broker, opened when it is needed and again after it was lost. A broker works on one request of a connection
 * at a time, so what may wait long (a fetch, a join) has a connection of its own.
 */
export class Connection {
  readonly address: string
  private readonly host: string
  private readonly port: number
  private readonly createNode: CreateNode
  private readonly requestTimeoutMs: number
  private readonly throttle: Pick<Throttle, 'imposed' | 'leftOf'>
  private readonly lane: string
  private node: KafkajsNode | undefined
  private connecting: Promise<KafkajsNode> | undefined
  private closed = false

  /** @param requestTimeoutMs as kafkajs was told. @param lane which of those to the broker it is */
  constructor(
    createNode: CreateNode,
    { host, port, lane }: { readonly host: string; readonly port: number; readonly lane: string },
    requestTimeoutMs: number,
    throttle: Pick<Throttle, 'imposed' | 'leftOf'>,
  ) {
    this.throttle = throttle
    this.lane = lane
    this.createNode = createNode
    this.requestTimeoutMs = requestTimeoutMs
    this.host = host
    this.port = port
    this.address = `${host}:${port}`
  }

  /**
   * Sends a request and decodes its answer. A request that is not answered in time takes its connection with it: a broker that
   * has vanished says nothing more on it, and the operating system would wait a quarter of an hour.
   * @param timeoutMs longest wait, if longer than the connection's own
   * @throws LogError `UNREACHABLE` (nothing was sent), `UNANSWERED` (indefinite), `AUTHENTICATION`, `CORRUPT`, `CLOSED`
   */
  async send<T>(request: KafkaRequest<T>, timeoutMs = 0): Promise<T> {
    const what = `${request.apiName} to ${this.address}`
    const node = await this.opened(what)
    let sent = false
    // Nothing is read from a connection that is throttled, so no answer can come in that time.
    const silentMs = this.throttle.leftOf(this.address, this.lane)
    const usualMs = Math.max(timeoutMs, this.requestTimeoutMs)
    const limitMs = usualMs + silentMs + GRACE_MS
    const exchange = exchangeOf(request, usualMs + silentMs, {
      encoded: () => {
        sent = true
      },
      throttled: (ms) => this.throttle.imposed(this.lane, { broker: this.address, request: request.apiName, ms }),
    })
    // kafkajs forgets a request that is sent in the moment in which it takes its connection for lost.
    const late = (): never => {
      throw new Error(`no answer within ${limitMs / 1_000} s`)
    }
    const limit = { clock: systemClock, ms: limitMs }
    try {
      return (await within(connectionOf(node).send(exchange), limit, late)) as T
    } catch (error) {
      if (error instanceof LogError) throw error
      this.giveUp(node, error as Error)
      throw sent ? unanswered(what, error) : refusedConnection(what, error)
    }
  }

  get isOpen(): boolean {
    return this.connecting === undefined && this.node !== undefined && connectionOf(this.node).isConnected()
  }

  /** Ends every exchange under way with `CLOSED`, whatever the broker makes of it. */
  async close(): Promise<void> {
    this.closed = true
    await this.connecting?.catch(() => {})
    if (this.node) await abandon(this.node, closedError(true))
  }

  /** A caller that comes while it is being opened waits for that: its first exchanges are kafkajs' own. */
  private async opened(what: string): Promise<KafkajsNode> {
    if (this.closed) throw closedError()
    if (this.node && this.isOpen) return this.node
    this.connecting ??= this.open(what).finally(() => {
      this.connecting = undefined
    })
    return await this.connecting
  }

  /** Always a new node: a node that lost its socket in the middle of an answer would take the rest for the next one's beginning. */
  private async open(what: string): Promise<KafkajsNode> {
    if (this.node) this.giveUp(this.node, new Error('the connection was lost'))
    const node = await this.createNode(this.host, this.port)
    this.node = node
    const late = (): never => {
      throw new Error(`no connection within ${CONNECT_LIMIT_MS / 1_000} s`)
    }
    try {
      await within(node.connect(), { clock: systemClock, ms: CONNECT_LIMIT_MS }, late)
    } catch (error) {
      this.giveUp(node, error as Error)
      throw refusedConnection(what, error)
    }
    if (!this.closed) return node
    this.giveUp(node, closedError())
    throw closedError()
  }

  /** The connection is not used again, and every caller that waits for an answer on it hears of that now. */
  private giveUp(node: KafkajsNode, reason: Error): void {
    if (this.node === node) this.node = undefined
    void abandon(node, reason)
  }
}

const connectionOf = (node: KafkajsNode): KafkajsConnection => node.connectionPool.pool[0]!

async function abandon(node: KafkajsNode, reason: Error): Promise<void> {
  const connection = connectionOf(node)
  connection.rejectRequests(reason)
  await node.disconnect().catch(() => {})
  connection.socket?.destroy()
}

/** The request in the form that kafkajs sends: its header is written there, but for the tags of a flexible one. */
function exchangeOf<T>(
  request: KafkaRequest<T>,
  requestTimeout: number,
  told: { encoded(): void; throttled(ms: number): void },
): KafkajsExchange {
  const { apiKey, apiName, apiVersion, flexible } = request
  const encode = async () => {
    const writer = new ByteWriter(flexible, request.sizeBytes)
    writer.endStructure()
    request.encode(writer)
    const buffer = writer.finish()
    told.encoded()
    return { buf: buffer, buffer }
  }
  let answer: T
  const decode = async (payload: Buffer) => {
    const reader = new ByteReader(payload, flexible)
    if (apiKey !== API_VERSIONS) reader.endStructure()
    try {
      answer = request.decode(reader)
    } finally {
      if (reader.throttleMs > 0) told.throttled(reader.throttleMs)
    }
    return { clientSideThrottleTime: 0 }
  }
  const response = { decode, parse: async () => answer }
  return { request: { apiKey, apiName, apiVersion, encode }, response, requestTimeout, logResponseError: false }
}

/** Nothing was sent. */
function refusedConnection(what: string, error: unknown): LogError {
  if (error instanceof LogError) return error
  const { name, message } = error as Error
  if (!/SASL/.test(name)) return unreachable(what, error)
  return new LogError('AUTHENTICATION', `${what}: ${message}. Look at user name, password and mechanism`, {
    cause: error,
  })
}
