import { LogError } from '../../../streams/ports.ts'

/** The meaning of a Kafka error code for this driver. The one place where codes are judged. */
export interface ErrorKind {
  /** Name in the protocol guide. */
  readonly name: string
  /** The same request may succeed later. */
  readonly retriable?: true
  /** The request may have been done all the same. */
  readonly indefinite?: true
  /** The transaction must be aborted; then the same burst may succeed. */
  readonly abortable?: true
  /** A setting of the cluster refuses it: the same request succeeds once that is put right, which somebody may do at any time. */
  readonly untilMended?: true
  /** The knowledge that must be looked up again before the next attempt. */
  readonly stale?: 'leader' | 'coordinator'
  /** `writer`: a newer writer has this transactional id. `member`: the group has gone on without this member. */
  readonly fences?: 'writer' | 'member'
  /** The remedy, where the name does not say it. */
  readonly advice?: string
}

const APPLY = '`sequencer deploy plan` compares it, `deploy apply` sets it'

/** Kinds of errors by code. A code that is not here is neither retriable nor fencing, so that the caller hears of it. */
const KINDS: Readonly<Record<number, ErrorKind>> = {
  [-1]: { name: 'UNKNOWN_SERVER_ERROR', retriable: true, indefinite: true, abortable: true },
  1: { name: 'OFFSET_OUT_OF_RANGE' },
  2: { name: 'CORRUPT_MESSAGE', retriable: true },
  3: { name: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true, stale: 'leader' },
  5: { name: 'LEADER_NOT_AVAILABLE', retriable: true, stale: 'leader' },
  6: { name: 'NOT_LEADER_OR_FOLLOWER', retriable: true, stale: 'leader' },
  7: { name: 'REQUEST_TIMED_OUT', retriable: true },
  8: { name: 'BROKER_NOT_AVAILABLE', retriable: true, stale: 'leader' },
  9: { name: 'REPLICA_NOT_AVAILABLE', retriable: true, stale: 'leader' },
  10: { name: 'MESSAGE_TOO_LARGE', untilMended: true, advice: `raise max.message.bytes of the topic: ${APPLY}` },
  12: {
    name: 'OFFSET_METADATA_TOO_LARGE',
    untilMended: true,
    advice: 'raise offset.metadata.max.bytes of the brokers to 4096, which is their default',
  },
  13: { name: 'NETWORK_EXCEPTION', retriable: true, stale: 'leader' },
  14: { name: 'COORDINATOR_LOAD_IN_PROGRESS', retriable: true },
  15: { name: 'COORDINATOR_NOT_AVAILABLE', retriable: true, stale: 'coordinator' },
  16: { name: 'NOT_COORDINATOR', retriable: true, stale: 'coordinator' },
  17: { name: 'INVALID_TOPIC_EXCEPTION' },
  18: { name: 'RECORD_LIST_TOO_LARGE', untilMended: true, advice: `raise segment.bytes of the topic: ${APPLY}` },
  19: { name: 'NOT_ENOUGH_REPLICAS', retriable: true },
  20: { name: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', retriable: true },
  22: { name: 'ILLEGAL_GENERATION', fences: 'member' },
  23: { name: 'INCONSISTENT_GROUP_PROTOCOL' },
  24: { name: 'INVALID_GROUP_ID' },
  25: { name: 'UNKNOWN_MEMBER_ID', fences: 'member' },
  26: { name: 'INVALID_SESSION_TIMEOUT', advice: 'group.min/max.session.timeout.ms of the brokers bound it' },
  27: { name: 'REBALANCE_IN_PROGRESS', retriable: true },
  28: { name: 'INVALID_COMMIT_OFFSET_SIZE' },
  29: { name: 'TOPIC_AUTHORIZATION_FAILED', advice: 'give the principal its ACL on the topic' },
  30: { name: 'GROUP_AUTHORIZATION_FAILED', advice: 'give the principal its ACL on the group' },
  31: { name: 'CLUSTER_AUTHORIZATION_FAILED', advice: 'give the principal its ACL on the cluster' },
  35: { name: 'UNSUPPORTED_VERSION', advice: 'the broker is too old or too new' },
  36: { name: 'TOPIC_ALREADY_EXISTS' },
  37: { name: 'INVALID_PARTITIONS' },
  38: { name: 'INVALID_REPLICATION_FACTOR', advice: 'more replicas were asked for than there are brokers' },
  40: { name: 'INVALID_CONFIG' },
  41: { name: 'NOT_CONTROLLER', retriable: true },
  42: { name: 'INVALID_REQUEST' },
  44: { name: 'POLICY_VIOLATION' },
  45: { name: 'OUT_OF_ORDER_SEQUENCE_NUMBER', abortable: true },
  46: { name: 'DUPLICATE_SEQUENCE_NUMBER', abortable: true },
  47: { name: 'INVALID_PRODUCER_EPOCH', fences: 'writer' },
  48: { name: 'INVALID_TXN_STATE', abortable: true },
  49: { name: 'INVALID_PRODUCER_ID_MAPPING', fences: 'writer' },
  50: { name: 'INVALID_TRANSACTION_TIMEOUT', advice: 'transaction.max.timeout.ms of the brokers bounds it' },
  51: { name: 'CONCURRENT_TRANSACTIONS', retriable: true },
  53: { name: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', advice: 'give the principal its ACL on the transactional id' },
  55: { name: 'OPERATION_NOT_ATTEMPTED' },
  56: { name: 'KAFKA_STORAGE_ERROR', retriable: true, stale: 'leader' },
  58: { name: 'SASL_AUTHENTICATION_FAILED' },
  59: { name: 'UNKNOWN_PRODUCER_ID', abortable: true },
  74: { name: 'FENCED_LEADER_EPOCH', retriable: true, stale: 'leader' },
  75: { name: 'UNKNOWN_LEADER_EPOCH', retriable: true, stale: 'leader' },
  78: { name: 'OFFSET_NOT_AVAILABLE', retriable: true },
  79: { name: 'MEMBER_ID_REQUIRED', retriable: true },
  81: { name: 'GROUP_MAX_SIZE_REACHED' },
  82: { name: 'FENCED_INSTANCE_ID', fences: 'member' },
  87: { name: 'INVALID_RECORD' },
  88: { name: 'UNSTABLE_OFFSET_COMMIT', retriable: true },
  89: { name: 'THROTTLING_QUOTA_EXCEEDED', retriable: true },
  90: { name: 'PRODUCER_FENCED', fences: 'writer' },
  100: { name: 'UNKNOWN_TOPIC_ID', retriable: true, stale: 'leader' },
  103: { name: 'INCONSISTENT_TOPIC_ID', retriable: true, stale: 'leader' },
  120: { name: 'TRANSACTION_ABORTABLE', abortable: true },
}

/** Codes that a caller treats in a way of its own. */
export const Code = {
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  INVALID_TOPIC: 17,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  POLICY_VIOLATION: 44,
  INVALID_TXN_STATE: 48,
  OPERATION_NOT_ATTEMPTED: 55,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  TRANSACTION_ABORTABLE: 120,
} as const

/** A refusal by a broker: what was asked did not happen, unless it is indefinite. */
export class KafkaRefusal extends LogError {
  readonly kafkaCode: number
  readonly kind: ErrorKind
  /** @param what the request, and the broker that was asked */
  constructor(kafkaCode: number, what: string, detail?: string | null) {
    const kind = KINDS[kafkaCode] ?? { name: `KAFKA_ERROR_${kafkaCode}` }
    const more = [detail, kind.advice].filter(Boolean).join('; ')
    const { retriable = false, indefinite = false, untilMended = false } = kind
    super(kind.name, `${what}: ${kind.name}${more ? ` (${more})` : ''}`, { retriable, indefinite, untilMended })
    this.kafkaCode = kafkaCode
    this.kind = kind
  }
}

/** Whether the next attempt should look again who leads the partition, or coordinates. */
export const isStale = (error: LogError, what: 'leader' | 'coordinator'): boolean =>
  !(error instanceof KafkaRefusal) || error.kind.stale === what

/** @throws KafkaRefusal unless the code is 0 */
export function expectNoError(kafkaCode: number, what: string, detail?: string | null): void {
  if (kafkaCode !== 0) throw new KafkaRefusal(kafkaCode, what, detail)
}

/** @param indefinite when something was sent already */
export const closedError = (indefinite = false): LogError =>
  new LogError('CLOSED', 'the log was closed', { indefinite })

/** Nobody heard what was asked. */
export const unreachable = (what: string, cause: unknown): LogError =>
  new LogError('UNREACHABLE', `${what}: ${messageOf(cause)}`, { retriable: true, cause })

/** The request may have been heard and done: the answer did not come. */
export const unanswered = (what: string, cause: unknown): LogError =>
  new LogError('UNANSWERED', `${what}: ${messageOf(cause)}`, { retriable: true, indefinite: true, cause })

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
