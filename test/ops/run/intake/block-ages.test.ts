import { expect, test } from 'vitest'
import { blockAges } from '../../../../ops/run/intake/block-ages.ts'

test('default: blocks that are heard of later than they were made change no stamp', () => {
  const ages = blockAges()
  expect([ages.least(), ages.stamp(5_000)]).toEqual([undefined, 5_000])
  ages.heard(100, 160_000)
  ages.heard(102, 103_000)
  ages.heard(104, 110_000)
  expect([ages.least(), ages.stamp(111_000)]).toEqual([1_000, 111_000])
})

test('behavior: a clock that is behind stamps with the time of the blocks, also when no further ones come', () => {
  const ages = blockAges()
  const hour = 3_600_000
  ages.heard(10_000, 10_000_000 - hour + 2_000)
  ages.heard(10_002, 10_002_000 - hour + 500)
  const ten = 600_000
  expect(ages.stamp(10_002_000 - hour + 500 + ten)).toBe(10_002_000 + ten)
})

test('behavior: a clock that is set right is right some blocks later', () => {
  const ages = blockAges()
  ages.heard(10_000, 9_000_000)
  for (let n = 1; n <= 32; n++) ages.heard(10_000 + 2 * n, 10_001_000 + 2_000 * n)
  expect([ages.least(), ages.stamp(11_000_000)]).toEqual([1_000, 11_000_000])
})
