/** An alert, and the time that its rule speaks of. */

export interface Alert {
  readonly name: string
  /** `page`: somebody must look now. `ticket`: today. */
  readonly severity: 'page' | 'ticket'
  readonly expr: string
  /** Seconds that it must hold; 0 by default. */
  readonly for?: number
  readonly summary: string
  /** The meaning and the remedy, for a reader who has never read the code. Prometheus fills in labels and value. */
  readonly description: string
  /** Alerts that say why: while any of them fires, this one keeps quiet, since there is nothing more to do. */
  readonly explainedBy?: readonly string[]
}

/** Durations and ages, which a test may shorten all alike. */
export interface Times {
  /** As a range or an offset: `5m`. */
  range(seconds: number): string
  /** As a number to compare an age with. */
  age(seconds: number): number
}

export type Alerts = (times: Times) => readonly Alert[]

export const MINUTE = 60
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** @param scale by which every time is multiplied; 1 outside of tests */
export const timesAt = (scale: number): Times => ({
  range: (seconds) => (scale === 1 ? inUnits(seconds) : `${Math.ceil(seconds * scale * 1_000)}ms`),
  age: (seconds) => seconds * scale,
})

function inUnits(seconds: number): string {
  if (seconds % DAY === 0) return `${seconds / DAY}d`
  if (seconds % HOUR === 0) return `${seconds / HOUR}h`
  return seconds % MINUTE === 0 ? `${seconds / MINUTE}m` : `${seconds}s`
}
