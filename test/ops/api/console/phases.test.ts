import { describe, expect, it } from 'vitest'
import {
  currentPhase,
  isUnderWay,
  phasesOf,
  type TimedEpoch,
  usualPhases,
} from '../../../../ops/api/console/app/phases.ts'

const BEGIN = 1_000_000
/** Moments as s after the release; those left out have not come. */
function epoch(epochId: number, seconds: readonly (number | null)[], phase: TimedEpoch['phase'] = 'OPEN'): TimedEpoch {
  const [releasedAt, closedAt, batchedAt, storedAt, minedAt, finalAt] = Array.from({ length: 6 }, (_, i) => {
    const at = seconds[i]
    return at === null || at === undefined ? null : BEGIN + at * 1_000
  }) as [number | null, number | null, number | null, number | null, number | null, number | null]
  return { epochId, phase, releasedAt, closedAt, batchedAt, storedAt, minedAt, finalAt }
}
const later = (seconds: number) => BEGIN + seconds * 1_000
const statesOf = (one: TimedEpoch, seconds: number, usual = {}, stuck = false) =>
  phasesOf(one, later(seconds), usual, stuck).map(({ state }) => state)

describe('phases', () => {
  it('default: what is done has a length, what runs counts up, what is ahead has none', () => {
    expect(phasesOf(epoch(1, [0, 9, 10]), later(12), {}).map(({ id, state, ms }) => [id, state, ms])).toEqual([
      ['window', 'done', 9_000],
      ['count', 'done', 1_000],
      ['store', 'now', 2_000],
      ['mine', 'ahead', null],
      ['confirm', 'ahead', null],
    ])
  })
  it('behavior: an epoch without batches is through, though nothing was stored or mined', () => {
    const empty = epoch(1, [0, 9, 10, null, null, 20], 'ANCHORED')
    expect(statesOf(empty, 30)).toEqual(['done', 'done', 'done', 'done', 'done'])
    expect(isUnderWay(empty)).toBe(false)
  })
  it('behavior: a phase is late after four times what is usual, but not before ten seconds', () => {
    const usual = { store: 5_000, mine: 100 }
    expect(statesOf(epoch(1, [0, 9, 10]), 30, usual)[2]).toBe('now')
    expect(statesOf(epoch(1, [0, 9, 10]), 31, usual)[2]).toBe('late')
    expect(statesOf(epoch(1, [0, 9, 10, 11]), 20, usual)[3]).toBe('now')
    expect(statesOf(epoch(1, [0, 9, 10, 11]), 22, usual)[3]).toBe('late')
  })
  it('behavior: without experience nothing is late, unless a later epoch has overtaken it for long', () => {
    expect(statesOf(epoch(1, [0]), 9_999)[0]).toBe('now')
    expect(statesOf(epoch(1, [0]), 9, {}, true)[0]).toBe('now')
    expect(statesOf(epoch(1, [0]), 11, {}, true)[0]).toBe('late')
  })
  it('behavior: an epoch that failed says so where it stands', () => {
    expect(currentPhase(phasesOf(epoch(1, [0, 9, 10, 11], 'FAILED'), later(12), {}))).toMatchObject({
      id: 'mine',
      state: 'failed',
    })
  })
  it('behavior: what is usual is the median over the epochs that are through a phase', () => {
    const epochs = [epoch(1, [0, 9]), epoch(2, [0, 30]), epoch(3, [0, 10, 11]), epoch(4, [0])]
    expect(usualPhases(epochs)).toEqual({ window: 10_000, count: 1_000 })
    expect(usualPhases([])).toEqual({})
  })
})
