import { describe, expect, test } from 'vitest'
import { checkDays, checkEpoch, daySize, verdictsDue } from '../../bench/day-world.ts'
import { growthOf, notFlat, rowsOf, type Tenth, tenthOf, tenthsOf, tenthsTable } from '../../bench/tenths.ts'

const tenth: Tenth = {
  closeP50: 50,
  closeP99: 90,
  closeCpu: 70,
  resident: 300,
  anonymous: 200,
  heap: 40,
  disk: 100,
}
const ten = (last: Partial<Tenth>, first: Partial<Tenth> = {}): Tenth[] => [
  { ...tenth, ...first },
  ...Array.from({ length: 8 }, () => tenth),
  { ...tenth, ...last },
]

describe('the tenths of a run', () => {
  test.each([
    [1, 0],
    [720, 0],
    [721, 1],
    [7_200, 9],
  ])('default: epoch %d of 7,200 lies in tenth %d', (epoch, expected) => expect(tenthOf(epoch, 7_200)).toBe(expected))

  test('default: epochs that are no multiple of ten lie in ten tenths all the same', () => {
    const all = Array.from({ length: 25 }, (_, at) => tenthOf(at + 1, 25))
    expect(all.toSorted((a, b) => a - b)).toEqual(all)
    expect(new Set(all)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })

  const closes = Array.from({ length: 100 }, (_, at) => ({ epoch: at + 1, ms: at, cpuMs: 2 * at }))
  const look = (epoch: number) => ({ epoch, resident: epoch, anonymous: 1, heap: 2, disk: 3 })

  test('default: a tenth has the medians of its own closes and looks', () => {
    const tenths = tenthsOf(
      closes,
      closes.map(({ epoch }) => look(epoch)),
      100,
    )
    expect(tenths).toHaveLength(10)
    expect(tenths[1]).toEqual({
      closeP50: 14,
      closeP99: 19,
      closeCpu: 30,
      resident: 16,
      anonymous: 1,
      heap: 2,
      disk: 3,
    })
  })

  test('error: a tenth that nothing was seen of is no tenth', () => {
    expect(() => tenthsOf(closes, [look(1)], 100)).toThrow('tenth 2 has 10 closes and 0 looks at memory and disk')
  })

  test('default: growth is from the second tenth to the last, whatever the first was', () => {
    expect(growthOf(ten({ heap: 42 }, { heap: 1 }), 'heap')).toBeCloseTo(5)
    expect(growthOf(ten({ heap: 20 }), 'heap')).toBe(-50)
    expect(rowsOf(ten({ heap: 44 }), 'given').find(({ name }) => name === 'heap after a collection, growth')).toEqual({
      name: 'heap after a collection, growth',
      value: 10,
      unit: '%',
      conditions: 'given',
    })
  })

  test('bound: flat is growth below 5 %', () => {
    expect(notFlat(ten({ disk: 104.9 }))).toEqual([])
    expect(notFlat(ten({ disk: 105 }))).toEqual([
      'disk grew by 5.0 % from the second tenth to the last (100 to 105 MiB); flat is below 5 %',
    ])
    expect(notFlat(ten({ closeP50: 90, closeCpu: 90, resident: 900, anonymous: 900, heap: 900 }))).toHaveLength(5)
  })

  test('behavior: a p99 of a tenth rests on a few closes and is not judged', () => {
    expect(notFlat(ten({ closeP99: 900 }))).toEqual([])
  })

  test('default: the table has a line for each tenth', () => {
    expect(tenthsTable(ten({})).split('\n')).toHaveLength(2 + 10)
  })
})

describe('what a run is held against', () => {
  test('default: a tenth of the votes is outvoted', () => {
    expect(verdictsDue(2_000)).toEqual({ COUNTED: 1_800, OUTVOTED: 200 })
    expect(verdictsDue(900)).toEqual({ COUNTED: 900 })
  })

  test('error: other verdicts than were due are told with both', () => {
    expect(() => checkEpoch(7, 2_000, 1_800, { COUNTED: 1_800, OUTVOTED: 200 })).not.toThrow()
    expect(() => checkEpoch(7, 2_000, 1_800, { COUNTED: 1_799, DUPLICATE: 1, OUTVOTED: 200 })).toThrow(
      'the verdicts of epoch 7 are 1799 COUNTED, 1 DUPLICATE, 200 OUTVOTED; due were 1800 COUNTED, 200 OUTVOTED',
    )
    expect(() => checkEpoch(7, 2_000, 1_800, {})).toThrow('the verdicts of epoch 7 are none')
  })

  test('error: a batch with fewer submissions than counted is told', () => {
    expect(() => checkEpoch(7, 2_000, 1_799, { COUNTED: 1_800, OUTVOTED: 200 })).toThrow(
      'have 1799 submissions; due were 1800',
    )
  })

  test('error: days that do not add up are told', () => {
    const day = { closed: 10, accepted: 20_000, counted: 18_000, whole: true }
    const size = { epochs: 20, submissions: 2_000 }
    expect(() => checkDays([day, day], size)).not.toThrow()
    for (const other of [{ closed: 9 }, { accepted: 19_999 }, { counted: 0 }, { whole: false }])
      expect(() => checkDays([day, { ...day, ...other }], size)).toThrow('in the ledger are 2,')
    expect(() => checkDays([day], size)).toThrow('due were 2,20,40000,36000,2')
  })

  test.each([
    [19, 2_000, '--epochs'],
    [Number.NaN, 2_000, '--epochs'],
    [20.5, 2_000, '--epochs'],
    [20, 0, '--submissions'],
    [20, 150, '--submissions'],
    [20, 100_100, '--submissions'],
  ])('args: %d epochs of %d submissions are refused', (epochs, submissions, words) => {
    expect(daySize(epochs, submissions)).toContain(words)
  })

  test('args: a whole day', () => expect(daySize(7_200, 2_000)).toEqual({ epochs: 7_200, submissions: 2_000 }))
})
