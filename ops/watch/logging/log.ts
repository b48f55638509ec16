/**
 * The log of a process: JSON lines on standard error, one per event that an operator needs, for a log collector. Standard output
 * stays what a person reads. No payloads and no keys: events are put together from named fields, and what is known to be secret
 * is taken out of every line, wherever a message of a library may have brought it from. Characters of foreign text that a
 * terminal would obey stand in escapes of JSON.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { printableJson } from '../../base/printable.ts'
import { withoutKeys } from '../../base/shown-url.ts'
import type { LogLevel } from '../../settings/log-settings.ts'

export type EventLog = Logger

export interface LogOptions {
  /** By default `info`, and nothing where a terminal would mix it with the lines for people. */
  readonly level?: LogLevel | undefined
  /** In every line, e.g. which instance it is. */
  readonly fields?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  /** Standard error by default. */
  readonly to?: DestinationStream
}

const STDERR = 2
/** A shorter one could be any word. */
const SECRET_LENGTH_MIN = 4

export function createLog({ level, fields = {}, secrets = [], to }: LogOptions): EventLog {
  const scrubbed = scrub(secrets)
  const options = {
    level: level ?? (process.stderr.isTTY ? 'silent' : 'info'),
    base: fields,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: { streamWrite: (line: string) => printableJson(withoutAddressKeys(scrubbed(line))) },
  }
  // few lines, and the last ones before an end matter most: written at once
  return pino(options, to ?? destination({ dest: STDERR, sync: true }))
}

/** Says nothing. */
export const noLog = (): EventLog => pino({ level: 'silent' })

/** A line of JSON, every address in it without its keys. */
const withoutAddressKeys = (line: string): string =>
  `${JSON.stringify(JSON.parse(line, (_, value: unknown) => (typeof value === 'string' ? withoutKeys(value) : value)))}\n`

/** Without a secret in any of the forms in which it may turn up. */
export function scrub(secrets: readonly string[]): (line: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= SECRET_LENGTH_MIN)
    .flatMap((secret) => [
      secret,
      secret.replace(/^0x/, ''),
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
    ])
  const unique = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return (line) => unique.reduce((text, secret) => text.replaceAll(secret, '[secret]'), line)
}
