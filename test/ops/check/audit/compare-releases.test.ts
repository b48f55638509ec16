import { expect, test } from 'vitest'
import { compareReleases, type ReleaseSources } from '../../../../ops/check/audit/compare-releases.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'

const MARKET = `0x${'cc'.repeat(20)}`

test.each<[string, boolean, bigint | undefined, number, number]>([
  ['a window that cannot be', false, 2n ** 200n, 0, 1],
  ['another number that cannot be', true, undefined, 0, 1],
  ['numbers that can be', false, 2n ** 21n, 1, 0],
  ['a window that no node knows any more', false, undefined, 1, 0],
])(
  'behavior: a release with %s that is not in the log is a fault, or told',
  async (_, isAbsurd, window, faults, notes) => {
    const findings = new Findings()
    const sources = {
      findings,
      view: { epochs: new Map(), epoch: () => undefined, hasLostRelease: () => false },
      markets: { all: [MARKET], wasServed: () => true },
      chain: { releasedEpochs: async () => [{ epochId: 9, blockNumber: 15, isAbsurd }], windowAt: async () => window },
    } as unknown as ReleaseSources
    await compareReleases(sources, { first: 1, last: 20 })
    expect([findings.counts.skipped, findings.notes().length]).toEqual([faults, notes])
  },
)
