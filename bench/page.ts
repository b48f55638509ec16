/**
 * `npm run bench:page`: writes the tables of docs/benchmarks.md anew from docs/benchmarks.json, after `npm run bench -- --save
 * docs/benchmarks.json`. A test compares the two files.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Aim, aimsTable, tableOf } from './figures.ts'
import { type KeptFigures, readKept } from './kept-figures.ts'

/** The aims that kept figures are held against; less is better in all of them. */
const AIMS: readonly Aim[] = [
  { bench: 'close', name: 'close → batch, p99', most: 250 },
  { bench: 'memory', name: 'peak memory', most: 2_048 },
  { bench: 'memory', name: 'its close → last batch', most: 3_000 },
  { bench: 'flow', name: 'socket → verdict, one process with 0 worker threads, CPU / bare recovery', most: 2 },
]
/** A table stands between two comments, of which the first names its benchmark; `aims` is the table of the aims. */
const TABLE = /<!-- figures: (\w+) -->\n(?:(?!<!-- )[\s\S])*<!-- end -->/g
const BEGIN = /<!-- figures: \w+ -->/g

/**
 * The page with its tables as the kept figures have them.
 * @throws Error when a comment is alone, or a kept benchmark has no place in the page
 */
export function pageWith(page: string, kept: KeptFigures): string {
  const placed = [...page.matchAll(TABLE)].map(([, name]) => name!)
  const begun = page.match(BEGIN)?.length ?? 0
  if (begun !== placed.length) throw new Error(`${begun} tables begin, and ${placed.length} of them end`)
  const unplaced = Object.keys(kept.machines).filter((bench) => !placed.includes(bench))
  if (unplaced.length > 0) throw new Error(`the page has no table for ${unplaced.join(', ')}`)
  return page.replace(TABLE, (_, name: string) => `<!-- figures: ${name} -->\n${tableFor(name, kept)}\n<!-- end -->`)
}

function tableFor(name: string, { machines, figures }: KeptFigures): string {
  if (name === 'aims') return aimsTable(AIMS, figures)
  const ofBench = figures.filter(({ bench }) => bench === name)
  const [first] = ofBench
  if (!first) return `No medians of \`${name}\` are kept yet.`
  const runs = first.runs === 1 ? 'One run' : `Median of ${first.runs} runs`
  return `${runs}. ${machines[name]}.\n\n${tableOf(ofBench)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const docs = (file: string): string => fileURLToPath(new URL(`../docs/${file}`, import.meta.url))
  const page = docs('benchmarks.md')
  writeFileSync(page, pageWith(readFileSync(page, 'utf8'), readKept(docs('benchmarks.json'))))
}
