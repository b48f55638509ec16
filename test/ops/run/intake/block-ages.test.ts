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
  for (let n = 0; n < 3; n++) ages.heard(10_002, 10_002_000 - hour + 500)
  const ten = 600_000
  expect(ages.stamp(10_002_000 - hour + 500 + ten)).toBe(10_002_000 + ten)
})

test('behavior: a clock that is set right is right some blocks later', () => {
  const ages = blockAges()
  ages.heard(10_000, 9_000_000)
  for (let n = 1; n <= 32; n++) ages.heard(10_000 + 2 * n, 10_001_000 + 2_000 * n)
  expect([ages.least(), ages.stamp(11_000_000)]).toEqual([1_000, 11_000_000])
})

test('bound: two blocks that say the wrong time move no stamp, whatever they say', () => {
  const ages = blockAges()
  for (const wrong of [600, 86_400, 2 ** 53 - 2]) {
    for (let n = 1; n <= 32; n++) ages.heard(10_000 + n, 10_001_000 + 1_000 * n)
    for (const behind of [1, 2]) ages.heard(10_032 + wrong * behind, 10_033_000)
    expect(ages.stamp(10_034_000)).toBe(10_034_000)
  }
})

test('bound: however many say so, no stamp is an hour later than now', () => {
  const ages = blockAges()
  for (let n = 0; n < 40; n++) ages.heard(20_000_000, 10_000)
  expect(ages.stamp(10_000)).toBe(10_000)
  for (let n = 0; n < 40; n++) ages.heard(3_000, 10_000)
  expect(ages.stamp(10_000)).toBe(3_000_000)
})
