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
    // what the log alone tells of it is no second fault
    const gaps = notes > 0 ? [{ dataMarket: MARKET, before: 10, from: 9, to: 9 }] : []
    const sources = {
      findings,
      view: { heads: [], epochs: new Map(), gaps, refused: [], epoch: () => undefined, hasLostRelease: () => false },
      markets: { all: [MARKET], wasServed: () => true },
      chain: { releasedEpochs: async () => [{ epochId: 9, blockNumber: 15, isAbsurd }], windowAt: async () => window },
    } as unknown as ReleaseSources
    await compareReleases(sources, { first: 1, last: 20 })
    expect([findings.counts.skipped, findings.notes().length]).toEqual([faults, notes])
  },
)

test('behavior: epochs without a release are a fault, with no node and when some of them are refused', async () => {
  const findings = new Findings()
  const gap = { dataMarket: MARKET, before: 12, from: 9, to: 11 }
  const view = {
    heads: [],
    epochs: new Map(),
    gaps: [gap],
    refused: [],
    epoch: () => undefined,
    hasLostRelease: () => false,
  }
  const markets = { all: [MARKET], wasServed: () => true }
  const chain = {
    releasedEpochs: async () => [9, 10].map((epochId) => ({ epochId, blockNumber: epochId, isAbsurd: true })),
  }
  await compareReleases({ findings, view, markets, chain } as unknown as ReleaseSources, { first: 1, last: 20 })
  expect(findings.counts.skipped).toBe(1)
  await compareReleases({ findings, view, markets } as unknown as ReleaseSources, undefined)
  expect(findings.counts.skipped).toBe(2)
  expect(findings.differences()[0]!.message).toBe('no release of epochs 9 to 11')
})

test.each<[string, bigint | undefined, number]>([
  ['cannot be', 2n ** 200n, 0],
  ['is one that no node knows any more', undefined, 0],
  ['is one that can be', 3n, 1],
])(
  'behavior: what the log says it refused is told, and no gap; with a node it is a fault when the window %s',
  async (_, window, faults) => {
    const why = 'snapshotSubmissionWindow cannot be read'
    const refused = [{ dataMarket: MARKET, epochId: 9, block: 15, why }]
    const gaps = [{ dataMarket: MARKET, before: 10, from: 9, to: 9 }]
    const view = { heads: [], epochs: new Map(), gaps, refused, epoch: () => undefined, hasLostRelease: () => false }
    const markets = { all: [MARKET], wasServed: () => true }
    const chain = {
      releasedEpochs: async () => [{ epochId: 9, blockNumber: 15, isAbsurd: false }],
      windowAt: async () => window,
    }
    const alone = new Findings()
    await compareReleases({ findings: alone, view, markets } as unknown as ReleaseSources, undefined)
    expect(alone.differences()).toEqual([])
    expect(alone.notes()).toEqual([expect.objectContaining({ message: `released in block 15, and refused: ${why}` })])
    const findings = new Findings()
    await compareReleases({ findings, view, markets, chain } as unknown as ReleaseSources, { first: 1, last: 20 })
    expect([findings.counts.skipped, findings.counts.mismatches]).toEqual([0, faults])
  },
)
