import { describe, expect, it } from 'vitest'
import { simulate } from './world.ts'

const SEEDS = Number(process.env.SIM_SEEDS ?? 500)
const FIRST = Number(process.env.SIM_FIRST ?? 1)
const CHUNK = 50

describe('the topology in simulation, three instances and every fault', () => {
  it('default: the same seed gives the same run', async () => {
    const [first, second] = [await simulate(7), await simulate(7)]
    expect(second).toEqual(first)
  })

  for (let from = FIRST; from < FIRST + SEEDS; from += CHUNK) {
    const to = Math.min(from + CHUNK, FIRST + SEEDS)
    it(`behavior: seeds ${from} to ${to - 1} keep every invariant`, { timeout: 15 * 60_000 }, async () => {
      for (let seed = from; seed < to; seed++) expect((await simulate(seed)).acknowledged).toBeGreaterThan(0)
    })
  }
})
