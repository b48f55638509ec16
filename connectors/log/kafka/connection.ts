import { LogError } from '../../../streams/ports.ts'
import { within } from '../../within.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { closedError, unanswered, unreachable } from './errors.ts'
import type { CreateNode, KafkajsConnection, KafkajsExchange, KafkajsNode } from './kafkajs.ts'
import type { KafkaRequest } from './request.ts'

const API_VERSIONS = 18
/** kafkajs limits each step of connecting but the login. */
const CONNECT_LIMIT_MS = 20_000
/** What kafkajs' own time limits are given to speak first. */
const GRACE_MS = 1_000

/**
 * One connection to one broker, opened when it is needed and again after it was lost. A broker works on one request of a
 * connection at a time, so what may wait long (a fetch, a join) has a connection of its own.
 */
export class Connection {
  readonly address: string
  private readonly host: string
  private readonly port: number
  private readonly createNode: CreateNode
  private readonly requestTimeoutMs: number
  private node: KafkajsNode | undefined
  private connecting: Promise<KafkajsConnection> | undefined
  private closed = false

  /** @param requestTimeoutMs as kafkajs was told */
  constructor(createNode: CreateNode, host: string, port: number, requestTimeoutMs: number) {
    this.createNode = createNode
    this.requestTimeoutMs = requestTimeoutMs
    this.host = host
    this.port = port
    this.address = `${host}:${port}`
  }

  /**
   * Sends a request and decodes its answer.
   * @param timeoutMs longest wait, if longer than the connection's own
   * @throws LogError `UNREACHABLE` (nothing was sent), `UNANSWERED` (indefinite), `AUTHENTICATION`, `CORRUPT`, `CLOSED`
   */
  async send<T>(request: KafkaRequest<T>, timeoutMs = 0): Promise<T> {
    const what = `${request.apiName} to ${this.address}`
    const connection = this.connected() ?? (await this.connect(what))
    let sent = false
    const exchange = exchangeOf(request, timeoutMs, () => {
      sent = true
    })
    const limitMs = Math.max(timeoutMs, this.requestTimeoutMs) + GRACE_MS
    try {
      return (await within(limitMs, connection.send(exchange), () => this.abandoned(what, limitMs))) as T
    } catch (error) {
      if (error instanceof LogError) throw error
      if (sent) throw unanswered(what, error)
      this.forget()
      throw refusedConnection(what, error)
    }
  }

  get isOpen(): boolean {
    return this.node?.connectionPool.pool[0]?.isConnected() === true
  }

  /** Ends every exchange under way with `CLOSED`, whatever the broker makes of it. */
  async close(): Promise<void> {
    this.closed = true
    await this.connecting?.catch(() => {})
    const connection = this.node?.connectionPool.pool[0]
    connection?.rejectRequests(closedError(true))
    await this.node?.disconnect().catch(() => {})
    connection?.socket?.destroy()
  }

  private connected(): KafkajsConnection | undefined {
    if (this.closed) throw closedError()
    const connection = this.node?.connectionPool.pool[0]
    return connection?.isConnected() ? connection : undefined
  }

  /** kafkajs would open one socket for each request that finds none. */
  private connect(what: string): Promise<KafkajsConnection> {
    this.connecting ??= this.open(what).finally(() => {
      this.connecting = undefined
    })
    return this.connecting
  }

  private async open(what: string): Promise<KafkajsConnection> {
    try {
      this.node ??= await this.createNode(this.host, this.port)
      const late = () => new Error(`no connection within ${CONNECT_LIMIT_MS / 1_000} s`)
      await within(CONNECT_LIMIT_MS, this.node.connect(), late)
    } catch (error) {
      this.forget()
      throw refusedConnection(what, error)
    }
    const connection = this.node.connectionPool.pool[0]!
    if (!this.closed) return connection
    this.forget()
    throw closedError()
  }

  /** kafkajs forgets a request that is sent in the moment in which it takes its connection for lost. */
  private abandoned(what: string, limitMs: number): LogError {
    this.node?.connectionPool.pool[0]?.rejectRequests(new Error('the connection was given up'))
    this.forget()
    return unanswered(what, new Error(`no answer within ${limitMs / 1_000} s`))
  }

  /** One that could not be opened, or lost its right to be open, is not used again. */
  private forget(): void {
    void this.node?.disconnect().catch(() => {})
    this.node = undefined
  }
}

/** The request in the form that kafkajs sends: its header is written there, but for the tags of a flexible one. */
function exchangeOf<T>(request: KafkaRequest<T>, requestTimeout: number, onEncoded: () => void): KafkajsExchange {
  const { apiKey, apiName, apiVersion, flexible } = request
  const encode = async () => {
    const writer = new ByteWriter(flexible, request.sizeBytes)
    writer.endStructure()
    request.encode(writer)
    const buffer = writer.finish()
    onEncoded()
    return { buf: buffer, buffer }
  }
  let answer: T
  const decode = async (payload: Buffer) => {
    const reader = new ByteReader(payload, flexible)
    if (apiKey !== API_VERSIONS) reader.endStructure()
    answer = request.decode(reader)
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
