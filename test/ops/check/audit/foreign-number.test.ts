import { expect, test } from 'vitest'
import type { FoundPayout } from '../../../../ops/check/audit/days/payout-index.ts'
import { Settlement } from '../../../../ops/check/audit/days/settlement.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import type { Payment, Payout } from '../../../../schemas/types.ts'

const MARKET = '0xa1'
const payout: Payout = {
  ...{ payoutOf: 1, epochId: 2, number: 0, purpose: 'CLOSING', part: 0, parts: 1, closeBlock: 9, quota: 4 },
  ...{ slotIds: [1, 2, 3], submissions: [4, 5, 1] },
}
const row = (fields: Partial<Payment>): Payment => ({
  ...{ paymentState: 'FINAL', purpose: 'CLOSING', payoutOffset: 0, part: 0, parts: 1, slots: 3, sent: 3, present: 0 },
  ...{ leftOut: [], paidBefore: [], eligibleNodes: 2, numberFound: false, quota: 4, nonce: 7, attempts: 2 },
  ...{ transactionHash: '0xt', blockNumber: 5, blockHash: '0xb', error: '', reorgs: 0 },
  ...fields,
})

test.each([
  ['fixed by us, of the slots at the quota', 2, false, [], 0],
  ['fixed by us, and another one', 1_000_000, false, [/eligible nodes: recomputed 2, found 1000000/], 0],
  ['fixed by somebody else, and right', 2, true, [], 0],
  ['fixed by somebody else, and another one: a note, for our log is right', 1_000_000, true, [], 1],
])('behavior: a number %s', async (_, eligibleNodes, numberFound, told, notes) => {
  const findings = new Findings()
  const settlement = new Settlement(findings, undefined)
  const found = { dataMarket: MARKET, offset: 0, payout } as unknown as FoundPayout
  await settlement.take(found, row({ eligibleNodes, numberFound }))
  await settlement.finish()
  const texts = findings.differences().map(({ where, message }) => `${where}, ${message}`)
  expect(texts).toHaveLength(told.length)
  for (const [at, pattern] of told.entries()) expect(texts[at]).toMatch(pattern)
  expect(findings.notes().map(({ message }) => message)).toEqual(
    notes > 0 ? ['somebody else has fixed 1000000 eligible nodes; recomputed 2'] : [],
  )
})
