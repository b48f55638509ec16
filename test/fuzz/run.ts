/** `npm run fuzz -- [--frames N] [--seed S]`: the wire decoder against many frames. Exit 1 with the seed and example on failure. */
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { PROPERTIES, runsFor } from './properties.ts'

const { values } = parseArgs({ options: { frames: { type: 'string', default: '1000000' }, seed: { type: 'string' } } })
const frames = Number(values.frames)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
if (!Number.isSafeInteger(frames) || frames < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('fuzz: --frames and --seed take integers\n')
  process.exit(2)
}
process.stdout.write(`seed ${seed}\n`)
for (const property of PROPERTIES) {
  const started = performance.now()
  const result = fc.check(property.property, { numRuns: runsFor(property, frames), seed })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${result.failed ? 'FAILED' : 'ok'}  ${property.name}: ${result.numRuns} runs, ${seconds} s\n`)
  if (!result.failed) continue
  process.stdout.write(`${fc.defaultReportMessage(result)}\n`)
  process.exitCode = 1
}
