/** Rows of a benchmark: a figure with its unit and the conditions it was taken under. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly conditions: string
}

/**
 * CPU time of this process while it worked, µs: user and system, all of its threads. For work without I/O it is the time of an
 * idle machine, and other jobs on the machine hardly change it.
 */
export function onCpu<T>(work: () => T): { readonly micros: number; readonly result: T } {
  const before = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(before)
  return { micros: user + system, result }
}

/** Median of five runs over all items, µs of CPU time each. */
export function perItem<T>(items: readonly T[], work: (item: T) => unknown): number {
  const all = () => {
    for (const item of items) work(item)
  }
  const runs = Array.from({ length: 6 }, () => onCpu(all).micros / items.length)
  return median(runs.slice(1))
}

export const millis = (work: () => unknown): number => perItem([0], work) / 1_000

export const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!
/** The smallest value that so large a share of all does not exceed. */
export function percentile(all: readonly number[], share: number): number {
  const sorted = all.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!
}

/** Three digits say as much as a run does. */
export const rounded = (value: number): number => (value < 1_000 ? Number(value.toPrecision(3)) : Math.round(value))

export const row = (name: string, value: number, unit: string, conditions: string): BenchRow => ({
  name,
  value: rounded(value),
  unit,
  conditions,
})
