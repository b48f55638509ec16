import { describe, expect, test } from 'vitest'
import { readReset } from '../../../../ops/deploy/reset/command.ts'
import { planReset } from '../../../../ops/deploy/reset/plan.ts'
import { createWorld } from '../../../topology/world.ts'

const { topology } = createWorld()
const earliest = { to: 'earliest' } as const

describe('plan', () => {
  test('default: what lies between the stages is read from its end, since it is written again', () => {
    const { moves } = planReset(topology, 'app', ['admit', 'consensus', 'settle', 'batch', 'anchor'], earliest)
    expect(moves.map(({ group, topic, position }) => `${group} ${topic} ${position.to}`)).toEqual([
      'app-admit validated earliest',
      'app-consensus admitted latest',
      'app-settle finalizations latest',
      'app-batch finalizations latest',
      'app-anchor batches latest',
      'app-anchor payouts earliest',
      'app-anchor anchor-results earliest',
    ])
  })

  test('behavior: the state of each stage goes, the engine’s own too, and no other', () => {
    const { changelogs } = planReset(topology, 'app', ['admit'], earliest)
    expect(changelogs).toEqual(['app-slot-quota-changelog', 'app-admit-engine-changelog'])
  })

  test('behavior: stages left out that read what is written again are named', () => {
    expect(planReset(topology, 'app', ['consensus'], earliest).givenAgain).toEqual([
      'settle reads finalizations',
      'batch reads finalizations',
    ])
    expect(planReset(topology, 'app', ['anchor'], earliest).givenAgain).toEqual([])
  })
})

describe('position', () => {
  const now = Date.UTC(2026, 0, 2)
  const cases: [Record<string, unknown>, object][] = [
    [{ toEarliest: true }, { to: 'earliest' }],
    [{ toLatest: true }, { to: 'latest' }],
    [{ toOffset: '7' }, { to: 'offset', offset: 7 }],
    [{ shiftBy: '-3' }, { to: 'shift', by: -3 }],
    [{ byDuration: '60' }, { to: 'time', timestamp: now - 60_000 }],
    [{ toDatetime: '2026-01-01T00:00:00Z' }, { to: 'time', timestamp: Date.UTC(2026, 0, 1) }],
  ]
  test.each(cases)('args: %o', (flags, position) => {
    expect(readReset({ stages: 'admit, batch', ...flags }, now)).toMatchObject({ stages: ['admit', 'batch'], position })
  })

  const wrong: [Record<string, unknown>, RegExp][] = [
    [{}, /exactly one/],
    [{ toEarliest: true, toLatest: true }, /exactly one/],
    [{ toOffset: 'x' }, /--to-offset "x": not a whole number/],
    [{ toOffset: '-3' }, /--to-offset "-3": not a whole number/],
    [{ byDuration: '-60' }, /--by-duration "-60"/],
    [{ toDatetime: 'yesterday' }, /--to-datetime "yesterday": not a time/],
    [{ stages: 'admit,judge', toOffset: 'x' }, /--stages "judge": not one of tick-fanout.*--to-offset "x"/s],
  ]
  test.each(wrong)('error: %o', (flags, message) => {
    expect(() => readReset({ stages: 'all', ...flags }, now)).toThrow(message)
  })
})
