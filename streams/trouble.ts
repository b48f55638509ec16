import type { Clock } from './ports.ts'

/** A leader that moves is found again sooner; nobody needs to hear of that. */
const SILENT_MS = 3_000

/** The failure of an action that is tried again and again, in words for a person. */
export class Trouble {
  private readonly clock: Clock
  private since = 0
  private reason: string | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  met(reason: string): void {
    if (this.reason === undefined) this.since = this.clock.now()
    this.reason = reason
  }

  over(): void {
    this.reason = undefined
  }

  /** The newest reason; undefined while there is none, and when the first came only just now. */
  get lasting(): string | undefined {
    return this.clock.now() - this.since < SILENT_MS ? undefined : this.reason
  }
}
