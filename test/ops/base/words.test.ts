import { expect, test } from 'vitest'
import { coin, plural } from '../../../ops/base/words.ts'

test('default: one thing is one, and there are thousands in thousands', () => {
  expect([0, 1, 2, 1_602].map((n) => plural(n, 'record'))).toEqual([
    '0 records',
    '1 record',
    '2 records',
    '1,602 records',
  ])
  expect(plural(2, 'batch', 'batches')).toBe('2 batches')
})

test.each([
  ['0', '0'],
  ['1', 'less than 0.000001'],
  ['999999999999', 'less than 0.000001'],
  ['1000000000000', '0.000001'],
  ['999999999999999999', '0.999999'],
  ['1000000000000000000', '1'],
  ['9980000000000000001', '9.98'],
  ['123456789000000000000000000', '123456789'],
  [99_981_234_567_890_123_456n, '99.981234'],
])('behavior: %s wei, cut and never rounded up', (wei, shown) => expect(coin(wei)).toBe(shown))
