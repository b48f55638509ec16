/**
 * From decoded records to the log: groups them, appends one group after the other, and repeats a group until the log has
 * taken it. A submission is acknowledged when its append resolved; there is no promise per record.
 */

import { doubling } from '../../streams/back-off.ts'
import type { Appender, Clock, Log, OutgoingRecord } from '../../streams/ports.ts'
import { LogError } from '../../streams/ports.ts'
import { within } from '../../streams/within.ts'
import type { IntakeLimits } from './limits.ts'

export interface AppendQueueOptions<O> {
  readonly log: Pick<Log, 'appender'>
  readonly clock: Clock
  readonly limits: IntakeLimits
  /** Called per record of a group that is in the log, then once for the group. */
  readonly released: (owner: O, bytes: number, record: OutgoingRecord) => void
  /** `waitedMs`: since the first of them was queued. */
  readonly appended?: (records: number, bytes: number, waitedMs: number) => void
  readonly failed?: (error: unknown, retryInMs: number) => void
}

interface Group<O> {
  readonly records: OutgoingRecord[]
  readonly owners: O[]
  readonly sizes: number[]
  bytes: number
  /** When its first record was queued, ms. */
  since: number
}

export class AppendQueue<O> {
  private readonly options: AppendQueueOptions<O>
  private readonly stopping = new AbortController()
  /** Whole groups, oldest first; `filling` comes after them. Bounded by the caller's back-pressure. */
  private readonly full: Group<O>[] = []
  private filling: Group<O> = emptyGroup()
  private wake: (() => void) | undefined
  private appender: Appender | undefined
  private readonly running: Promise<void>
  private draining = false

  constructor(options: AppendQueueOptions<O>, appender: Appender) {
    this.options = options
    this.appender = appender
    this.running = this.run()
  }

  /** Queues a record; `bytes` is what it counts for until it is released. */
  add(record: OutgoingRecord, bytes: number, owner: O): void {
    const { filling } = this
    if (filling.records.length === 0) filling.since = this.options.clock.now()
    filling.records.push(record)
    filling.owners.push(owner)
    filling.sizes.push(bytes)
    filling.bytes += bytes
    const { appendRecordsMax, appendBytesMax } = this.options.limits
    if (filling.records.length >= appendRecordsMax || filling.bytes >= appendBytesMax) {
      this.full.push(filling)
      this.filling = emptyGroup()
    }
    this.wake?.()
  }

  /** Appends what is queued, for so long at most; answers how many records did not get into the log. */
  async drain(msMax: number): Promise<number> {
    this.draining = true
    this.wake?.()
    await within(this.running, { clock: this.options.clock, ms: msMax }, () => undefined)
    this.stopping.abort()
    return [...this.full, this.filling].reduce((left, { records }) => left + records.length, 0)
  }

  async close(): Promise<void> {
    await this.appender?.close()
  }

  private async run(): Promise<void> {
    const { clock, limits } = this.options
    while (!this.stopping.signal.aborted) {
      if (this.full.length === 0 && this.filling.records.length === 0) {
        if (this.draining) return
        await this.something()
        continue
      }
      if (this.full.length === 0 && !this.draining) await clock.sleep(limits.appendLingerMs)
      await this.appendNext()
    }
  }

  private something(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = undefined
        resolve()
      }
    })
  }

  /** The oldest group stays in the queue until the log has it. */
  private async appendNext(): Promise<void> {
    if (this.full.length === 0) {
      this.full.push(this.filling)
      this.filling = emptyGroup()
    }
    const group = this.full[0]!
    const { clock, released, appended } = this.options
    if (!(await this.appendUntilTaken(group.records))) return
    this.full.shift()
    for (const [i, record] of group.records.entries()) released(group.owners[i]!, group.sizes[i]!, record)
    appended?.(group.records.length, group.bytes, clock.now() - group.since)
  }

  /**
   * Repeats for ever: the same records may then lie in the log twice, which costs nothing, since identity is the digest and
   * `receivedAt` is the same. Meanwhile back-pressure holds the sockets. False when the queue is stopped first.
   */
  private async appendUntilTaken(records: readonly OutgoingRecord[]): Promise<boolean> {
    const { log, clock, limits, failed } = this.options
    const pauseMs = doubling({ firstMs: limits.retryMsMin, mostMs: limits.retryMsMax })
    for (let failures = 1; !this.stopping.signal.aborted; failures++) {
      try {
        this.appender ??= await log.appender()
        await this.appender.append(records)
        return true
      } catch (error) {
        if (!(error instanceof LogError && error.retriable)) await this.dropAppender()
        const ms = pauseMs(failures)
        failed?.(error, ms)
        await clock.sleep(ms, this.stopping.signal)
      }
    }
    return false
  }

  /** An appender that cannot go on (fenced, closed) is replaced. */
  private async dropAppender(): Promise<void> {
    const { appender } = this
    this.appender = undefined
    await appender?.close().catch(() => {}) // it has failed already
  }
}

const emptyGroup = <O>(): Group<O> => ({ records: [], owners: [], sizes: [], bytes: 0, since: 0 })
