import { describe, expect, it } from 'vitest'
import {
  clockTime,
  duration,
  listing,
  percent,
  plural,
  sentence,
  short,
  zoneName,
} from '../../../../ops/api/console/app/format.ts'

describe('durations', () => {
  it.each([
    [-5, '0.0 s'],
    [940, '0.9 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min'],
    [130_000, '2 min 10 s'],
    [3_600_000, '1 h'],
    [3_900_000, '1 h 5 min'],
    [180_000_000, '2 d 2 h'],
  ])('default: %d ms is %s', (ms, words) => expect(duration(ms)).toBe(words))
})

describe('words', () => {
  it.each([
    [1, '100 %'],
    [0.9999, '99.9 %'],
    [0.29, '29 %'],
    [2 / 3, '66.6 %'],
    [0, '0 %'],
  ])('behavior: %d is %s: nothing below all of it reads as all of it', (share, words) =>
    expect(percent(share)).toBe(words),
  )
  it('default: counts, lists, sentences and the ends of what is long', () => {
    expect([plural(1, 'batch', 'batches'), plural(2_000, 'batch', 'batches')]).toEqual(['1 batch', '2,000 batches'])
    expect([listing([]), listing(['a']), listing(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c'])
    expect([sentence(''), sentence('it is'), sentence('Is it?')]).toEqual(['', 'It is.', 'Is it?'])
    expect([short('0123456789'), short('0x0123456789abcdef')]).toEqual(['0123456789', '0x012345…abcdef'])
  })
  it('behavior: a time has its zone, one of another day its date', () => {
    const at = new Date(2026, 0, 2, 12, 0, 5)
    const [noon, zone] = [at.getTime(), zoneName(at.getTimezoneOffset())]
    expect(clockTime(noon, noon)).toBe(`12:00:05 ${zone}`)
    expect(clockTime(noon, noon + 86_400_000)).toBe(`2026-01-02 12:00:05 ${zone}`)
    expect([0, -60, -330, 210].map(zoneName)).toEqual(['UTC', 'UTC+1', 'UTC+5:30', 'UTC−3:30'])
  })
})
