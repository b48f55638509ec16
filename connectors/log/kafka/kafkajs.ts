import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type ISocketFactory, Kafka, type LogEntry, logLevel, type PartitionAssigner } from 'kafkajs'
import { LogError } from '../../../streams/ports.ts'
import { CONNECT_TIMEOUT_MS, type KafkaSettings } from './options.ts'

/**
 * The only file that touches kafkajs. It gives us connections: framing, correlation, time-outs, TLS, SASL and its renewal. We send
 * requests of our own over them, for which it has no public call: the interfaces below name the parts of 2.2.4 that we use
 * beyond its types, and `nodeFactory` checks that they are there. The version is pinned for this reason.
 */
export interface KafkajsConnection {
  isConnected(): boolean
  send(exchange: KafkajsExchange): Promise<unknown>
  rejectRequests(error: Error): void
  readonly socket?: { destroy(): void }
  readonly requestQueue: KafkajsQueue
}

export interface KafkajsExchange {
  readonly request: {
    readonly apiKey: number
    readonly apiName: string
    readonly apiVersion: number
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: {
    decode(payload: Buffer): Promise<{ readonly clientSideThrottleTime: number }>
    parse(decoded: unknown): Promise<unknown>
  }
  readonly requestTimeout: number
  readonly logResponseError: boolean
}

interface KafkajsQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

interface KafkajsPool {
  readonly pool: readonly KafkajsConnection[]
}

/** A node of the cluster with one connection (and one more for kafkajs' own fetches, which stays closed). */
export interface KafkajsNode {
  readonly connectionPool: KafkajsPool
  connect(): Promise<void>
  disconnect(): Promise<void>
}

interface KafkajsCluster {
  readonly rootLogger: unknown
  readonly connectionPoolBuilder: { build(at: { host: string; port: number }): Promise<KafkajsPool> }
  readonly brokerPool: { createBroker(options: { connectionPool: KafkajsPool; logger: unknown }): KafkajsNode }
}

/** Silence after which the system asks whether the other end is still there. */
const KEEP_ALIVE_MS = 60_000

/** Makes a node that is not connected yet. */
export type CreateNode = (host: string, port: number) => Promise<KafkajsNode>

/** @throws LogError `KAFKAJS_CHANGED` when kafkajs is not the version this was written for */
export function nodeFactory(settings: KafkaSettings): CreateNode {
  const cluster = clusterOf(createClient(settings))
  const { connectionPoolBuilder, brokerPool, rootLogger } = cluster
  if (!connectionPoolBuilder?.build || !brokerPool?.createBroker || !rootLogger) throw changed()
  return async (host, port) => {
    const connectionPool = await connectionPoolBuilder.build({ host, port })
    const connection = connectionPool.pool?.[0]
    if (!connection?.send || !connection.rejectRequests || !connection.requestQueue) throw changed()
    calm(connection.requestQueue)
    return brokerPool.createBroker({ connectionPool, logger: rootLogger })
  }
}

function createClient({ brokers, clientId, ssl, sasl, requestTimeoutMs, onClientMessage }: KafkaSettings): Kafka {
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(ssl !== undefined && { ssl }),
    ...(sasl !== undefined && { sasl }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    socketFactory: openSocket,
    retry: { retries: 0 },
    logLevel: onClientMessage ? logLevel.ERROR : logLevel.NOTHING,
    logCreator: () => (entry: LogEntry) => {
      const { message, ...details } = entry.log
      onClientMessage?.(message, details)
    },
  })
}

/** As kafkajs' own, but small requests do not wait for the answers to those before them (Nagle's algorithm). */
const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const servername = isIP(host) ? {} : { servername: host }
  const socket = ssl ? connectTls({ host, port, ...servername, ...ssl }, onConnect) : connect({ host, port }, onConnect)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.setNoDelay(true)
  return socket
}

/** kafkajs hands its cluster to every partition assigner; the consumer that this one belongs to is never started. */
function clusterOf(kafka: Kafka): KafkajsCluster {
  let found: unknown
  const assigner: PartitionAssigner = ({ cluster }) => {
    found = cluster
    return { name: '-', version: 0, assign: async () => [], protocol: () => ({ name: '-', metadata: Buffer.alloc(0) }) }
  }
  kafka.consumer({ groupId: '-', partitionAssigners: [assigner] })
  return found as KafkajsCluster
}

/** kafkajs sets a timer with a negative time after every answer, of which Node 24 warns. It is needed only while requests wait. */
function calm(queue: KafkajsQueue): void {
  const check = queue.scheduleCheckPendingRequests
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) check.call(queue)
  }
}

function changed(): LogError {
  return new LogError('KAFKAJS_CHANGED', 'kafkajs is not the version 2.2.4 that this driver was written for: npm ci')
}
