/** `npm run sim -- --seed N` runs one seed; `--seeds N [--from M]` many, and prints the ones that failed. */
import { parseArgs } from 'node:util'
import { simulate } from './world.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, seeds: { type: 'string' }, from: { type: 'string' } },
})
const first = Number(values.seed ?? values.from ?? 1)
const count = values.seed === undefined ? Number(values.seeds ?? 500) : 1
const started = performance.now()
const failed: number[] = []
let steps = 0
for (let seed = first; seed < first + count; seed++) {
  try {
    const report = await simulate(seed)
    steps += report.steps
    if (count === 1) console.log(JSON.stringify(report))
  } catch (error) {
    failed.push(seed)
    console.log(error instanceof Error ? error.message : error)
  }
}
const seconds = (performance.now() - started) / 1000
console.log(
  `${count} seeds from ${first}: ${failed.length} failed${failed.length > 0 ? ` (${failed.join(', ')})` : ''}; ${steps} steps in ${seconds.toFixed(1)} s`,
)
process.exitCode = failed.length > 0 ? 1 : 0
