/** Puts the query API onto the server. Before the view is open it answers that it is not. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { printableJson } from '../base/printable.ts'
import { type Answer, etagOf } from './answers.ts'
import type { Asked } from './asked.ts'
import { addCommonHeaders, POSITION_HEADER } from './http.ts'
import { addLegacy } from './legacy.ts'
import { clientOf } from './limits.ts'
import { openApi } from './openapi.ts'
import { faultsOf } from './params.ts'
import { badRequest, notFound } from './problem.ts'
import { batchContent } from './queries/batches.ts'
import { ROUTES, type Route } from './routes.ts'
import type { ApiSources } from './sources.ts'

/** @param legacyToken token of the deployed collector's clients; without a token its endpoints are not served */
export function mountApi(server: FastifyInstance, sources: ApiSources, legacyToken: string | undefined): void {
  void server.register(async (api) => {
    addCommonHeaders(api)
    const description = JSON.stringify(openApi())
    const etag = etagOf(description)
    api.get('/openapi.json', (request, reply) => {
      parsed(NO_PARAMETERS, request.query, [])
      return reply.header('etag', etag).type('application/json').send(description)
    })
    for (const route of ROUTES) addRoute(api, sources, route)
    addContent(api, sources)
    addEvents(api, sources)
    addLegacy(api, sources, legacyToken)
  })
}

function addRoute(api: FastifyInstance, sources: ApiSources, route: Route): void {
  api.get(route.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (request, reply) => {
    const source = sources.source()
    return source.view.read(async (reader) => {
      const make = () => answerOf(route, { ...source, reader }, request)
      const { text, etag } = await (route.live ? make() : sources.answers().at(reader.version, request.url, make))
      return reply.header(POSITION_HEADER, reader.position).header('etag', etag).type('application/json').send(text)
    })
  })
}

async function answerOf(route: Route, asked: Asked, { params, query }: FastifyRequest): Promise<Answer> {
  const answer = await route.handle(
    asked,
    parsed(route.params, params, []),
    parsed(route.query, query, Object.keys(route.query.shape)),
  )
  const text = route.write ? route.write(answer as never) : printableJson(JSON.stringify(answer))
  return { text, etag: etagOf(text) }
}

function addContent(api: FastifyInstance, sources: ApiSources): void {
  api.get<{ Params: { cid: string } }>('/v1/batches/:cid/content', async (request, reply) => {
    parsed(NO_PARAMETERS, request.query, [])
    const { cid } = request.params
    const { view, log, topics } = sources.source()
    return view.read(async (reader) => {
      const bytes = await batchContent(reader, log, topics, cid)
      if (!bytes) throw notFound(`no batch ${cid} is in the log`)
      reply.header(POSITION_HEADER, reader.position).header('etag', `"${cid}"`)
      return reply.header('cache-control', 'public, max-age=31536000, immutable').type('application/json').send(bytes)
    })
  })
}

function addEvents(api: FastifyInstance, sources: ApiSources): void {
  api.get('/v1/events', { exposeHeadRoute: false }, async (request, reply) => {
    parsed(NO_PARAMETERS, request.query, [])
    const lastEventId = request.headers['last-event-id']
    const hub = sources.hub()
    hub.admit(reply.raw, clientOf(request.ip)) // before the answer is out of Fastify's hands
    reply.hijack()
    await hub.add(reply.raw, typeof lastEventId === 'string' ? lastEventId : undefined)
  })
}

const NO_PARAMETERS = z.strictObject({})

function parsed(schema: z.ZodObject, given: unknown, known: readonly string[]): unknown {
  const result = schema.safeParse(given)
  if (!result.success) throw badRequest(faultsOf(result.error, known))
  return result.data
}
