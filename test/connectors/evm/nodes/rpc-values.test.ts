import { describe, expect, test } from 'vitest'
import { bigQuantity, cappedQuantity, hash, quantity, shown } from '../../../../connectors/evm/nodes/rpc-values.ts'

const WRONG = [
  '',
  '0x',
  '12',
  ' 0x1',
  '0x1\n',
  '1e3',
  '0x1.5',
  '0b1',
  '-0x1',
  '0x\u0130',
  `0x2${'0'.repeat(14)}`,
  5,
  null,
  -1n,
]

describe('quantity', () => {
  test.each([
    ['0x0', 0],
    ['0xFf', 255],
    [`0x${'0'.repeat(62)}10`, 16],
    [`0x1${'f'.repeat(13)}`, Number.MAX_SAFE_INTEGER],
    [7n, 7],
  ])('args: %s is %s', (value, number) => expect(quantity(value, 'it')).toBe(number))
  test.each(WRONG)('error: %s', (value) => expect(() => quantity(value, 'it')).toThrow(/^it is not /))
  test('args: a big one up to 256 bits', () => {
    expect(bigQuantity(`0x${'f'.repeat(64)}`, 'it')).toBe(2n ** 256n - 1n)
    expect(() => bigQuantity(`0x1${'0'.repeat(64)}`, 'it')).toThrow('it is not')
  })
  test.each([
    [7n, 7],
    [`0x1${'f'.repeat(13)}`, Number.MAX_SAFE_INTEGER],
    [2n ** 53n, Number.MAX_SAFE_INTEGER],
    [2n ** 256n - 1n, Number.MAX_SAFE_INTEGER],
  ])('args: %s of an owner is %s', (value, number) => expect(cappedQuantity(value, 'it')).toBe(number))
  test('error: an owner too sets nothing but numbers', () => {
    for (const value of ['', -1n, null, 5]) expect(() => cappedQuantity(value, 'it')).toThrow('it is not')
  })
})

test('args: a hash in any case of letters, and nothing else', () => {
  expect(hash(`0x${'aB'.repeat(32)}`, 'it')).toBe(`0x${'ab'.repeat(32)}`)
  for (const value of [`0x${'ab'.repeat(31)}`, `0x${'ab'.repeat(31)}a\u0141`, 'ab'.repeat(32), 5, undefined])
    expect(() => hash(value, 'it')).toThrow('it is not a hash')
})

test('bound: a message shows the beginning of a value, and does not go through the rest of it', () => {
  const seen: string[] = []
  const told = (key: string) => {
    seen.push(key)
    return 'x'.repeat(30)
  }
  const value = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, 0]))
  for (const key of Object.keys(value)) Object.defineProperty(value, key, { enumerable: true, get: () => told(key) })
  expect(shown(value)).toHaveLength(80)
  expect(seen.length).toBeLessThan(5)
  expect(shown([value, value, value])).toHaveLength(80)
  expect(seen.length).toBeLessThan(10)
  expect(shown({ a: [1, null, 'b'], c: {} })).toBe('{"a":[1,null,"b"],"c":{}}')
})
