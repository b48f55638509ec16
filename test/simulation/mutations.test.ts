import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GUARDS } from './guards.ts'

const names = GUARDS.map(({ name }) => name)

describe('the guards that npm run sim:mutations takes out', () => {
  test.each(GUARDS)('behavior: "$name" is there, once', ({ file, find, replace }) => {
    expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2)
    expect(replace).not.toContain(find)
  })

  test('behavior: each has a name of its own, and who covers for it is one of them', () => {
    expect(new Set(names).size).toBe(names.length)
    expect(GUARDS.filter(({ alsoWithout }) => alsoWithout && !names.includes(alsoWithout))).toEqual([])
  })

  test('behavior: the document has a row for each', () => {
    const text = readFileSync('docs/simulation.md', 'utf8')
    expect(names.filter((name) => !text.includes(`| ${name} (`))).toEqual([])
  })
})
