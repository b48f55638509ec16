/** The tenths of a long run: medians of each, and how far the last lies above the second. Pure. */
import { shown } from './figures.ts'
import { type BenchRow, median, percentile, row } from './rows.ts'

export const TENTHS = 10
/** A figure is flat when its last tenth lies less than so much above the second, %. */
const GROWTH_MAX = 5

/** The close of one epoch. */
export interface Closed {
  readonly epoch: number
  /** From its tick to its last batch. */
  readonly ms: number
  /** CPU time of all threads meanwhile. */
  readonly cpuMs: number
}

/** A look at the process and its log after one epoch, MiB. */
export interface Look {
  readonly epoch: number
  /** Resident, the mapped tables of the log among it. */
  readonly resident: number
  /** Resident memory that no file stands behind. */
  readonly anonymous: number
  /** Used of the JavaScript heap, after a collection. */
  readonly heap: number
  readonly disk: number
}

/** Medians of a tenth; `closeP99` is none. In ms and MiB. */
export interface Tenth extends Omit<Look, 'epoch'> {
  readonly closeP50: number
  readonly closeP99: number
  readonly closeCpu: number
}

/** Epochs count from 1. */
export const tenthOf = (epoch: number, epochs: number): number => Math.floor(((epoch - 1) * TENTHS) / epochs)

/** @throws Error when a tenth has no close, or no look */
export function tenthsOf(closes: readonly Closed[], looks: readonly Look[], epochs: number): Tenth[] {
  return Array.from({ length: TENTHS }, (_, tenth) => {
    const closed = closes.filter(({ epoch }) => tenthOf(epoch, epochs) === tenth)
    const times = closed.map(({ ms }) => ms)
    const seen = looks.filter(({ epoch }) => tenthOf(epoch, epochs) === tenth)
    if (times.length === 0 || seen.length === 0)
      throw new Error(`tenth ${tenth + 1} has ${times.length} closes and ${seen.length} looks at memory and disk`)
    const middle = (figure: Exclude<keyof Look, 'epoch'>): number => median(seen.map((look) => look[figure]))
    return {
      closeP50: percentile(times, 0.5),
      closeP99: percentile(times, 0.99),
      closeCpu: median(closed.map(({ cpuMs }) => cpuMs)),
      resident: middle('resident'),
      anonymous: middle('anonymous'),
      heap: middle('heap'),
      disk: middle('disk'),
    }
  })
}

/** The figures of a tenth in the order of the tables. Whether a p99 is flat is not judged: it rests on a few closes. */
const FIGURES = [
  { figure: 'closeP50', name: 'close → batch, p50', unit: 'ms', isJudged: true },
  { figure: 'closeP99', name: 'close → batch, p99', unit: 'ms', isJudged: false },
  { figure: 'closeCpu', name: 'close → batch, CPU of all threads, p50', unit: 'ms CPU', isJudged: true },
  { figure: 'resident', name: 'resident memory', unit: 'MiB', isJudged: true },
  { figure: 'anonymous', name: 'resident memory without mapped files', unit: 'MiB', isJudged: true },
  { figure: 'heap', name: 'heap after a collection', unit: 'MiB', isJudged: true },
  { figure: 'disk', name: 'disk', unit: 'MiB', isJudged: true },
] as const satisfies readonly { figure: keyof Tenth; name: string; unit: string; isJudged: boolean }[]

/** From the second tenth to the last, %. In the first the state of the stages and the log fill up. */
export function growthOf(tenths: readonly Tenth[], figure: keyof Tenth): number {
  const [second, last] = [tenths[1]![figure], tenths.at(-1)![figure]]
  return (last / second - 1) * 100
}

/** The second tenth and the last, and the growth, as rows of a benchmark. */
export const rowsOf = (tenths: readonly Tenth[], conditions: string): BenchRow[] =>
  FIGURES.flatMap(({ figure, name, unit }) => [
    row(`${name}, second tenth`, tenths[1]![figure], unit, conditions),
    row(`${name}, last tenth`, tenths.at(-1)![figure], unit, conditions),
    row(`${name}, growth`, growthOf(tenths, figure), '%', conditions),
  ])

/** In words, each figure that is not flat. */
export const notFlat = (tenths: readonly Tenth[]): string[] =>
  FIGURES.filter(({ figure, isJudged }) => isJudged && growthOf(tenths, figure) >= GROWTH_MAX).map(
    ({ figure, name, unit }) =>
      `${name} grew by ${growthOf(tenths, figure).toFixed(1)} % from the second tenth to the last ` +
      `(${shown(tenths[1]![figure])} to ${shown(tenths.at(-1)![figure])} ${unit}); flat is below ${GROWTH_MAX} %`,
  )

/** A line for each tenth. */
export const tenthsTable = (tenths: readonly Tenth[]): string =>
  [
    `| tenth | ${FIGURES.map(({ name, unit }) => `${name}, ${unit}`).join(' | ')} |`,
    `|---:|${FIGURES.map(() => '---:|').join('')}`,
    ...tenths.map((tenth, i) => `| ${i + 1} | ${FIGURES.map(({ figure }) => tenth[figure].toFixed(1)).join(' | ')} |`),
  ].join('\n')
