import { describe, expect, test } from 'vitest'
import { bigQuantity, hash, quantity } from '../../../../connectors/evm/nodes/rpc-values.ts'

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
})

test('args: a hash in any case of letters, and nothing else', () => {
  expect(hash(`0x${'aB'.repeat(32)}`, 'it')).toBe(`0x${'ab'.repeat(32)}`)
  for (const value of [`0x${'ab'.repeat(31)}`, `0x${'ab'.repeat(31)}a\u0141`, 'ab'.repeat(32), 5, undefined])
    expect(() => hash(value, 'it')).toThrow('it is not a hash')
})
