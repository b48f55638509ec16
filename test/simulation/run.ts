/**
 * `npm run sim -- --seed N` runs one seed; `--seeds N [--from M] [--stop]` many, and prints the ones that failed (or the first). With `--digest`
 * it prints the digest of what each seed has decided, to compare two trees by.
 */
import { parseArgs } from 'node:util'
import { addReached, boundsTable } from './bounds.ts'
import { isHostile } from './rules.ts'
import { simulate } from './world.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
    stop: { type: 'boolean', default: false },
    digest: { type: 'boolean', default: false },
  },
})
const first = Number(values.seed ?? values.from ?? 1)
const count = values.seed === undefined ? Number(values.seeds ?? 500) : 1
const started = performance.now()
const failed: number[] = []
let steps = 0
let reached = {}
let hostile = 0
for (let seed = first; seed < first + count; seed++) {
  try {
    const report = await simulate(seed)
    steps += report.steps
    if (isHostile(seed)) {
      hostile++
      reached = addReached(reached, report.reached)
    }
    if (values.digest) console.log(`digest of seed ${seed}: ${report.digest}`)
    if (count === 1) console.log(JSON.stringify(report))
  } catch (error) {
    failed.push(seed)
    const message = error instanceof Error ? error.message : String(error)
    console.log(message.startsWith('seed ') ? message : `seed ${seed}: ${message}`)
    if (values.stop) break
  }
}
const seconds = (performance.now() - started) / 1000
console.log(
  `${count} seeds from ${first}: ${failed.length} failed${failed.length > 0 ? ` (${failed.join(', ')})` : ''}; ${steps} steps in ${seconds.toFixed(1)} s`,
)
if (hostile > 0) console.log(boundsTable(reached, hostile))
process.exitCode = failed.length > 0 ? 1 : 0
