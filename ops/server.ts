import Fastify, { type FastifyInstance } from 'fastify'
import { CliError, EXIT } from './cli-error.ts'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'

/** Answers look-ups from the running process, which alone may read the log that it holds open. */
export interface LookupRoutes {
  why(query: Record<string, string>): Promise<unknown>
  epoch(epochId: number, dataMarket: string | undefined): Promise<unknown>
}

export interface OpsServer {
  readonly url: string
  close(): Promise<void>
}

/** `/metrics`, `/healthz` (the process works), `/readyz` (every part has started and none is stuck), and the look-ups. */
export async function startOpsServer(
  { port, host = '127.0.0.1' }: { port: number; host?: string },
  { metrics, health, lookups }: { metrics: Metrics; health: Health; lookups: LookupRoutes },
): Promise<OpsServer> {
  const server = Fastify({ logger: false, forceCloseConnections: true })
  server.setErrorHandler((error, _request, reply) =>
    error instanceof CliError ? reply.code(400).send({ error: error.message }) : reply.send(error),
  )
  server.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.registry.contentType)
    return metrics.registry.metrics()
  })
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const report = health.report()
    return reply.code(report.ready ? 200 : 503).send(report)
  })
  server.get<{ Querystring: Record<string, string> }>('/v1/why', (request) => lookups.why(request.query))
  server.get<{ Params: { id: string }; Querystring: { dataMarket?: string } }>('/v1/epoch/:id', (request, reply) => {
    const epochId = Number(request.params.id)
    if (!Number.isSafeInteger(epochId) || epochId < 0)
      return reply.code(400).send({ error: `epoch "${request.params.id}" is not a whole number` })
    return lookups.epoch(epochId, request.query.dataMarket)
  })
  return { url: await listen(server, host, port), close: () => server.close() }
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE' || code === 'EACCES')
      throw new CliError(
        `port ${port} for metrics and look-ups cannot be used (${code})`,
        'Choose another one with --ops-port; 0 takes any free port.',
        EXIT.unavailable,
        error,
      )
    throw error
  }
}
