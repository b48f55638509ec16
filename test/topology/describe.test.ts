import { describe, expect, test } from 'vitest'
import type { MarketRules, ProtocolRules } from '../../topology/rules.ts'
import { createWorld, marketRules, rulesOf, type WorldOptions } from './world.ts'

test('default: the graph is the one on record; a change of it needs a reset or a migration', async () => {
  const { topology } = createWorld({ partitions: 3 })
  await expect(topology.describe()).toMatchFileSnapshot('describe.golden.txt')
})

test('behavior: the fingerprint tells other graphs apart', () => {
  const fingerprintOf = (options: WorldOptions) => createWorld(options).topology.fingerprint
  expect(fingerprintOf({ partitions: 3 })).toBe(fingerprintOf({ partitions: 3, slots: 1 }))
  expect(fingerprintOf({ partitions: 3 })).not.toBe(fingerprintOf({ partitions: 4 }))
})

test('behavior: the fingerprint tells other rules apart, and not the order in which they are written', () => {
  const fingerprintOf = (rules: ProtocolRules) => createWorld({ rules }).topology.fingerprint
  const rules = rulesOf()
  const reversed = Object.fromEntries(Object.entries(rules.markets[0]!).reverse()) as unknown as MarketRules
  expect(fingerprintOf({ ...rules, markets: [reversed] })).toBe(fingerprintOf(rules))
  expect(fingerprintOf(rulesOf({ votesMin: 2 }))).not.toBe(fingerprintOf(rules))
  expect(fingerprintOf({ ...rules, parkedMax: rules.parkedMax - 1 })).not.toBe(fingerprintOf(rules))
})

describe('rules that cannot be', () => {
  const cases: [string, () => unknown, RegExp][] = [
    ['no market', () => createWorld({ rules: rulesOf({}, { markets: [] }) }), /no data market/],
    [
      'a market twice',
      () => createWorld({ rules: { ...rulesOf(), markets: [marketRules(), marketRules()] } }),
      /twice/,
    ],
    [
      'an address in upper case',
      () => createWorld({ rules: rulesOf({ dataMarket: `0x${'A'.repeat(40)}` }) }),
      /dataMarket/,
    ],
    ['no vote needed', () => createWorld({ rules: rulesOf({ votesMin: 0 }) }), /votesMin/],
    ['a share above 1', () => createWorld({ rules: rulesOf({ shareMin: 1.1 }) }), /shareMin/],
    ['no room for heads', () => createWorld({ rules: rulesOf({}, { headsKept: 0 }) }), /headsKept/],
  ]
  test.each(cases)('args: %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})
