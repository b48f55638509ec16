import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import type { Clock } from '../../../streams/ports.ts'
import type { Throttled } from './throttle.ts'

export interface KafkaLogOptions {
  /** `host:port` of some brokers, to begin with; the others are learnt from them. */
  readonly brokers: readonly string[]
  /** Name in the brokers' logs and quotas. */
  readonly clientId: string
  readonly clock: Clock
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?: SASLOptions
  /** Replicas of a topic created here; the broker's default when undefined. */
  readonly replicationFactor?: number
  /**
   * Transactions by KIP-890 (2: a new epoch for each, so that a late request of an earlier one can do nothing) or as before
   * it (1). The newest that the cluster has switched on when undefined.
   */
  readonly transactionsVersion?: 1 | 2
  /** Longest wait for an answer; then what was asked may or may not have happened. */
  readonly requestTimeoutMs?: number
  /** After this long without a heartbeat the group gives a member's partitions to others. */
  readonly sessionTimeoutMs?: number
  /** A transaction that its writer does not end is aborted by the broker after this long; readers wait until then. */
  readonly transactionTimeoutMs?: number
  /** A broker keeps a connection silent, since this client is over its quota. Called for every such answer. */
  readonly onThrottled?: (throttled: Throttled) => void
  /** The messages of kafkajs, from its level ERROR on. Nothing by default: every failure is a `LogError` of the call. */
  readonly onClientMessage?: (message: string, details: Readonly<Record<string, unknown>>) => void
}

/** The options with every default filled in. */
export type KafkaSettings = KafkaLogOptions & typeof DEFAULTS

export const CONNECT_TIMEOUT_MS = 3_000

const DEFAULTS = {
  requestTimeoutMs: 10_000,
  sessionTimeoutMs: 10_000,
  transactionTimeoutMs: 20_000,
}

export const settingsOf = (options: KafkaLogOptions): KafkaSettings => ({ ...DEFAULTS, ...options })
