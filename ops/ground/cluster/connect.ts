/** From settings to connections: how the brokers are reached and who we are to them. */
import { readFileSync } from 'node:fs'
import { type Admin, Kafka, logLevel, type SASLOptions } from 'kafkajs'
import type { KafkaLogOptions } from '../../../connectors/log/kafka/options.ts'
import type { Throttled } from '../../../connectors/log/kafka/throttle.ts'
import { whyNotKept } from '../../../connectors/secret-file.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { rememberUrl } from '../../base/shown-url.ts'
import type { Address, SequencerSettings } from '../../settings/schema.ts'

export type KafkaSettings = SequencerSettings['kafka']

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 30_000
/** A new cluster answers `COORDINATOR_NOT_AVAILABLE` for a while. */
const ADMIN_RETRIES = 8

/** @param warn told of a quota below our need, now and then */
export function kafkaLogOptions(
  kafka: KafkaSettings,
  clientId: string,
  warn?: (text: string) => void,
): KafkaLogOptions {
  const sasl = loginOf(kafka.sasl)
  return {
    brokers: kafka.brokers,
    clientId,
    clock: systemClock,
    replicationFactor: kafka.replicationFactor,
    ssl: encryptionOf(kafka.tls),
    ...(sasl && { sasl }),
    ...(warn && { onThrottled: quotaWarning(clientId, warn, systemClock.now) }),
    ...(kafka.transactions === 'v1' && { transactionsVersion: 1 as const }),
  }
}

/** kafkajs' own client for what an administrator does, connected. Throws CliError when no broker answers. */
export async function openAdmin(kafka: KafkaSettings, clientId: string, retries = ADMIN_RETRIES): Promise<Admin> {
  const sasl = loginOf(kafka.sasl)
  const client = new Kafka({
    brokers: [...kafka.brokers],
    clientId,
    ssl: encryptionOf(kafka.tls),
    ...(sasl && { sasl }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries },
    logLevel: logLevel.NOTHING,
  })
  const admin = client.admin()
  try {
    await admin.connect()
    return admin
  } catch (error) {
    const { message } = error as Error
    throw new CliError(
      `the brokers ${kafka.brokers.join(', ')} cannot be used: ${message}`,
      'Check kafka.brokers, TLS and login.',
      EXIT.unavailable,
      error,
    )
  }
}

function encryptionOf({
  enabled,
  caFile,
  certFile,
  keyFile,
}: KafkaSettings['tls']): boolean | { ca?: string; cert?: string; key?: string } {
  if (!caFile && !certFile) return enabled
  return {
    ...(caFile && { ca: readFileSync(caFile, 'utf8') }),
    ...(certFile && keyFile && { cert: readFileSync(certFile, 'utf8'), key: secretIn(keyFile) }),
  }
}

function loginOf({ mechanism, username, passwordFile }: KafkaSettings['sasl']): SASLOptions | undefined {
  if (!mechanism || !username || !passwordFile) return undefined
  return { mechanism, username, password: secretIn(passwordFile) }
}

/** Throws CliError when others may read the file. */
export function secretIn(file: string): string {
  const notKept = whyNotKept(file)
  if (notKept) throw new CliError(notKept, 'A secret is for its reader alone: mode 0600, or root’s with 0440.')
  return readFileSync(file, 'utf8').trim()
}

/** URLs of the setting, or of the file that it names, one a line. */
export function rpcUrlsOf({ rpcUrls, rpcUrlsFile }: Address['chain']): readonly string[] {
  if (rpcUrlsFile === undefined) return rpcUrls ?? []
  const urls = secretIn(rpcUrlsFile)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  for (const url of urls) rememberUrl(url)
  return urls
}

/** Between two warnings of the same. */
const WARN_EVERY_MS = 600_000

/** Warns at most every 10 minutes: a throttled client hears of it in every answer. */
export function quotaWarning(clientId: string, warn: (text: string) => void, now: () => number) {
  let warnedAt = Number.NEGATIVE_INFINITY
  return ({ broker, request, ms }: Throttled): void => {
    if (now() - warnedAt < WARN_EVERY_MS) return
    warnedAt = now()
    warn(
      `the brokers throttle the client ${clientId}: ${ms} ms by ${broker} at ${request}. Its quota (producer_byte_rate, ` +
        'consumer_byte_rate or request_percentage of the client or its user) is below its need: raise it with kafka-configs.sh',
    )
  }
}
