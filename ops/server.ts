import Fastify, { type FastifyInstance } from 'fastify'
import { answerProblems, onFrameworkError } from './api/http.ts'
import { mountApi } from './api/mount.ts'
import { CliError, EXIT } from './cli-error.ts'
import type { Wiring } from './compose.ts'
import { registerConsole } from './console/serve.ts'

/** Of everybody together; more than the listeners to events, scrapers and browsers of a team. */
const CONNECTIONS_MAX = 1_024

export interface OpsServer {
  readonly url: string
  close(): Promise<void>
}

/**
 * `/metrics`, `/healthz` (the process works), `/readyz` (every role of it has started and none is stuck), and for the role
 * `api` the query API.
 */
export async function startOpsServer(
  { host, port }: { host: string; port: number },
  wiring: Wiring,
): Promise<OpsServer> {
  const { metrics, health, config, apiDoor } = wiring
  const server = Fastify({ logger: false, forceCloseConnections: true, frameworkErrors: onFrameworkError })
  server.server.maxConnections = CONNECTIONS_MAX
  answerProblems(server, (error) => config.warn(`a request failed: ${error.stack ?? error.message}`))
  server.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.contentType)
    return metrics.text()
  })
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const report = health.report()
    return reply.code(report.ready ? 200 : 503).send(report)
  })
  if (config.roles.includes('api')) {
    registerConsole(server)
    mountApi(server, apiDoor, config.api.legacyToken)
  }
  return { url: await listen(server, host, port), close: () => server.close() }
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE' || code === 'EACCES')
      throw new CliError(
        `port ${port} for metrics and the query API ${code === 'EADDRINUSE' ? 'is in use' : 'is not for this user'}`,
        'Choose another one with --ops-port; 0 takes any free port.',
        EXIT.unavailable,
        error,
      )
    throw error
  }
}
