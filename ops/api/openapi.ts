/** The description of the API, from the same shapes and routes that serve it. */
import { z } from 'zod'
import { events as eventShapes } from './events-schema.ts'
import { PROBLEM_JSON, problem as problemShape } from './problem.ts'
import { ROUTES, type Route } from './routes.ts'

type Json = { readonly [key: string]: unknown }

const JSON_TYPE = 'application/json'

export function openApi(): Json {
  const schemas: Record<string, unknown> = {}
  const shape = (of: z.ZodType): Json => collected(z.toJSONSchema(z.object({ of }), { io: 'output' }), schemas)
  const problem = (description: string): Json => ({
    description,
    content: { [PROBLEM_JSON]: { schema: shape(problemShape) } },
  })
  const refusals = (mayMiss: boolean): Json => ({
    304: { description: 'The answer that `if-none-match` names is still the same.' },
    400: problem('A parameter is unknown or wrong; `detail` names it.'),
    ...(mayMiss && { 404: problem('Nothing in the log has that name.') }),
    503: problem(
      'The view is being opened, the log does not answer, or the process is busy with submissions; try again.',
    ),
  })
  const paths = Object.fromEntries(
    ROUTES.map((route) => [
      route.path,
      {
        get: {
          summary: route.summary,
          parameters: [...parametersOf(route, 'path'), ...parametersOf(route, 'query')],
          responses: {
            200: {
              description: 'The answer.',
              headers: HEADERS,
              content: { [JSON_TYPE]: { schema: shape(route.answer) } },
            },
            ...refusals(route.mayMiss),
          },
        },
      },
    ]),
  )
  const content = { summary: CONTENT_SUMMARY, parameters: [CID], responses: { 200: CONTENT, ...refusals(true) } }
  const events = {
    summary: 'Changes, as they happen',
    description: EVENTS_HELP,
    parameters: [LAST_EVENT_ID],
    responses: {
      200: { description: 'Events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      429: problem('As many listen from this address as may.'),
      503: problem('As many listen as may.'),
    },
  }
  for (const shapeOfEvent of Object.values(eventShapes)) shape(shapeOfEvent)
  return {
    openapi: '3.1.0',
    info: { title: 'Powerloom snapshot sequencer: query API', version: '1', description: ABOUT },
    paths: { ...paths, '/v1/batches/{cid}/content': { get: content }, '/v1/events': { get: events } },
    components: { schemas },
  }
}

const ABOUT =
  'Read-only. Answers come from views built from the topics; `x-log-position` says how much of the log they reflect. Lists go on with `cursor`. Unknown query parameters are refused.'
const EVENTS_HELP =
  'Server-sent events `epoch` (EpochSummary), `verdicts` (VerdictCounts), `anchor` (Anchor) and `day` (Day), told together at most once a second; each has the state it leads to. `reset`: everything may have changed, ask for the lists; it is also the first event of a new listener. `id` is the position; `last-event-id` resumes behind it.'
const CONTENT_SUMMARY = 'The exact bytes of a batch, as they are stored'

const HEADERS = {
  etag: { description: 'Validator of the body.', schema: { type: 'string' } },
  'x-log-position': { description: 'How much of the log the answer reflects; only grows.', schema: { type: 'string' } },
}
const CID = { name: 'cid', in: 'path', required: true, description: 'CID of the batch.', schema: { type: 'string' } }
const LAST_EVENT_ID = { name: 'last-event-id', in: 'header', required: false, schema: { type: 'string' } }
const CONTENT = {
  description: 'JSON that hashes to the CID.',
  headers: HEADERS,
  content: { [JSON_TYPE]: { schema: { type: 'object' } } },
}

function parametersOf({ params, query }: Route, where: 'path' | 'query'): Json[] {
  return Object.entries((where === 'path' ? params : query).shape).map(([name, schema]) => {
    const { description, ...shape } = z.toJSONSchema(schema as z.ZodType, { io: 'output' }) as Json
    const { $schema: _, ...rest } = shape
    return {
      name,
      in: where,
      required: where === 'path',
      ...(description !== undefined && { description }),
      schema: rest,
    }
  })
}

/** Moves named shapes to the components and gives the schema of the property `of`. */
function collected(schema: Json, schemas: Record<string, unknown>): Json {
  const moved = JSON.parse(JSON.stringify(schema).replaceAll('#/$defs/', '#/components/schemas/')) as Json
  for (const [name, definition] of Object.entries((moved.$defs as Json | undefined) ?? {})) {
    const { id: _, ...shape } = definition as Json
    schemas[name] = shape
  }
  return (moved.properties as Json).of as Json
}
