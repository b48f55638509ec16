/**
 * Takes the notifications of an Alertmanager and posts each alert to a webhook in the shape that the deployed services use. What was
 * not taken there is answered with 502, so that Alertmanager sends it again: it keeps the queue, and this process keeps nothing.
 */
import Fastify from 'fastify'
import { boundedFetch, LateAnswer } from '../../../connectors/bounded-fetch.ts'
import { createLimiter } from '../../../connectors/limiter.ts'
import { listenAt } from '../../base/listen.ts'
import { cutPipelines, PIPELINE_OPTIONS } from '../../base/pipelining.ts'
import { type Alert, type Message, messageOf, notificationSchema } from './notification.ts'

const BODY_BYTES_MAX = 1 << 20
const CONNECTIONS_MAX = 64
const REQUEST_MS_MAX = 5_000
/** For all alerts of a notification: Alertmanager gives up after 10 s at the earliest, and sends it again. */
const NOTIFICATION_MS_MAX = 8_000
/** For the answer of the webhook to one alert. */
const POST_MS_MAX = 5_000
/** Alerts that are posted at once, of all notifications. */
const POSTS_AT_ONCE = 8
/** Nothing of the answer is looked at. */
const ANSWER_BYTES_MAX = 1_024
/** An alert that was taken is not posted again within this time: it is sent once more since another one of its group was not. */
const RETRIED_MS_MAX = 300_000
/** Alerts that are remembered as taken. */
const TAKEN_MAX = 4_096

export interface ForwardOptions {
  readonly host: string
  readonly port: number
  /** Address of the webhook, a secret. */
  readonly webhook: string
  /** For alerts without the label `instance`. */
  readonly processName: string
  /** Told of what was not taken, without the address. */
  readonly warn: (text: string) => void
  readonly now?: () => number
  /** For all alerts of a notification, ms; 8,000 by default. */
  readonly notificationMs?: number
}

export async function startForwarding(
  options: ForwardOptions,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { host, port, warn } = options
  const server = Fastify({
    ...PIPELINE_OPTIONS,
    logger: false,
    forceCloseConnections: true,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionTimeout: 0,
  })
  server.server.maxConnections = CONNECTIONS_MAX
  cutPipelines(server.server)
  const outbox = createOutbox(options)
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.post('/alerts', async (request, reply) => {
    const parsed = notificationSchema.safeParse(request.body)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      warn(`a notification that is none of Alertmanager's: ${issue!.path.join('.')}: ${issue!.message}`)
      return reply.code(400).send({ error: `${issue!.path.join('.')}: ${issue!.message}` })
    }
    const refused = await outbox.post(parsed.data.alerts)
    if (refused === undefined) return { posted: parsed.data.alerts.length }
    warn(`${refused}; Alertmanager sends it again`)
    return reply.code(502).send({ error: refused })
  })
  const url = await listenAt(
    server,
    { host, port },
    'alerts',
    'Choose another one with --listen; port 0 takes any free one.',
  )
  return { url, close: () => server.close() }
}

/** Posts the alerts that were not taken lately, some at once. */
function createOutbox({ webhook, processName, now = Date.now, notificationMs = NOTIFICATION_MS_MAX }: ForwardOptions) {
  const limited = createLimiter(POSTS_AT_ONCE)
  const taken = new Map<string, number>()
  const isTaken = (id: string): boolean => now() - (taken.get(id) ?? Number.NEGATIVE_INFINITY) < RETRIED_MS_MAX
  const remember = (id: string): void => {
    taken.delete(id)
    taken.set(id, now())
    for (const oldest of taken.keys()) if (taken.size > TAKEN_MAX) taken.delete(oldest)
  }
  return {
    /** @returns the reason why an alert was not taken, undefined when all were */
    async post(alerts: readonly Alert[]): Promise<string | undefined> {
      const until = performance.now() + notificationMs
      const refused = await Promise.all(alerts.map((alert) => limited(() => postOnce(alert, until))))
      const [first, ...more] = refused.filter((reason) => reason !== undefined)
      return more.length > 0 ? `${first}; and ${more.length} more` : first
    },
  }

  async function postOnce(alert: Alert, until: number): Promise<string | undefined> {
    const id = `${alert.fingerprint} ${alert.status} ${alert.startsAt} ${alert.labels.alertname}`
    if (isTaken(id)) return undefined
    const timeoutMs = Math.min(POST_MS_MAX, until - performance.now())
    const tooLate = `the webhook left no time for it within ${notificationMs / 1_000} s of its notification`
    const reason = timeoutMs > 0 ? await postOne(webhook, messageOf(alert, processName), timeoutMs) : tooLate
    if (reason !== undefined) return `${alert.labels.alertname ?? 'an alert'} was not taken: ${reason}`
    remember(id)
    return undefined
  }
}

async function postOne(webhook: string, message: Message, timeoutMs: number): Promise<string | undefined> {
  const post = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
    redirect: 'error', // the address was chosen, another one was not
  } as const
  try {
    const { ok, status } = await boundedFetch(webhook, post, { timeoutMs, bytesMax: ANSWER_BYTES_MAX })
    return ok ? undefined : `the webhook answers ${status}`
  } catch (error) {
    if (error instanceof LateAnswer) return `the webhook gives ${error.message}`
    return `the webhook cannot be reached (${codeOf(error)})`
  }
}

/** The words of the error may hold the address. */
const codeOf = (error: unknown): string =>
  ((error as Error).cause as { readonly code?: string } | undefined)?.code ?? (error as Error).name
