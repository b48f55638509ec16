/**
 * The sequencer behind nodes that do wrong: a mix of all faults for a while, and a chain by Nitro's rules. NODES_SECONDS sets
 * its length, NODES_SEED plays another mix; `npm run nodes` does it for as long as one likes.
 */
import { expect, test } from 'vitest'
import { newFolder } from '../folder.ts'
import { brokenBy, renderOutcome } from './report.ts'
import { type NodesOptions, runNodes } from './run.ts'

const SECONDS = Number(process.env.NODES_SECONDS ?? 300)
const SEED = Number(process.env.NODES_SEED ?? 1)
const SETTLE_SECONDS = 90
const DEEPEST = 50

async function outcomesOf(options: Partial<NodesOptions>) {
  const outcomes = await runNodes({
    directory: newFolder(),
    seed: SEED,
    nodes: 2,
    cases: [],
    deepest: DEEPEST,
    seconds: SECONDS,
    settleSeconds: SETTLE_SECONDS,
    slots: 6,
    projects: 3,
    epochBlocks: 2,
    window: 2,
    depth: 1,
    confirmations: 2,
    log: () => {},
    ...options,
  })
  return outcomes
}

test(`default: behind two nodes that do all of it, seed ${SEED}, every epoch is anchored once or its reason is said`, {
  timeout: (SECONDS + SETTLE_SECONDS + 180) * 1_000,
}, async () => {
  const [outcome] = await outcomesOf({})
  expect(brokenBy(outcome!), renderOutcome(outcome!)).toEqual([])
  expect(Object.keys(outcome!.deeds).length).toBeGreaterThan(3)
  expect(outcome!.released).toBeGreaterThan(SECONDS / 4)
})

test('default: on anvil by the rules of Nitro, epochs open, close, are anchored and ended', async () => {
  const [outcome] = await outcomesOf({ nitro: true, nodes: 1, cases: ['high-tip'], seconds: 10 })
  expect(brokenBy(outcome!), renderOutcome(outcome!)).toEqual([])
  expect(outcome!.audit).toMatchObject({ windowsUnchecked: 0 })
  expect(outcome!.empty).toBe(0)
  expect(outcome!.anchored).toBeGreaterThan(4)
})
