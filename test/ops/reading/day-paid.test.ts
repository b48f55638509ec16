import { expect, test } from 'vitest'
import { aboveAllPaid, paidOf, withoutCall } from '../../../ops/reading/day-paid.ts'
import type { Payment, Payout } from '../../../schemas/types.ts'

const payout = { slotIds: [1, 2, 3], submissions: [4, 5, 1] } as unknown as Payout
const payment = (fields: Partial<Payment>): Payment =>
  ({ paymentState: 'FINAL', paidBefore: [], leftOut: [], quota: 4, paid: -1, ...fields }) as Payment

test.each([
  ['as the look at the final call says', payout, payment({ paid: 1 }), 1],
  ['also when the list is no longer in the log', undefined, payment({ paid: 1 }), 1],
  ['where nobody has looked, by the list', payout, payment({}), 2],
  ['where nobody has looked, and the list is gone: not known', undefined, payment({}), null],
  [
    'before the call is final, those that were paid before it',
    undefined,
    payment({ paymentState: 'SENT', paidBefore: [2] }),
    1,
  ],
] as const)('default: the slots that are paid: %s', (_, list, row, paid) => {
  expect(paidOf([{ payout: list, payment: row }])).toBe(paid)
})

test('behavior: a number that is too large, and slots that came late, are told when the list is no longer in the log', () => {
  const closing = { eligibleNodes: 9, numberFound: true, leftOut: { MARKED_UNPAID: 1 }, unpaid: 0 } as const
  const paid = paidOf([{ payout: undefined, payment: payment({ paid: 2 }) }])
  expect([aboveAllPaid({ paid, closing }), withoutCall({ paid, closing, eligibleSlots: 5 })]).toEqual([6, 2])
})
