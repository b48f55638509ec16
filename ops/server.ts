import Fastify, { type FastifyInstance } from 'fastify'
import type { Problem } from './api/schema.ts'
import { CliError, EXIT } from './cli-error.ts'
import type { Wiring } from './compose.ts'
import { epochStatus } from './lookup/epoch.ts'
import { parseEpochQuery, parseWhyQuery } from './lookup/query.ts'
import { why } from './lookup/why.ts'

export interface OpsServer {
  readonly url: string
  close(): Promise<void>
}

/**
 * `/metrics`, `/healthz` (the process works), `/readyz` (every role of it has started and none is stuck), and for the role
 * `api` the look-ups.
 */
export async function startOpsServer(
  { host, port }: { host: string; port: number },
  wiring: Wiring,
): Promise<OpsServer> {
  const { metrics, health, config } = wiring
  const server = Fastify({ logger: false, forceCloseConnections: true })
  server.setErrorHandler((error, _request, reply) =>
    error instanceof CliError ? reply.code(400).send(badRequest(error.message)) : reply.send(error),
  )
  server.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.contentType)
    return metrics.text()
  })
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const report = health.report()
    return reply.code(report.ready ? 200 : 503).send(report)
  })
  if (config.roles.includes('api')) addLookups(server, wiring)
  return { url: await listen(server, host, port), close: () => server.close() }
}

const badRequest = (detail: string): Problem => ({ type: 'about:blank', title: 'Bad Request', status: 400, detail })

function addLookups(server: FastifyInstance, { config, log, topics }: Wiring): void {
  server.get<{ Querystring: Record<string, string> }>('/v1/why', (request) =>
    why(log, topics, parseWhyQuery(request.query)),
  )
  server.get<{ Params: { id: string }; Querystring: { dataMarket?: string } }>('/v1/epoch/:id', (request) =>
    epochStatus(
      log,
      topics,
      config.rules,
      parseEpochQuery({ epoch: request.params.id, dataMarket: request.query.dataMarket }),
    ),
  )
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE' || code === 'EACCES')
      throw new CliError(
        `port ${port} for metrics and look-ups ${code === 'EADDRINUSE' ? 'is in use' : 'is not for this user'}`,
        'Choose another one with --ops-port; 0 takes any free port.',
        EXIT.unavailable,
        error,
      )
    throw error
  }
}
