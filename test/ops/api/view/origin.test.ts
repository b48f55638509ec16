import { expect, test } from 'vitest'
import { originOf } from '../../../../ops/api/view/origin.ts'
import { CONSENSUS_REASONS, REJECT_REASONS } from '../../../../topology/verdict.ts'

test('behavior: what consensus says of a submission, it says of the owner’s', () => {
  expect(CONSENSUS_REASONS.filter((reason) => originOf(reason, false) !== 'OWNER')).toEqual([])
})

test('behavior: before the owner is known, and for a copy, nothing is proven', () => {
  const unproven = REJECT_REASONS.filter((reason) => originOf(reason, false) === 'UNPROVEN')
  expect(unproven).toEqual([
    'MALFORMED',
    'OVERSIZE',
    'UNKNOWN_MARKET',
    'FOREIGN_PROJECT',
    'BAD_SIGNATURE',
    'UNKNOWN_SLOT',
    'SLOT_MISMATCH',
    'DUPLICATE',
  ])
  expect(originOf('UNKNOWN_HEADER', true)).toBe('UNPROVEN')
  expect(originOf('NO_QUORUM', true)).toBe('OWNER') // no copy has it
  expect(originOf(undefined, false)).toBe('OWNER')
})
