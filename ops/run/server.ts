/** The listener for clients: the query API and the console of the role `api`, and what the probes have too. */
import Fastify, { type FastifyInstance } from 'fastify'
import { systemClock } from '../../connectors/system-clock.ts'
import { registerConsole } from '../api/console/serve.ts'
import { createWay } from '../api/give-way.ts'
import { answerClientError, answerProblems, onFrameworkError } from '../api/http.ts'
import { limitClients, serverOptions } from '../api/limits.ts'
import { mountApi } from '../api/mount.ts'
import { listenAt } from '../base/listen.ts'
import { API_LIMITS, type ApiLimits } from '../settings/api-limits.ts'
import { addProbes } from './probes.ts'
import type { Wiring } from './wiring.ts'

export interface OpsServer {
  readonly url: string
  close(): Promise<void>
}

export async function startOpsServer(
  at: { readonly host: string; readonly port: number },
  wiring: Wiring,
): Promise<OpsServer> {
  const { config, apiSources } = wiring
  const limits = config.api?.limits ?? API_LIMITS
  const server = createServer(limits, config.warn)
  const isAlone = config.roles.every((role) => role === 'api')
  limitClients(server, limits, systemClock.now, isAlone ? undefined : createWay(systemClock.now))
  addProbes(server, wiring)
  if (config.roles.includes('api')) {
    registerConsole(server)
    mountApi(server, apiSources, config.api.legacyToken)
  }
  const advice = 'Choose another one with --ops-port; 0 takes any free port.'
  return { url: await listenAt(server, at, 'metrics and the query API', advice), close: () => server.close() }
}

function createServer(limits: ApiLimits, warn: (message: string) => void): FastifyInstance {
  const server = Fastify({
    logger: false,
    forceCloseConnections: true,
    frameworkErrors: onFrameworkError,
    clientErrorHandler: answerClientError,
    ...serverOptions(limits),
  })
  answerProblems(server, (error) => warn(`a request failed: ${error.stack ?? error.message}`))
  return server
}
