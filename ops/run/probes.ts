/**
 * `/metrics`, `/healthz` (the process works) and `/readyz` (every role of it has started and none is stuck), on a listener of
 * their own: whatever clients do to the query API, orchestrator and Prometheus are answered.
 */
import Fastify, { type FastifyInstance } from 'fastify'
import { answerClientError } from '../api/http.ts'
import { listenAt } from '../base/listen.ts'
import { cutPipelines, PIPELINE_OPTIONS } from '../base/pipelining.ts'
import type { Wiring } from './wiring.ts'

type Asked = Pick<Wiring, 'metrics' | 'health'>

/** A kubelet, a few Prometheus servers, an operator. */
const CONNECTIONS_MAX = 64
const REQUEST_MS_MAX = 5_000
const CHECK_MS = 500
/** Beside the port of the query API, and unlikely to be another process's. */
const PORTS_BEHIND = 100
const PORT_MAX = 65_535

/** @param port port of the query API; 0, a free one, has a free one beside it */
export const probesPortBeside = (port: number): number =>
  port === 0 ? 0 : port + PORTS_BEHIND > PORT_MAX ? port - PORTS_BEHIND : port + PORTS_BEHIND

export function addProbes(server: FastifyInstance, { metrics, health }: Asked): void {
  server.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.contentType)
    return metrics.text()
  })
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const report = health.report()
    return reply.code(report.ready ? 200 : 503).send(report)
  })
}

const SERVER_OPTIONS = {
  logger: false,
  forceCloseConnections: true,
  clientErrorHandler: answerClientError,
  ...PIPELINE_OPTIONS,
  http: { ...PIPELINE_OPTIONS.http, connectionsCheckingInterval: CHECK_MS, headersTimeout: REQUEST_MS_MAX },
  requestTimeout: REQUEST_MS_MAX,
  connectionTimeout: REQUEST_MS_MAX,
  keepAliveTimeout: REQUEST_MS_MAX,
} as const

export async function startProbes(
  at: { readonly host: string; readonly port: number },
  asked: Asked,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = Fastify(SERVER_OPTIONS)
  server.server.maxConnections = CONNECTIONS_MAX
  cutPipelines(server.server)
  addProbes(server, asked)
  const advice =
    'Choose another one with ops.probesPort, or by --ops-port, which is 100 before it; 0 takes any free port.'
  const url = await listenAt(server, at, 'probes', advice)
  return { url, close: () => server.close() }
}
