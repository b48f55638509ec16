import type { Clock } from './ports.ts'

/** Wakes all that wait for news. */
export class Signal {
  private readonly clock: Clock
  private readonly waiting = new Set<AbortController>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  raise(): void {
    if (this.waiting.size === 0) return
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const waiter of woken) waiter.abort('news') // without a reason each makes an error, with its stack
  }

  /** Resolves at the next `raise`, or after `ms`. */
  async wait(ms: number): Promise<void> {
    const waiter = new AbortController()
    this.waiting.add(waiter)
    await this.clock.sleep(ms, waiter.signal)
    this.waiting.delete(waiter)
  }
}
