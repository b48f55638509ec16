import { describe, expect, test } from 'vitest'
import { brokenBy, renderReport } from './report.ts'
import type { Latency, SiegeReport } from './siege.ts'

const latency = (p95: number | null): Latency => ({ released: 5, anchored: 5, p50: 4, p95, max: p95 })
const AUDIT = {
  epochsReleased: 10,
  epochsClosed: 10,
  epochsPassedOver: 0,
  epochsAnchored: 10,
  acknowledged: 20,
  verdicts: 20,
  pending: 0,
  early: 0,
  beyondRetention: 0,
  epochsNotWhole: 0,
  windowsUnchecked: 0,
  releasesLost: 0,
  notes: [],
  lost: 0,
  duplicated: 0,
  skipped: 0,
  mismatches: 0,
  epochsOnChain: null,
  daysCompared: 1,
  daysUnchecked: 0,
  payouts: 0,
  payments: 0,
  payoutsUnpaid: 0,
  runsOnChain: null,
  differences: [],
}
const HONEST = { sent: 20, counted: 20, lostInPeace: 0, others: {}, examples: [], verdicts: { COUNTED: 20 } }
const HELD: SiegeReport = {
  target: 'dev',
  kinds: ['unsigned'],
  deeds: { unsigned: { sent: 100, heldBack: 0, refused: 0, answered: 8 } },
  samples: [],
  latency: { calm: latency(4), attack: latency(5.9), after: latency(4) },
  unanchored: [],
  honest: HONEST,
  exits: [],
  audit: AUDIT,
  verify: { batches: 5, problems: [] },
}

const FAULTS: readonly [string, Partial<SiegeReport>, RegExp][] = [
  [
    'a process ended',
    { exits: [{ name: 'dev', exitCode: 70, signal: null, stderr: 'a\nb\n' }] },
    /^dev ended \(70\): b$/,
  ],
  ['an epoch is not anchored', { unanchored: ['epoch 3: CLOSED'] }, /^1 epochs are not anchored: epoch 3: CLOSED$/],
  ['the API is silent', { unanchored: null }, /API did not answer/],
  ['it takes longer', { latency: { ...HELD.latency, attack: latency(6.1) } }, /p95 6\.1 s, in peace 4\.0 s/],
  [
    'an honest submission is not counted',
    { honest: { ...HONEST, counted: 19, others: { NONE: 1 }, examples: ['slot 1'] } },
    /^1 of 20 .*NONE.*slot 1/,
  ],
  ['nothing honest was sent', { honest: { ...HONEST, sent: 0, counted: 0 } }, /^0 of 0 honest/],
  ['the audit finds something', { audit: { ...AUDIT, mismatches: 1 } }, /^audit: .*1 mismatches/],
  ['the audit ends', { audit: 'exit 70: \u001b[2J' }, /^audit: exit 70: \\u\{1b\}\[2J$/],
  ['a batch does not verify', { verify: { batches: 5, problems: ['epoch 3'] } }, /^verify: 1 problems, epoch 3$/],
]

describe('invariants', () => {
  test('default: nothing is broken by a siege that was held', () => {
    expect(brokenBy(HELD, 1.5)).toEqual([])
    expect(renderReport(HELD, 1.5)).toMatch(/^held: unsigned on dev\n/)
  })

  test.each(FAULTS)('behavior: %s', (_, change, line) => {
    const report = { ...HELD, ...change }
    expect(brokenBy(report, 1.5)).toEqual([expect.stringMatching(line)])
    expect(renderReport(report, 1.5)).toMatch(/^BROKEN: /)
  })
})
