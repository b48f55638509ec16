/**
 * The ports of the engine: everything it asks of the outside world.
 *
 * `Log` has four drivers (embedded, memory, simulated, kafka) held to one contract suite, so it keeps Kafka's truths: partitions,
 * groups with generations, fencing by transactional id, read-committed fetch up to a last stable offset, and positions
 * that jump (control records and compaction leave holes; `next` may exceed the last record's offset + 1).
 */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface TopicConfig {
  readonly name: string
  readonly partitions: number
  /** `delete` drops by age; `compact` keeps at least the newest record of each key (null value = tombstone). */
  readonly cleanup: 'delete' | 'compact'
  /** Age in ms at which a `delete` topic may drop a record; undefined = never by age. */
  readonly retentionMs?: number
}

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array
}

/** A record as it lies in the log. `timestamp` is CreateTime in ms; a null value is a tombstone. */
export interface LogRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
  /** The driver could not unpack it: key and value are the beginnings of what there is. None of ours ever has one. */
  readonly fault?: RecordFault
}

/** Why a driver hands out only the beginning of a record, or one record for a whole batch. */
export interface RecordFault {
  readonly reason: 'oversize' | 'batch'
  /** In words. */
  readonly message: string
  /** Size of all of it, as far as is known. */
  readonly sizeBytes: number
}

/** A record to be written. The partition is always explicit: partitioning is the caller's (see partitioner.ts). */
export interface OutgoingRecord {
  readonly topic: string
  readonly partition: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

export interface FetchPosition extends TopicPartition {
  readonly offset: number
}

export interface FetchedPartition extends TopicPartition {
  /** Committed records at or after the position asked for, in offset order; may be empty while `next` still advances. */
  readonly records: readonly LogRecord[]
  /** Position to fetch next. */
  readonly next: number
  /** Last stable offset: no record at or above it is visible yet. */
  readonly stable: number
  /** First offset still in the log. */
  readonly start: number
  /** Behind everything written, also by transactions that are open; undefined where that is not known. */
  readonly end?: number
  /** The position lies below `start` or above the end; `records` is empty and `next` is the position asked for. */
  readonly outOfRange: boolean
  /** The partition cannot be read at present and is asked for again: that `records` is empty means nothing. */
  readonly failure?: LogError
  /**
   * The bytes at the position are not the bytes that were written there (`failure` says more). Another replica may have them, so
   * a reader that may miss nothing asks again. A reader that only looks on reports it and goes on at `next`.
   */
  readonly damaged?: { readonly next: number }
}

export interface PartitionBounds {
  readonly start: number
  readonly stable: number
}

export interface CommittedOffset {
  /** Offset of the next record to consume. */
  readonly next: number
  /** Free text kept with the offset, at most 4,096 bytes (Kafka's offset.metadata.max.bytes). */
  readonly metadata: string
}

export interface OffsetCommit extends TopicPartition, CommittedOffset {}

/** The records and input offsets of one transaction: all of it becomes visible, or none. */
export interface Burst {
  readonly records: readonly OutgoingRecord[]
  readonly offsets?: {
    readonly group: string
    readonly commits: readonly OffsetCommit[]
    readonly membership?: MemberIdentity
  }
}

/**
 * - `committed`: visible, or about to be (Kafka answers before it has written the control record that readers wait for);
 *   `baseOffsets` has, per `topic/partition` written, the offset of the burst's first record there.
 * - `aborted`: nothing is visible; the same writer may send the burst again.
 * - `unknown`: the answer was lost. Open a new writer with the same id (it resolves the old transaction), compare the
 *   committed offsets with the burst's, and send again only if they differ.
 * - `fenced`: a newer writer with the same id exists (or the membership is stale). Drop everything of the task.
 */
export type CommitOutcome =
  | { readonly outcome: 'committed'; readonly baseOffsets: ReadonlyMap<string, number> }
  | { readonly outcome: 'aborted' | 'unknown' | 'fenced'; readonly cause?: unknown }

export interface TransactionalWriter {
  /** Commits one transaction. One call at a time. Never rejects: every failure is an outcome. */
  commit(burst: Burst): Promise<CommitOutcome>
  close(): Promise<void>
}

/** Writes outside transactions (the intake). Idempotent within one appender, so a driver's own retries never double. */
export interface Appender {
  /**
   * Resolves when every record is durable, with each record's offset in input order. Rejects with `LogError`; when it is
   * `indefinite` the records may or may not be there, and appending them again may double them.
   */
  append(records: readonly OutgoingRecord[]): Promise<readonly number[]>
  close(): Promise<void>
}

export interface MemberIdentity {
  readonly memberId: string
  readonly generation: number
}

export interface JoinOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** Other topics that the member rests on: it is lost (`TOPIC_RECREATED`) when one of them is made anew. */
  readonly watched?: readonly string[]
  /** Stable name of this process; assignments sort by it, so they are the same with any leader. */
  readonly instanceId: string
  /** Hash of the topology; members with another hash are refused (`LogError` code `TOPOLOGY_MISMATCH`). */
  readonly fingerprint: string
  /** Members that keep the state of each task ready beside its owner; 0 by default, at most as many as there are others. */
  readonly standbys?: number
  /**
   * How far this member has restored each task that it keeps ready, as the sum of its changelog positions. Asked for in
   * each rebalance: a task that loses its owner goes where most of its state is.
   */
  readonly restored?: () => ReadonlyMap<number, number>
}

