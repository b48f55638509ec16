/**
 * `npm run bench`: every benchmark five times, in turn, each run in a process of its own; then a table of medians with their
 * spread, and the machine. Names choose some, e.g. `npm run bench -- stages close`.
 *
 * - `--runs N`: so many runs; figures of fewer than five are not worth keeping.
 * - `--save FILE`: keeps the figures, and those of benchmarks that did not run as they are in the file.
 * - `--against FILE`: exits with 1 when a figure is worse than the kept one by more than the wider of both spreads.
 * - `--json`: the figures as JSON.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { type Figure, figuresOf, tableOf } from './figures.ts'
import { askedRuns, compare, keep, keptIn, machine } from './kept-figures.ts'
import type { BenchRow } from './rows.ts'

/** Loaded in the process that runs the benchmark, and in no other. */
const BENCHES: Record<string, () => Promise<BenchRow[]>> = {
  stages: async () => (await import('./stages.ts')).benchStages(),
  streams: async () => (await import('./streams.ts')).benchStreams(),
  log: async () => (await import('./log.ts')).benchLog(),
  codec: async () => (await import('./kafka-codec.ts')).benchKafkaCodec(),
  intake: async () => (await import('./intake.ts')).benchIntake(),
  close: async () => (await import('./close.ts')).benchClose(),
  flow: async () => (await import('./flow.ts')).benchFlow(),
  metrics: async () => (await import('./metrics.ts')).benchMetrics(),
  memory: async () => (await import('./memory.ts')).benchMemory(),
}
const RUN_MS_MAX = 30 * 60_000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

const { values: options, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '5' },
    save: { type: 'string' },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
    /** Set for a run in a process of its own. */
    once: { type: 'boolean', default: false },
  },
})
const unknown = asked.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
const runs = askedRuns(options.runs)

if (options.once) console.log(JSON.stringify(await BENCHES[asked[0]!]!()))
else await runAll()

async function runAll(): Promise<void> {
  const names = Object.keys(BENCHES).filter((name) => asked.length === 0 || asked.includes(name))
  const conditions = machine()
  const kept = options.against === undefined ? [] : keptIn(options.against)
  const rows = new Map(names.map((name): [string, BenchRow[][]] => [name, []]))
  for (let run = 1; run <= runs; run++)
    for (const name of names) {
      if (!options.json) console.error(`run ${run} of ${runs}: ${name}`)
      rows.get(name)!.push(await runOnce(name))
    }
  const figures = names.flatMap((name) => figuresOf(name, rows.get(name)!))
  if (options.json) console.log(JSON.stringify({ machine: conditions, figures }))
  else for (const name of names) print(name, conditions, figures)
  if (options.save) keep(options.save, conditions, figures)
  process.exitCode = compare(figures, kept)
}

async function runOnce(name: string): Promise<BenchRow[]> {
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  const words = ['--import', file('../ops/bin/shim.mjs'), '--import', 'tsx', file('./run.ts'), '--once', name]
  const bounds = { maxBuffer: OUTPUT_BYTES_MAX, timeout: RUN_MS_MAX }
  const { stdout } = await promisify(execFile)(process.execPath, words, bounds)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as BenchRow[]
}

function print(name: string, conditions: string, figures: readonly Figure[]): void {
  console.log(`\n## ${name} (${conditions}; ${runs} runs)\n`)
  console.log(tableOf(figures.filter(({ bench }) => bench === name)))
}
