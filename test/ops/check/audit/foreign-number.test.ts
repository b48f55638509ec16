import { expect, test } from 'vitest'
import type { FoundPayout } from '../../../../ops/check/audit/days/payout-index.ts'
import { Settlement } from '../../../../ops/check/audit/days/settlement.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import type { Payment, Payout } from '../../../../schemas/types.ts'

const MARKET = '0xa1'
const payout: Payout = {
  ...{ payoutOf: 1, epochId: 2, number: 0, purpose: 'CLOSING', part: 0, parts: 1, closeBlock: 9, quota: 4 },
  firstBlock: 3,
  ...{ slotIds: [1, 2, 3], submissions: [4, 5, 1] },
}
const row = (fields: Partial<Payment>): Payment => ({
  ...{ paymentState: 'FINAL', purpose: 'CLOSING', payoutOffset: 0, part: 0, parts: 1, slots: 3, sent: 3, present: 0 },
  ...{ leftOut: [], paidBefore: [], paid: 2, eligibleNodes: 2, numberFound: false, quota: 4, nonce: 7, attempts: 2 },
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

test.each([
  ['the row tells it', true, [], 1],
  ['the row tells it as paid', false, [/slot 2, paid: recomputed true, found false/], 1],
] as const)('behavior: a slot that somebody has marked, and paid nothing: %s', async (_, isTold, wrong, notes) => {
  const findings = new Findings()
  const asked: unknown[] = []
  const slots = [4, 5, 1].map((count, at) => ({ count, marked: at < 2, paid: at < 1 }))
  const settlement = new Settlement(findings, async (...of) => {
    asked.push(of)
    return { eligibleNodes: 2, remaining: 0, share: 450n, slots }
  })
  const found = { dataMarket: MARKET, offset: 0, payout } as unknown as FoundPayout
  const leftOut = [{ slotId: 2, counted: 5, onChain: 5, reason: 'MARKED_UNPAID' as const }]
  await settlement.take(found, row(isTold ? { sent: 2, paid: 1, leftOut } : {}))
  await settlement.finish()
  expect(asked).toEqual([[MARKET, 1, [1, 2, 3], 3]])
  const texts = findings.differences().map(({ where, message }) => `${where}, ${message}`)
  expect(texts).toHaveLength(wrong.length)
  for (const [at, pattern] of wrong.entries()) expect(texts[at]).toMatch(pattern)
  expect(findings.notes().map(({ message }) => message)).toEqual(
    new Array(notes).fill(
      '1 slots are marked as paid, and get nothing of 450: somebody has told them without a number of eligible nodes (2)',
    ),
  )
})
