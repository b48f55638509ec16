/** The cost of calls as it was measured with the deployed contract (`bench/payout-gas.ts`). */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { PayoutPurpose } from '../../../schemas/types.ts'
import { MARKET_DEFAULTS } from '../../../topology/rules.ts'
import { slotsPerPayout } from '../../../topology/shared/payout-cost.ts'

interface Row {
  readonly purpose: PayoutPurpose
  readonly isAgain: boolean
  readonly slots: number
  readonly gas: number
}
const rows = JSON.parse(readFileSync('test/vectors/payout-gas.json', 'utf8')) as Row[]
/** How much dearer than measured a call may be reckoned. */
const CAUTION = 2

describe('slotsPerPayout', () => {
  it.each(rows)(
    'behavior: $purpose of $slots slots is not reckoned cheaper than $gas gas',
    ({ purpose, slots, gas }) => {
      expect(slotsPerPayout({ payoutGasMax: gas }, purpose)).toBeLessThanOrEqual(slots)
    },
  )

  it.each(rows.filter(({ slots, isAgain }) => slots >= 10 && !isAgain))(
    'behavior: $purpose of $slots slots is not reckoned much dearer than $gas gas',
    ({ purpose, slots, gas }) => {
      expect(slotsPerPayout({ payoutGasMax: gas * CAUTION }, purpose)).toBeGreaterThanOrEqual(slots)
    },
  )

  it('default: a closing of 10,000 slots is 85 calls', () => {
    expect(Math.ceil(10_000 / slotsPerPayout(MARKET_DEFAULTS))).toBe(85)
  })
})