export interface GroupListener {
  /**
   * The whole assignment of this member in a new generation; what is not in it is lost. Called in generation order.
   * @param standbys numbers of the tasks whose state this member is to keep ready; none of them is in `partitions`
   */
  assigned(partitions: readonly TopicPartition[], identity: MemberIdentity, standbys: readonly number[]): void
  /** The member was thrown out (session expired, fenced); join again. */
  lost(cause: Error): void
}

export interface Membership {
  leave(): Promise<void>
}

export interface FetchOptions {
  /** Wait up to this long for a first record when none is there; 0 answers at once. */
  readonly maxWaitMs: number
  /** Soft bound on bytes per partition; a single larger record is still returned. */
  readonly maxBytesPerPartition: number
  readonly signal?: AbortSignal
}

export interface Log {
  /**
   * Idempotent. Rejects with `TOPIC_MISMATCH` when a topic exists with fewer partitions. Where somebody may have added some, they are left
   * alone; a log that only its owner can change refuses more, too.
   */
  createTopics(topics: readonly TopicConfig[]): Promise<void>
  partitionCount(topic: string): Promise<number>
  /**
   * The identity of each topic, another one once it was deleted and made anew. Those without (of an old cluster) are left out;
   * undefined where topics cannot be deleted.
   */
  topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string> | undefined>
  bounds(partitions: readonly TopicPartition[]): Promise<readonly PartitionBounds[]>
  /**
   * Offsets behind everything written, also by transactions that are open or whose end readers do not see yet. A record committed
   * before the call is visible once a partition's stable offset has reached its end.
   */
  ends(partitions: readonly TopicPartition[]): Promise<readonly number[]>
  committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly (CommittedOffset | undefined)[]>
  /** Read-committed. Answers for each position asked for, in the order asked. */
  fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<readonly FetchedPartition[]>
  join(options: JoinOptions, listener: GroupListener): Promise<Membership>
  /**
   * Fences every older writer with this id and resolves its open transaction (Kafka: InitProducerId).
   * @param group whose offsets it commits: what an older writer left there, and nobody ends, is ended when `committedOffsets` waits for it
   */
  transactionalWriter(transactionalId: string, group?: string): Promise<TransactionalWriter>
  appender(): Promise<Appender>
  /** Deletes the records before `offset`; may keep some. */
  deleteRecords(before: readonly FetchPosition[]): Promise<void>
  /**
   * The same log, as somebody who opens it now finds it: a topic that was deleted and made anew is the new one there, while this one
   * goes on refusing it. For a reader that keeps no position and reads such a topic from its start. The caller closes it. Absent where
   * topics cannot be deleted. @throws LogError as opening the log does
   */
  readonly reopened?: (() => Promise<Log>) | undefined
  close(): Promise<void>
}

/**
 * A failure of the log. `retriable`: the same call may succeed later. `indefinite`: it may have taken effect. `untilMended`: it succeeds as soon
 * as an operator has put a setting of the cluster right, and not before.
 */
export class LogError extends Error {
  readonly code: string
  readonly retriable: boolean
  readonly indefinite: boolean
  readonly untilMended: boolean
  constructor(
    code: string,
    message: string,
    options: { retriable?: boolean; indefinite?: boolean; untilMended?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'LogError'
    this.code = code
    this.retriable = options.retriable ?? false
    this.indefinite = options.indefinite ?? false
    this.untilMended = options.untilMended ?? false
  }
}

/** The reason why nobody may read on from a position: see `PositionLostError`. */
export type PositionLoss = 'TOPIC_RECREATED' | 'TOPIC_DELETED' | 'TRUNCATED' | 'RECORDS_DELETED' | 'UNREADABLE_ROW'

/**
 * The log is not the log that a position was kept for: a reader that went on would pass over records without a word. The topic
 * was deleted and made anew, the log ends before the position, or it begins behind it, or a row of the state is not to be read. Never
 * retriable.
 */
export class PositionLostError extends LogError {
  readonly topic: string
  /** Undefined: all of the topic. */
  readonly partition: number | undefined
  constructor(code: PositionLoss, at: { readonly topic: string; readonly partition?: number }, message: string) {
    super(code, message)
    this.name = 'PositionLostError'
    this.topic = at.topic
    this.partition = at.partition
  }
}

/** Whether work that failed so may begin again from what is in the log: in an outage, or where a topic was made anew. */
export const mayBeginAgain = (error: LogError): boolean => error.retriable || error instanceof PositionLostError

/** Time and waiting, so that a simulation owns them. Never used to decide an output, only when to try again. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
