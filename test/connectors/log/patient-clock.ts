import { systemClock } from '../../../connectors/system-clock.ts'
import type { Clock } from '../../../streams/ports.ts'

/**
 * Real time, except that a wait of exactly `roundMs` (a log between two rounds of maintenance) ends when the test says so.
 */
export class PatientClock implements Clock {
  private readonly roundMs: number
  private aheadMs = 0
  private release: (() => void) | undefined
  private waitingAgain: (() => void) | undefined

  constructor(roundMs: number) {
    this.roundMs = roundMs
  }

  now(): number {
    return systemClock.now() + this.aheadMs
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== this.roundMs) return await systemClock.sleep(ms, signal)
    await new Promise<void>((resolve) => {
      this.release = resolve
      signal?.addEventListener('abort', () => resolve(), { once: true })
      this.waitingAgain?.()
    })
  }

  /** Lets `ms` pass and one round run to its end. */
  async maintain(ms: number): Promise<void> {
    this.aheadMs += ms
    const again = new Promise<void>((resolve) => {
      this.waitingAgain = resolve
    })
    this.release?.()
    await again
  }
}
