import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { aimsTable, type Figure } from '../../bench/figures.ts'
import { type KeptFigures, readKept } from '../../bench/kept-figures.ts'
import { pageWith } from '../../bench/page.ts'

const figure: Figure = {
  bench: 'log',
  name: 'it',
  unit: 'ms',
  conditions: 'idle',
  median: 5,
  least: 4,
  most: 6,
  runs: 3,
}
const kept: KeptFigures = { machines: { log: 'a machine' }, figures: [figure] }
const table = [
  'Median of 3 runs. a machine.',
  '',
  '| what | median | least to most | unit | conditions |',
  '|---|---:|---:|---|---|',
  '| it | 5 | 4 to 6 | ms | idle |',
].join('\n')

test('behavior: docs/benchmarks.md has the figures that docs/benchmarks.json keeps (npm run bench:page writes them)', () => {
  const page = readFileSync('docs/benchmarks.md', 'utf8')
  expect(pageWith(page, readKept('docs/benchmarks.json'))).toBe(page)
})

test('default: a table takes the place between its comments, and the rest of the page stays', () => {
  const page = (between: string) => `before\n<!-- figures: log -->\n${between}<!-- end -->\nafter\n`
  expect(pageWith(page(''), kept)).toBe(page(`${table}\n`))
  expect(pageWith(page('| it | 9 |\n'), kept)).toBe(page(`${table}\n`))
})

test('default: a place for what is not kept says so', () => {
  expect(pageWith('<!-- figures: log -->\n<!-- end -->\n<!-- figures: flow -->\n<!-- end -->', kept)).toContain(
    '<!-- figures: flow -->\nNo medians of `flow` are kept yet.\n<!-- end -->',
  )
})

test('behavior: figures of one run are called so', () => {
  const once: KeptFigures = { ...kept, figures: [{ ...figure, runs: 1 }] }
  expect(pageWith('<!-- figures: log -->\n<!-- end -->', once)).toContain('One run. a machine.')
})

test.each([
  ['has no place for kept figures', 'no table', 'the page has no table for log'],
  ['begins a table in a table', '<!-- figures: log -->\n<!-- figures: log -->\n<!-- end -->', '2 tables begin, and 1'],
  ['ends no table', '<!-- figures: log -->\n', '1 tables begin, and 0 of them end'],
])('error: a page that %s is refused', (_, page, words) => {
  expect(() => pageWith(page, kept)).toThrow(words)
})

test('default: an aim is met by its median or missed', () => {
  const aimed = (most: number) =>
    aimsTable([{ bench: 'log', name: 'it', most }], [figure])
      .split('\n')
      .at(-1)
  expect(aimed(5)).toBe('| log: it | 5 | 5 | ms | met |')
  expect(aimed(4.9)).toBe('| log: it | 4.9 | 5 | ms | missed |')
})

test('error: an aim without a figure is refused', () => {
  expect(() => aimsTable([{ bench: 'log', name: 'other', most: 1 }], [figure])).toThrow('no figure "other" of log')
})
