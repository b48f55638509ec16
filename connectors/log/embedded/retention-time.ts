import type { Clock } from '../../../streams/ports.ts'

/** How many times as fast as time passes the time of retention may catch up: a day that the log was closed in 2.4 hours. */
const CATCH_UP = 10

/**
 * The time by which records are too old: kept with the log, never back, and after a start, whatever the machine's clock says
 * then, only some times as fast as time passes. A wrong clock costs no record before somebody can have set it right.
 */
export class RetentionTime {
  private readonly clock: Clock
  private seenAt: number
  private time: number

  /** @param from its time when the log was last open, ms since 1970 */
  constructor(clock: Clock, from: number) {
    this.clock = clock
    this.seenAt = clock.now()
    this.time = from
  }

  /** Ms since 1970. */
  now(): number {
    const at = this.clock.now()
    const passed = Math.max(0, at - this.seenAt)
    this.seenAt = at
    this.time += Math.min(passed * CATCH_UP, Math.max(0, at - this.time))
    return this.time
  }
}
