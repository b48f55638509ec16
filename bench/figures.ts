/** Several runs of a benchmark as figures: the median of each with its spread, and which fell below others. */
import { type BenchRow, median, rounded } from './rows.ts'

/** One figure of several runs. `least` and `most` are its spread, in the same unit. */
export interface Figure {
  readonly bench: string
  readonly name: string
  readonly unit: string
  readonly conditions: string
  readonly median: number
  readonly least: number
  readonly most: number
  readonly runs: number
}

/** Units of which more is better; of all others less is. */
const MORE_IS_BETTER = new Set([
  'records/s',
  'records/CPU-s',
  'submissions/s',
  'bursts/s',
  'times ours',
  'times Kafka Streams',
])

/** @param runs each with the same rows @throws Error when a run lacks a row of the first */
export function figuresOf(bench: string, runs: readonly (readonly BenchRow[])[]): Figure[] {
  const [first = []] = runs
  return first.map(({ name, unit, conditions }) => {
    const values = runs.map((rows) => {
      const found = rows.find((row) => row.name === name)
      if (!found) throw new Error(`one run of ${bench} has no row "${name}"`)
      return found.value
    })
    const [least, most] = [Math.min(...values), Math.max(...values)]
    return { bench, name, unit, conditions, median: rounded(median(values)), least, most, runs: runs.length }
  })
}

/** A figure that fell: its median is worse than the kept one by more than the wider of the two spreads. */
export interface Fall {
  readonly figure: Figure
  readonly kept: Figure
}

/** Figures that are not kept, and kept ones that were not measured, are not compared. */
export function fallen(figures: readonly Figure[], kept: readonly Figure[]): Fall[] {
  return figures.flatMap((figure) => {
    const before = kept.find(({ bench, name }) => bench === figure.bench && name === figure.name)
    if (!before) return []
    const worse = MORE_IS_BETTER.has(figure.unit) ? before.median - figure.median : figure.median - before.median
    return worse > Math.max(spreadOf(figure), spreadOf(before)) ? [{ figure, kept: before }] : []
  })
}

const spreadOf = ({ least, most }: Figure): number => most - least

/** A table for docs/benchmarks.md. */
export const tableOf = (figures: readonly Figure[]): string =>
  [
    '| what | median | least to most | unit | conditions |\n|---|---:|---:|---|---|',
    ...figures.map(
      ({ name, median: middle, least, most, unit, conditions }) =>
        `| ${name} | ${shown(middle)} | ${shown(least)} to ${shown(most)} | ${unit} | ${conditions} |`,
    ),
  ].join('\n')

/** An aim for one figure, in its unit. */
export interface Aim {
  readonly bench: string
  readonly name: string
  /** The median should be at most so much. */
  readonly most: number
}

/** Each aim beside what was measured. @throws Error when there is no figure for one */
export const aimsTable = (aims: readonly Aim[], figures: readonly Figure[]): string =>
  [
    '| what | aimed at, at most | measured | unit | |\n|---|---:|---:|---|---|',
    ...aims.map(({ bench, name, most }) => {
      const figure = figures.find((one) => one.bench === bench && one.name === name)
      if (!figure) throw new Error(`there is no figure "${name}" of ${bench}`)
      const { median: middle, unit } = figure
      return `| ${bench}: ${name} | ${shown(most)} | ${shown(middle)} | ${unit} | ${middle > most ? 'missed' : 'met'} |`
    }),
  ].join('\n')

export const shown = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 3 })
