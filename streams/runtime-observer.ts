import type { DeadLetter } from './dead-letter.ts'
import type { CommitOutcome, PositionLostError } from './ports.ts'
import type { Unreadable } from './read-record.ts'

/** The size of a burst, and the time that its commit took. */
interface ObservedBurst {
  readonly records: number
  /** Bytes of the values of the records. */
  readonly bytes: number
  readonly elapsedMs: number
}

/** The runtime's reports to its observer. Called per burst or per slice, never per record. */
export interface RuntimeObserver {
  /** A fetch brought new records for a task; `bytes` of their values. */
  fetched?(stage: string, records: number, bytes: number): void
  /** `records` were processed by a task in one slice of `elapsedMs`. */
  processed?(stage: string, partition: number, records: number, elapsedMs: number): void
  /** An attempt at a burst. */
  committed?(stage: string, partition: number, outcome: CommitOutcome['outcome'], burst: ObservedBurst): void
  restored?(stage: string, partition: number, records: number, elapsedMs: number): void
  /** The tasks of this member from now on, and the tasks of others that it keeps ready; it owns none when it is thrown out. */
  rebalanced?(stage: string, owned: ReadonlySet<number>, standbys: ReadonlySet<number>): void
  deadLettered?(letter: DeadLetter): void
  /** A global table, or a store that is restored, left a record out that is none of its topic. */
  unreadable?(unreadable: Unreadable): void
  /** Records between the task's position and the end of its inputs, also records that an open transaction holds back. */
  lag?(stage: string, topic: string, partition: number, lag: number): void
  /** The same of a standby and a changelog. */
  standbyLag?(stage: string, changelog: string, partition: number, lag: number): void
  /** The task does not go on: its position is not one of the log as it is. */
  taskRefused?(stage: string, partition: number, cause: PositionLostError): void
  taskFailed?(stage: string, partition: number, error: unknown): void
}
