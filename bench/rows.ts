/** Rows of a benchmark: a figure with its unit and the conditions it was taken under. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly conditions: string
}

/** Median of five runs over all items, µs each. */
export function perItem<T>(items: readonly T[], work: (item: T) => unknown): number {
  const runs = Array.from({ length: 6 }, () => {
    const started = performance.now()
    for (const item of items) work(item)
    return ((performance.now() - started) * 1_000) / items.length
  })
  return median(runs.slice(1))
}

export const millis = (work: () => unknown): number => perItem([0], work) / 1_000

export const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!
export const row = (name: string, value: number, unit: string, conditions: string): BenchRow => ({
  name,
  value: value < 1_000 ? Number(value.toPrecision(3)) : Math.round(value),
  unit,
  conditions,
})
