import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Figure, fallen, figuresOf, tableOf } from '../../bench/figures.ts'
import { keep, keptIn, runsIn } from '../../bench/kept-figures.ts'
import { row } from '../../bench/rows.ts'

const runsOf = (unit: string, ...values: readonly number[]) => values.map((value) => [row('it', value, unit, 'idle')])
const figure = (unit: string, ...values: readonly number[]): Figure => figuresOf('close', runsOf(unit, ...values))[0]!

test('default: a figure is the median of its runs, with the least and the most', () => {
  expect(figure('ms', 5, 1, 3, 2, 40)).toEqual({
    bench: 'close',
    name: 'it',
    unit: 'ms',
    conditions: 'idle',
    median: 3,
    least: 1,
    most: 40,
    runs: 5,
  })
})

test('error: a run without a row of the first is refused', () => {
  const runs = [[row('it', 1, 'ms', ''), row('more', 1, 'ms', '')], [row('it', 1, 'ms', '')]]
  expect(() => figuresOf('close', runs)).toThrow('one run of close has no row "more"')
})

test('behavior: a figure falls when it is worse by more than the wider of the two spreads', () => {
  const kept = [figure('ms', 100, 101, 102)]
  expect(fallen([figure('ms', 103, 104, 102)], kept)).toEqual([]) // 2 worse, the spread is 2
  expect(fallen([figure('ms', 103.5, 104, 102.5)], kept)).toHaveLength(1) // 2.5 worse
  expect(fallen([figure('ms', 80, 110, 120)], kept)).toEqual([]) // 9 worse, the spread is 40
  expect(fallen([figure('ms', 10, 11, 12)], kept)).toEqual([]) // better
})

test('behavior: of a rate more is better', () => {
  const kept = [figure('records/s', 100, 101, 102)]
  expect(fallen([figure('records/s', 80, 81, 82)], kept)).toHaveLength(1)
  expect(fallen([figure('records/s', 180, 181, 182)], kept)).toEqual([])
})

test('behavior: what is not kept is not compared', () => {
  expect(fallen([figure('ms', 1_000)], [{ ...figure('ms', 1), bench: 'flow' }])).toEqual([])
})

test('behavior: figures of other benchmarks stay as they are kept', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-figures-'))
  try {
    const file = join(directory, 'kept.json')
    const other = { ...figure('ms', 7), bench: 'flow' }
    keep(file, 'a machine', [other, figure('ms', 1)])
    keep(file, 'another machine', [figure('ms', 2)])
    expect(keptIn(file)).toEqual([other, figure('ms', 2)])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('default: the table has a line per figure', () => {
  expect(tableOf([figure('ms', 1_234, 1_300, 1_200)])).toBe(
    [
      '| what | median | least to most | unit | conditions |',
      '|---|---:|---:|---|---|',
      '| it | 1,234 | 1,200 to 1,300 | ms | idle |',
    ].join('\n'),
  )
})

test.each(['0', '-1', '2.5', 'five', ''])('error: --runs %j would measure nothing, or nobody knows what', (text) => {
  expect(() => runsIn(text)).toThrow('a whole number of 1 or more is needed')
})

test('default: --runs 5 are five', () => expect(runsIn('5')).toBe(5))
