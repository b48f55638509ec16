/** The figures that a file of the repository keeps (docs/benchmarks.json), to hold the next ones against. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { type Figure, fallen, shown, tableOf } from './figures.ts'

export interface KeptFigures {
  /** By benchmark: when and on what it was measured. */
  readonly machines: Readonly<Record<string, string>>
  readonly figures: readonly Figure[]
}

/** The number that `--runs` asks for. @throws Error when it is no whole number of 1 or more: then nothing would be measured */
export function runsIn(text: string): number {
  const runs = Number(text)
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${text}: a whole number of 1 or more is needed`)
  return runs
}

/** The same for a program: says what is wrong and ends with 2. */
export function askedRuns(text: string): number {
  try {
    return runsIn(text)
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(2)
  }
}

/** @throws Error when there is no such file, or it is no JSON */
export const readKept = (file: string): KeptFigures => JSON.parse(readFileSync(file, 'utf8')) as KeptFigures
/** @throws Error as `readKept` */
export const keptIn = (file: string): readonly Figure[] => readKept(file).figures

/** Replaces the figures of the benchmarks that were measured; those of others stay. */
export function keep(file: string, machine: string, figures: readonly Figure[]): void {
  const before = existsSync(file) ? readKept(file) : { machines: {}, figures: [] }
  const measured = new Set(figures.map(({ bench }) => bench))
  const machines = { ...before.machines, ...Object.fromEntries([...measured].map((bench) => [bench, machine])) }
  const all = [...before.figures.filter(({ bench }) => !measured.has(bench)), ...figures]
  writeFileSync(file, `${JSON.stringify({ machines, figures: all } satisfies KeptFigures, null, 2)}\n`)
}

/** Options of a program that measures one benchmark by itself; `npm run bench` has the same. */
export const FIGURE_OPTIONS = {
  runs: { type: 'string', default: '5' },
  save: { type: 'string' },
  against: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/**
 * Prints the figures and keeps them, as the options say, and compares them with those that were kept before.
 * @returns the exit code: 1 when one fell
 */
export function report(
  { bench, machine: conditions, figures }: { bench: string; machine: string; figures: readonly Figure[] },
  { save, json }: { save?: string | undefined; json: boolean },
  kept: readonly Figure[],
): 0 | 1 {
  if (json) console.log(JSON.stringify({ machine: conditions, figures }))
  else console.log(`\n## ${bench} (${conditions}; ${figures[0]?.runs ?? 0} runs)\n\n${tableOf(figures)}`)
  if (save) keep(save, conditions, figures)
  return compare(figures, kept)
}

/** Says which figures fell. @returns the exit code: 1 when one did */
export function compare(figures: readonly Figure[], kept: readonly Figure[]): 0 | 1 {
  const falls = fallen(figures, kept)
  for (const { figure, kept: before } of falls)
    console.error(
      `${figure.bench}: "${figure.name}" fell from ${shown(before.median)} (${shown(before.least)} to ${shown(before.most)}) ` +
        `to ${shown(figure.median)} (${shown(figure.least)} to ${shown(figure.most)}) ${figure.unit}`,
    )
  return falls.length > 0 ? 1 : 0
}

/** The load of others is part of every figure: on a busy machine the times are longer than the work. */
export function machine(): string {
  return [
    `${new Date().toISOString().slice(0, 16)}Z`,
    `node ${process.versions.node}`,
    `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `load before ${loadavg()[0]!.toFixed(1)}`,
  ].join(', ')
}
