import { describe, expect, it } from 'vitest'
import {
  currentPhase,
  isUnderWay,
  phasesOf,
  type TimedEpoch,
  usualPhases,
} from '../../../../ops/api/console/app/phases.ts'

const BEGIN = 1_000_000
const IN_ORDER = ['OPEN', 'COUNTING', 'STORING', 'MINING', 'CONFIRMING', 'ANCHORED'] as const
/** Moments as s after the release; those left out have not come. */
function epoch(epochId: number, seconds: readonly (number | null)[], more: Partial<TimedEpoch> = {}): TimedEpoch {
  const [releasedAt, closedAt, batchedAt, storedAt, minedAt, finalAt] = Array.from({ length: 6 }, (_, i) => {
    const at = seconds[i]
    return at === null || at === undefined ? null : BEGIN + at * 1_000
  }) as [number | null, number | null, number | null, number | null, number | null, number | null]
  const times = { releasedAt, closedAt, batchedAt, storedAt, minedAt, finalAt }
  return { epochId, phase: IN_ORDER[seconds.length - 1]!, outcome: null, ...times, ...more }
}
const later = (seconds: number) => BEGIN + seconds * 1_000
const statesOf = (one: TimedEpoch, seconds: number, usual = {}, stuck = false) =>
  phasesOf(one, later(seconds), usual, stuck).map(({ state }) => state)

describe('phases', () => {
  it('default: what is done has a length, what runs counts up, what is ahead has none', () => {
    expect(phasesOf(epoch(1, [0, 9, 10]), later(12), {}).map(({ phase, state, ms }) => [phase, state, ms])).toEqual([
      ['OPEN', 'done', 9_000],
      ['COUNTING', 'done', 1_000],
      ['STORING', 'now', 2_000],
      ['MINING', 'ahead', null],
      ['CONFIRMING', 'ahead', null],
    ])
  })
  it('behavior: an epoch without batches is through, though nothing was stored or mined', () => {
    const empty = epoch(1, [0, 9, 10, null, null, 20], { outcome: 'EMPTY' })
    expect(statesOf(empty, 30)).toEqual(['done', 'done', 'done', 'done', 'done'])
    expect(isUnderWay(empty)).toBe(false)
    const ending = epoch(1, [0, 9, 10, null, null], { outcome: 'EMPTY' })
    expect(currentPhase(phasesOf(ending, later(12), {}))).toMatchObject({
      phase: 'CONFIRMING',
      state: 'now',
      ms: 2_000,
    })
  })
  it('behavior: a phase is slow after four times what is usual, but not before ten seconds', () => {
    const usual = { STORING: 5_000, MINING: 100 }
    expect(statesOf(epoch(1, [0, 9, 10]), 30, usual)[2]).toBe('now')
    expect(statesOf(epoch(1, [0, 9, 10]), 31, usual)[2]).toBe('slow')
    expect(statesOf(epoch(1, [0, 9, 10, 11]), 20, usual)[3]).toBe('now')
    expect(statesOf(epoch(1, [0, 9, 10, 11]), 22, usual)[3]).toBe('slow')
  })
  it('behavior: without experience nothing is slow, unless a later epoch has overtaken it for long', () => {
    expect(statesOf(epoch(1, [0]), 9_999)[0]).toBe('now')
    expect(statesOf(epoch(1, [0]), 9, {}, true)[0]).toBe('now')
    expect(statesOf(epoch(1, [0]), 11, {}, true)[0]).toBe('slow')
  })
  it('behavior: an epoch that lost a batch says so where it stands, whatever moments are known', () => {
    for (const seconds of [
      [0, 9, 10, 11],
      [0, 9, 10, null],
    ]) {
      const lost = epoch(1, seconds, { phase: 'MINING', outcome: 'LATE' })
      expect(statesOf(lost, 12)).toEqual(['done', 'done', 'done', 'failed', 'ahead'])
      expect(currentPhase(phasesOf(lost, later(12), {}))).toMatchObject({ phase: 'MINING', ms: null })
      expect(isUnderWay(lost)).toBe(false)
    }
  })
  it('behavior: an epoch that was never released is in no phase', () => {
    for (const phase of ['UNKNOWN', 'SKIPPED', 'ORPHANED', 'REFUSED'] as const) {
      expect(statesOf(epoch(1, [null], { phase }), 12)).toEqual(Array(5).fill('ahead'))
      expect(isUnderWay(epoch(1, [null], { phase }))).toBe(false)
    }
  })
  it('behavior: what is usual is the median over the epochs that are through a phase', () => {
    const epochs = [epoch(1, [0, 9]), epoch(2, [0, 30]), epoch(3, [0, 10, 11]), epoch(4, [0])]
    expect(usualPhases(epochs)).toEqual({ OPEN: 10_000, COUNTING: 1_000 })
    expect(usualPhases([])).toEqual({})
  })
})
