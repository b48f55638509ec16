/** What is asked of the packages that `npm ci` installs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const readJson = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'))

test('behavior: every dependency has its reason on record, and no other package has', () => {
  const { dependencies, devDependencies, optionalDependencies } = readJson('package.json') as Record<string, object>
  const table = readFileSync(join(ROOT, 'docs/decisions/0002-dependencies.md'), 'utf8').matchAll(/^\| (`[^|]*) \|/gm)
  const named = [...table].flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!))
  expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }).sort())
})

test('behavior: every package takes the oldest Node that ours takes, so npm ci warns of none', () => {
  const oldest = (readJson('package.json') as { engines: { node: string } }).engines.node.replace('>=', '')
  const { packages } = readJson('package-lock.json') as { packages: Record<string, { engines?: { node?: string } }> }
  const ranges = Object.entries(packages).map(([path, { engines }]) => [path, engines?.node ?? '*'] as const)
  expect(ranges.length).toBeGreaterThan(100)
  expect(ranges.filter(([, range]) => !takes(range, oldest))).toEqual([])
})

test('args: a range of versions takes a version or does not', () => {
  for (const range of ['*', '>=20.19', '>= 8', '^20.19.0 || >=22.12.0', '^10 || 20.x', '>=20.x'])
    expect(takes(range, '20.19.0'), range).toBe(true)
  for (const range of ['>=22', '^20.19.1', '^22 || ^24', '10.* || >=20.20', '>=21.0.0'])
    expect(takes(range, '20.19.0'), range).toBe(false)
})

/** As npm reads the ranges that packages give: versions with an operator or none, and `||` between them. */
function takes(range: string, version: string): boolean {
  const numbers = (text: string): number[] =>
    [0, 1, 2].map((at) => Number.parseInt(text.split('.')[at] ?? '0', 10) || 0)
  const has = numbers(version)
  return range.split('||').some((part) => {
    const [, operator = '', text = ''] = /^(>=|\^)?\s*([\d.x*]+)$/.exec(part.trim()) ?? []
    if (text === '*') return true
    const least = numbers(text)
    const differs = has.findIndex((number, at) => number !== least[at])
    const isAbove = differs === -1 || has[differs]! > least[differs]!
    return operator === '>=' ? isAbove : isAbove && has[0] === least[0]
  })
}
