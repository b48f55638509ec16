/** Notifications as Alertmanager posts them (its webhook, version 4), and messages as the webhook of the deployed services takes them. */
import { z } from 'zod'
import { printable } from '../../base/printable.ts'

/** `max_alerts` of our routes: Alertmanager leaves out what is more. */
const ALERTS_MAX = 256
const LABEL_CHARS_MAX = 1_024
/** A chat shows no more of one message. */
const MESSAGE_CHARS_MAX = 2_000
const LABEL_CHARS_SHOWN = 120

const text = z.string().max(LABEL_CHARS_MAX)
const labels = z.record(text, z.string().max(8_192))
const alert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels,
  annotations: labels,
  startsAt: z.iso.datetime({ offset: true }),
  endsAt: z.iso.datetime({ offset: true }),
  fingerprint: text.default(''),
})
export const notificationSchema = z.object({ version: z.literal('4'), alerts: z.array(alert).max(ALERTS_MAX) })

export type Alert = z.infer<typeof alert>

/** The body that the collector, and the services beside it, post to their own webhook. */
export interface Message {
  readonly process_name: string
  readonly error_msg: string
  /** RFC 3339: when the alert began to fire, or ended. */
  readonly timestamp: string
  /** As the rule says it, `page` or `ticket`; `resolved` when the alert has ended. */
  readonly severity: string
}

/** Labels that the message says in another place. */
const SAID = ['alertname', 'severity', 'instance', 'job']

export function messageOf({ status, labels, annotations, startsAt, endsAt }: Alert, processName: string): Message {
  const { alertname = 'alert', severity = '', instance } = labels
  const about = Object.entries(labels)
    .filter(([name]) => !SAID.includes(name))
    .map(([name, value]) => `${name}=${printable(value, LABEL_CHARS_SHOWN)}`)
  const { summary = '', description = '', runbook_url: runbook = '' } = annotations
  const isOver = status === 'resolved'
  const words = isOver
    ? [`${alertname} is over`, summary, about.join(', ')]
    : [alertname, summary, description, about.join(', '), runbook]
  const said = words.filter((word) => word !== '').join(' · ')
  return {
    process_name: printable(instance ?? processName, LABEL_CHARS_SHOWN),
    error_msg: printable(said, MESSAGE_CHARS_MAX),
    timestamp: isOver ? endsAt : startsAt,
    severity: isOver ? 'resolved' : printable(severity, LABEL_CHARS_SHOWN),
  }
}
