/**
 * `npm run bench:day`: whether a day leaves memory, disk and the close of an epoch as they were. 7,200 epochs of 2,000 submissions,
 * one every 12 seconds of a day that passes as fast as the stages work, on the embedded log, each run in a process of its own.
 * Prints medians for each tenth of the day and the growth from the second tenth to the last, and ends with 1 when something
 * measured is missing or wrong, or, after a whole day, when something grew by 5 % or more.
 *
 * `--epochs N` and `--submissions N` for less than that, `--runs N` (1), `--save`, `--against` and `--json` as `npm run bench`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DAY_EPOCHS, type DayRun, daySize } from './day-world.ts'
import { figuresOf } from './figures.ts'
import { askedRuns, FIGURE_OPTIONS, keptIn, machine, report } from './kept-figures.ts'
import { type BenchRow, row } from './rows.ts'
import { notFlat, rowsOf, type Tenth, tenthsOf, tenthsTable } from './tenths.ts'

const { values: options } = parseArgs({
  options: {
    ...FIGURE_OPTIONS,
    runs: { type: 'string', default: '1' },
    epochs: { type: 'string', default: `${DAY_EPOCHS}` },
    submissions: { type: 'string', default: '2000' },
  },
})
const runs = askedRuns(options.runs)
const size = daySize(Number(options.epochs), Number(options.submissions))
if (typeof size === 'string') {
  console.error(size)
  process.exit(2)
}
const { epochs, submissions } = size
const kept = options.against === undefined ? [] : keptIn(options.against)
const conditions = machine()
const measured: BenchRow[][] = []
const faults: string[] = []
for (let run = 1; run <= runs; run++) {
  const { tenths, seconds } = await runOnce()
  if (!options.json) console.log(`\nRun ${run} of ${runs}, ${Math.round(seconds)} s\n\n${tenthsTable(tenths)}`)
  const what = `embedded log, ${epochs} epochs of ${submissions} submissions, signatures given`
  measured.push([
    ...rowsOf(tenths, what),
    row(
      'from the log to verdict and batch',
      (epochs * submissions) / seconds,
      'submissions/s',
      `${what}, one after another`,
    ),
  ])
  if (epochs >= DAY_EPOCHS) faults.push(...notFlat(tenths))
}
const exitCode = report({ bench: 'day', machine: conditions, figures: figuresOf('day', measured) }, options, kept)
for (const fault of faults) console.error(fault)
if (epochs < DAY_EPOCHS) console.error(`${epochs} of ${DAY_EPOCHS} epochs are no whole day: growth is not judged`)
process.exitCode = faults.length > 0 ? 1 : exitCode

/** @throws Error when the process of the run ends with anything but its figures; it has said why by then */
async function runOnce(): Promise<{ readonly tenths: readonly Tenth[]; readonly seconds: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-day-'))
  try {
    const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
    const words = ['--expose-gc', '--import', file('../ops/bin/shim.mjs'), '--import', 'tsx', file('./day-world.ts')]
    const child = spawn(process.execPath, [...words, directory, `${epochs}`, `${submissions}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')])
    if (code !== 0) throw new Error(`the process of the run ended with ${code ?? signal}`)
    const { closes, looks, seconds } = JSON.parse(output) as DayRun
    return { tenths: tenthsOf(closes, looks, epochs), seconds }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
