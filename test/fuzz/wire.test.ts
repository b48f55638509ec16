import fc from 'fast-check'
import { test } from 'vitest'
import { PROPERTIES, runsFor } from './properties.ts'

/** In every CI run; `npm run fuzz -- --frames 1000000` takes more. A failure prints its seed and the smallest example. */
const FRAMES = 10_000

for (const property of PROPERTIES)
  test(`behavior: ${property.name}`, () => {
    fc.assert(property.property, { numRuns: runsFor(property, FRAMES) })
  })
