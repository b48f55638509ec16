/** The siege itself works: a short one of `dev`. Whether the product holds is for `npm run siege`, which measures. */
import { expect, test } from 'vitest'
import { newFolder } from '../folder.ts'
import { besiege } from './siege.ts'

test('default: honest snapshotters go on while the adversary sends, and everything is looked at after', async () => {
  const { honest, audit, verify, exits, deeds, samples, latency } = await besiege({
    target: 'dev',
    kinds: ['bad-signature-spread', 'slow-http'],
    rate: 20,
    directory: newFolder(),
    calmSeconds: 8,
    attackSeconds: 8,
    settleSeconds: 120,
    everySeconds: 2,
    countMax: 1_000,
    connections: 2,
    addresses: 2,
    honest: 6,
    spare: 2,
    projects: 3,
    markets: 1,
    blockTime: 1,
    epochBlocks: 6,
    window: 4,
    seed: 3,
    log: () => {},
  })
  expect(exits).toEqual([])
  expect(deeds['bad-signature-spread']!.sent).toBeGreaterThan(0)
  expect(deeds['slow-http']!.sent).toBeGreaterThanOrEqual(20)
  expect(honest).toMatchObject({ counted: expect.any(Number), verdicts: { COUNTED: expect.any(Number) } })
  expect(audit).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] })
  expect(verify.problems).toEqual([])
  expect(verify.batches).toBeGreaterThan(0)
  expect(latency.attack.released).toBeGreaterThan(0)
  expect(samples.filter(({ phase, rssMiB }) => phase === 'attack' && rssMiB.dev! > 0).length).toBeGreaterThan(0)
})
