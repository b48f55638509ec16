import { expect, test } from 'vitest'
import { askMany } from '../../../ops/ground/ask-many.ts'

const names = Array.from({ length: 24 }, (_, at) => `t${at}`)

/** @param missing fail whatever is asked with them */
function log(missing: readonly string[]) {
  const asked: number[] = []
  const ask = async (some: readonly string[]): Promise<readonly string[]> => {
    asked.push(some.length)
    if (some.some((name) => missing.includes(name))) throw new RangeError('missing')
    return some
  }
  return { ask, asked }
}

const without = (error: unknown): readonly string[] => {
  if (error instanceof RangeError) return []
  throw error
}

test('default: one question is asked when all are there, none for nothing', async () => {
  const { ask, asked } = log([])
  expect(await askMany(names, ask, without)).toEqual(names)
  expect(await askMany([], ask, without)).toEqual([])
  expect(asked).toEqual([24])
})

test('behavior: those that are missing are found by halves, and the others are answered for in order', async () => {
  const { ask, asked } = log(['t7'])
  expect(await askMany(names, ask, without)).toEqual(names.filter((name) => name !== 't7'))
  expect(asked.length).toBeLessThan(12)
  expect(await askMany(names, log(names).ask, (_, name) => [`no ${name}`])).toEqual(names.map((name) => `no ${name}`))
})

test('error: what is no matter of one of them fails at once', async () => {
  let asked = 0
  const ask = async (): Promise<readonly string[]> => {
    asked++
    throw new Error('away')
  }
  await expect(askMany(names, ask, without)).rejects.toThrow('away')
  expect(asked).toBe(1)
})
